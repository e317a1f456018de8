"""The network in PyTorch, as it is trained.

    ids (T, B) -> embedding or one-hot (T, B, E or V) -> L recurrent layers (T, B, H) -> decoder (T, B, V)

`named_weights` gives the names of the model file, and `charrnn.inference.network.language` computes the same in NumPy.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that everyone uses

from charrnn.model.config import LabelledConfig, ModelConfig
from charrnn.training.network.base import RecurrentNetwork, State
from charrnn.training.network.dropout import NO_MASKS, Dropout, Masks
from charrnn.training.network.kernel_weights import LayerWeights, find_kernel, make_layer_weights
from charrnn.training.network.loss import output_loss
from charrnn.training.network.precision import lower_precision

CUDNN_MODES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN_TANH"}


class CharRNN(RecurrentNetwork):
    """A character language model; `dropout` is that of units between layers and before the decoder."""

    def __init__(self, config: ModelConfig, dropout: float = 0.0, weight_dropout: float = 0.0) -> None:
        super().__init__(config)
        self.dropout = Dropout(config, dropout, weight_dropout)
        self.label = nn.Embedding(config.classes, config.input_size) if isinstance(config, LabelledConfig) else None

    def initial_state(self, batch: int, labels: Tensor | None = None) -> State:
        """The learned initial state for `batch` streams, of these labels (B,) if it has any.

        Tensors (L, B, H) that gradients flow through.
        """
        if labels is not None:
            return tuple(part[labels].transpose(0, 1).contiguous() for part in self.initial_states)
        return tuple(part[:, None, :].expand(-1, batch, -1).contiguous() for part in self.initial_states)

    def restart(self, state: State, fresh: Tensor, labels: Tensor | None = None) -> State:
        """`state` with the streams marked in `fresh` (B,) put back to the learned initial state."""
        mask = fresh[None, :, None]
        initial = self.initial_state(len(fresh), labels)
        return tuple(torch.where(mask, new, old) for new, old in zip(initial, state, strict=True))

    def draw_masks(self, batch: int) -> Masks:
        """Dropout for one step of learning."""
        return self.dropout.draw(batch, self.decoder.weight)

    def reads_table(self, symbols: int) -> bool:
        """Whether the kernel reads the projections of symbols from a table, which pays if there are `symbols` to read.

        Labels belong to readers, not to symbols.
        """
        return self.label is None and (self.embedding is None or self.config.vocab_size <= symbols)

    def _make_layer_weights(self, masks: Masks, symbols: int) -> list[LayerWeights]:
        """The layers' weights as the kernel reads them, to read `symbols` with; none where PyTorch's layers do."""
        kernel = find_kernel(self.config.cell, self.decoder.weight)
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
        self,
        ids: Tensor,
        state: State,
        masks: Masks = NO_MASKS,
        labels: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Top hidden states (T, B, H) along ids (T, B), dropout applied, and the state after all."""
        weights = self._make_layer_weights(masks, ids.numel())
        if weights:
            return self._read_by_kernel(weights, ids, state, masks, labels)
        hidden, after = self.embed(ids, labels), []
        for layers in self._calls():
            hidden, last = self._run(layers, hidden, tuple(part[layers] for part in state), masks)
            hidden = hidden * masks.outputs[layers.start].to(hidden.dtype) if masks.outputs else hidden
            after.append(last)
        return hidden, tuple(torch.cat(parts) for parts in zip(*after, strict=True))

    def _read_by_kernel(
        self, weights: list[LayerWeights], ids: Tensor, state: State, masks: Masks, labels: Tensor | None
    ) -> tuple[Tensor, State]:
        hidden = ids if isinstance(weights[0].projection, Tensor) else self.embed(ids, labels)
        after = []
        for k, layer in enumerate(weights):
            hidden, last = layer.run(hidden, tuple(part[k] for part in state))
            hidden = hidden * masks.outputs[k] if masks.outputs else hidden
            after.append(last)
        return hidden, tuple(torch.stack(parts) for parts in zip(*after, strict=True))

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
        if self.decoder.weight.is_cuda and not self.dropout.units:
            return [slice(0, count)]
        return [slice(k, k + 1) for k in range(count)]

    def _run(self, layers: slice, inputs: Tensor, before: State, masks: Masks) -> tuple[Tensor, State]:
        """Some layers in one call: hidden states (T, B, H) of the last of them, and their states after."""
        weights: list[Tensor] = [weight for layer in self.rnn[layers] for weight in layer.parameters()]
        for k, mask in enumerate(masks.recurrent[layers]):
            weights[4 * k + 1] = weights[4 * k + 1] * mask
        lower = lower_precision(inputs.device)
        if lower is None:
            if masks.recurrent and inputs.is_cuda:  # the products lie apart, and cuDNN would copy piece by piece
                weights = _cast_together(weights, inputs.dtype)
            return self._call_layers(inputs, before, weights)
        with torch.autocast(inputs.device.type, enabled=False):
            lowered = tuple(part.to(lower) for part in before)
            hidden, last = self._call_layers(inputs.to(lower), lowered, _cast_together(weights, lower))
        return hidden, tuple(part.float() for part in last)

    def _call_layers(self, inputs: Tensor, before: State, weights: list[Tensor]) -> tuple[Tensor, State]:
        """PyTorch's call for recurrent layers; `weights` are input, state, and their biases, of each layer."""
        options = (True, len(weights) // 4, 0.0, self.training, False, False)
        if self.config.cell == "lstm":
            hidden, last, cell = torch.lstm(inputs, before, weights, *options)
            return hidden, (last, cell)
        run = torch.gru if self.config.cell == "gru" else torch.rnn_tanh
        hidden, last = run(inputs, before[0], weights, *options)
        return hidden, (last,)

    @torch.no_grad()
    def flatten(self) -> None:
        """Put the recurrent weights side by side in the order that cuDNN wants, for each of its calls.

        Else it copies them together at every call. `nn.Module.to` has done so for single layers.
        """
        usable = torch.backends.cudnn.is_acceptable(self.decoder.weight)  # type: ignore[no-untyped-call]
        if usable and len(self._calls()) < self.config.layers:
            mode = torch.backends.cudnn.rnn.get_cudnn_mode(CUDNN_MODES[self.config.cell])  # type: ignore[no-untyped-call]
            weights: list[Tensor] = [weight for layer in self.rnn for weight in layer.parameters()]
            size, count = self.config.hidden_size, self.config.layers
            torch._cudnn_rnn_flatten_weight(weights, 4, self.config.input_size, mode, size, 0, count, False, False)  # noqa: SLF001

    def next_logits(self, state: State, masks: Masks = NO_MASKS) -> Tensor:
        """Scores (B, V) of the symbol that follows what `state` has read; at the start, of the first one."""
        hidden = state[0][-1]
        scores: Tensor = self.decoder(hidden * masks.outputs[-1][0] if masks.outputs else hidden)
        return scores


def _cast_together(weights: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Recurrent weights as parts of one piece of memory, in cuDNN's order: all matrices, then all biases."""
    order = [k for dimensions in (2, 1) for k, weight in enumerate(weights) if weight.ndim == dimensions]
    flat = torch.cat([weights[k].flatten() for k in order]).to(dtype)
    pieces = torch.split(flat, [weights[k].numel() for k in order])
    by_number = {k: piece.view(weights[k].shape) for k, piece in zip(order, pieces, strict=True)}
    return [by_number[k] for k in range(len(weights))]


def sequence_loss(
    network: CharRNN,
    ids: Tensor,
    targets: Tensor,
    state: State,
    starts: Tensor,
    *,
    masks: Masks = NO_MASKS,
    labels: Tensor | None = None,
    inside: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Summed cross-entropy in nats of one step of truncated BPTT, and the state to carry on.

    Every reader pays for `targets` (T, B); those that start afresh (their numbers, `starts` (n,)) also pay for their
    very first character, predicted from the learned initial state. Of documents, with `labels` (B,), only the targets
    at the places `inside` (m,) of the flattened (T * B,) count; the others are padding.
    """
    hidden, after = network.read(ids, state, masks, labels)
    rows, wanted = hidden.flatten(0, 1), targets.flatten()
    if inside is not None:
        rows, wanted = rows.index_select(0, inside), wanted.index_select(0, inside)
    loss = output_loss(rows, network.decoder.weight, network.decoder.bias, wanted)
    if len(starts):
        loss = loss + first_loss(network, ids[0], state, starts, masks)
    return loss, after


def first_loss(network: CharRNN, ids: Tensor, state: State, starts: Tensor, masks: Masks) -> Tensor:
    """Summed nats of the first characters, among ids (B,), of the readers `starts` (n,) that begin with `state`."""
    return F.cross_entropy(network.next_logits(state, masks)[starts], ids[starts], reduction="sum")
