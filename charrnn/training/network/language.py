"""The network in PyTorch, as it is trained.

    ids (T, B) -> embedding or one-hot (T, B, E or V) -> L recurrent layers (T, B, H) -> decoder (T, B, V)

`named_weights` gives the names of the model file, and `charrnn.inference.network.language` computes the same in NumPy.

Dropout: a unit that is dropped stays dropped for all of a step's characters, and every stream drops others (variational
dropout: Gal and Ghahramani 2016, arXiv 1512.05287). A recurrent weight that is dropped stays so for all of a step's
characters and streams (weight dropout: Merity et al. 2018, arXiv 1708.02182). What is kept is scaled up.
"""

import torch
from torch import Tensor, nn

from charrnn.model.config import LabelledConfig, ModelConfig
from charrnn.training.network.base import NO_MASKS, Masks, RecurrentNetwork, State, draw_mask
from charrnn.training.network.kernel_weights import LayerWeights, make_layer_weights
from charrnn.training.network.loss import IGNORED, output_loss

POOL_SEED = 20  # any: the pool has to be the same after a resume


class CharRNN(RecurrentNetwork):
    """A character language model; `dropout` is that of units between layers and before the decoder."""

    def __init__(self, config: ModelConfig, dropout: float = 0.0, weight_dropout: float = 0.0) -> None:
        super().__init__(config)
        self.dropout, self.weight_dropout = dropout, weight_dropout
        self.label = nn.Embedding(config.classes, config.input_size) if isinstance(config, LabelledConfig) else None
        self._pool: Tensor | None = None

    def initial_state(self, batch: int, labels: Tensor | None = None) -> State:
        """The learned initial state for `batch` streams, of these labels (B,) if it has any.

        Tensors (L, B, H) that gradients flow through.
        """
        if labels is not None:
            return tuple(part[labels].transpose(0, 1).contiguous() for part in self.initial_states)
        return tuple(part[:, None, :].expand(-1, batch, -1).contiguous() for part in self.initial_states)

    def restart(self, state: State, restarted: Tensor, labels: Tensor | None = None) -> State:
        """`state` with the streams marked in `restarted` (B,) put back to the learned initial state."""
        mask = restarted[None, :, None]
        initial = self.initial_state(len(restarted), labels)
        return tuple(torch.where(mask, new, old) for new, old in zip(initial, state, strict=True))

    def draw_masks(self, batch: int) -> Masks:
        """Dropout for one step of learning."""
        outputs: tuple[Tensor, ...] = ()
        if self.dropout:
            shape = (self.config.layers, 1, batch, self.config.hidden_size)
            outputs = tuple(draw_mask(self.dropout, shape, self.decoder.weight))
        return Masks(outputs, self._cut_weight_masks() if self.weight_dropout else ())

    def _cut_weight_masks(self) -> tuple[Tensor, ...]:
        """Masks of recurrent weights, cut from a pool of twice their size at random places.

        To draw as many numbers anew would take a tenth of a step of 512 units.
        """
        rows, columns = self.config.gates * self.config.hidden_size, self.config.hidden_size
        size = rows * columns
        if self._pool is None:
            generator = torch.Generator().manual_seed(POOL_SEED)
            kept = 1.0 - self.weight_dropout
            pool = torch.empty(2 * size).bernoulli_(kept, generator=generator).div_(kept)
            self._pool = pool.to(self.decoder.weight)
        places = torch.randint(size, (self.config.layers,)).tolist()
        return tuple(self._pool[place : place + size].view(rows, columns) for place in places)

    def reads_table(self, symbols: int) -> bool:
        """Whether the kernel reads the projections of symbols from a table, which pays if there are `symbols` to read.

        Labels belong to streams, not to symbols.
        """
        return self.label is None and (self.embedding is None or self.config.vocab_size <= symbols)

    def _make_layer_weights(self, masks: Masks, symbols: int) -> list[LayerWeights]:
        """The layers' weights as the kernel reads them, to read `symbols` with; none where PyTorch's layers do."""
        kernel = self.find_kernel()
        if kernel is None:
            return []
        table: list[Tensor] | None = None
        if self.reads_table(symbols):
            table = [] if self.embedding is None else [self.embedding.weight]
        recurrent = masks.recurrent or [None] * len(self.rnn)
        return [
            make_layer_weights(kernel, layer, mask, None if k else table)
            for k, (layer, mask) in enumerate(zip(self.rnn, recurrent, strict=True))
        ]

    def forward(
        self, ids: Tensor, state: State, masks: Masks = NO_MASKS, labels: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read ids (T, B) from a state; scores (T, B, V) of the symbol after each, and the state after all."""
        hidden, state = self.read(ids, state, masks, labels)
        return self.decoder(hidden), state

    def read(
        self, ids: Tensor, state: State, masks: Masks = NO_MASKS, labels: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Top hidden states (T, B, H) along ids (T, B), dropout applied, and the state after all."""
        weights = self._make_layer_weights(masks, ids.numel())
        table = bool(weights) and isinstance(weights[0].projection, Tensor)
        hidden, after = ids if table else self.embed(ids, labels), []
        for layers in self._calls():
            before = tuple(part[layers] for part in state)
            if weights:
                hidden, last = weights[layers.start].run(hidden, tuple(part[0] for part in before))
                last = tuple(part[None] for part in last)
            else:
                hidden, last = self.run_layers(layers, hidden, before, masks.recurrent)
            hidden = hidden * masks.outputs[layers.start].to(hidden.dtype) if masks.outputs else hidden
            after.append(last)
        return hidden, tuple(torch.cat(parts) for parts in zip(*after, strict=True))

    def embed(self, ids: Tensor, labels: Tensor | None) -> Tensor:
        """The first layer's inputs (T, B, I)."""
        inputs = self.look_up(ids)
        if self.label is not None:
            inputs = inputs + self.label(labels)
        return inputs

    def _calls(self) -> list[slice]:
        """Which layers each call of the recurrent kernel computes.

        cuDNN runs a layer's early steps beside the late ones of the layer below, if both are one call; dropout
        between them needs two.
        """
        count = self.config.layers
        if self.decoder.weight.is_cuda and not self.dropout:
            return [slice(0, count)]
        return [slice(k, k + 1) for k in range(count)]

    def next_hidden(self, state: State, masks: Masks = NO_MASKS) -> Tensor:
        """The top hidden state (B, H) after what `state` has read, dropout applied."""
        hidden = state[0][-1]
        return hidden * masks.outputs[-1][0] if masks.outputs else hidden

    def next_logits(self, state: State, masks: Masks = NO_MASKS) -> Tensor:
        """Scores (B, V) of the symbol that follows what `state` has read; at the start, of the first one."""
        scores: Tensor = self.decoder(self.next_hidden(state, masks))
        return scores

    def loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Summed nats of targets (...) after hidden states (..., H); negative targets do not count."""
        return output_loss(hidden.flatten(0, -2), self.decoder.weight, self.decoder.bias, targets.flatten())

    def first_loss(self, ids: Tensor, state: State, restarted: Tensor, masks: Masks) -> Tensor:
        """Summed nats of the first symbols, among ids (B,), of the streams that begin with `state`."""
        return self.loss(self.next_hidden(state, masks), torch.where(restarted, ids, IGNORED))


def sequence_loss(
    network: CharRNN,
    ids: Tensor,
    targets: Tensor,
    state: State,
    restarted: Tensor,
    masks: Masks = NO_MASKS,
    labels: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Summed cross-entropy in nats of one step of truncated BPTT, and the state to carry on.

    Every stream pays for `targets` (T, B), the negative ones left out; those `restarted` (B,) also pay for their very
    first character, predicted from the learned initial state.
    """
    hidden, after = network.read(ids, state, masks, labels)
    return network.loss(hidden, targets) + network.first_loss(ids[0], state, restarted, masks), after
