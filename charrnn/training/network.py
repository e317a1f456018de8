"""The network in PyTorch, as it is trained.

    ids (T, B) -> embedding or one-hot (T, B, E or V) -> L recurrent layers (T, B, H) -> decoder (T, B, V)

`named_weights` gives the names of the model file, and `charrnn.inference.network` computes the same in NumPy.
Dropout acts between layers and before the decoder, never on the state; a unit that is dropped stays dropped
for all of a step's characters (variational dropout: Gal and Ghahramani 2016, arXiv 1512.05287).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that everyone uses

from charrnn.model import LabelledConfig, ModelConfig, Tensors
from charrnn.training.loss import output_loss

State = tuple[Tensor, ...]  # hidden (L, B, H), and for the LSTM cell (L, B, H)
Masks = tuple[Tensor, ...]  # for each layer what its output is multiplied by, (1, B, H); empty: no dropout
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class CharRNN(nn.Module):
    """A character language model.

    Args:
        config: sizes.
        dropout: share of units dropped between layers and before the decoder.
    """

    def __init__(self, config: ModelConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size) if config.embedding_size else None
        self.rnn = nn.ModuleList(
            CELLS[config.cell](config.hidden_size if layer else config.input_size, config.hidden_size)
            for layer in range(config.layers)
        )
        self.dropout = dropout
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)
        self.label = nn.Embedding(config.classes, config.input_size) if isinstance(config, LabelledConfig) else None
        shape = config.shapes()["initial_hidden"]
        self.initial_hidden = nn.Parameter(torch.zeros(shape))
        self.initial_cell = nn.Parameter(torch.zeros(shape)) if config.cell == "lstm" else None

    def initial_state(self, batch: int, labels: Tensor | None = None) -> State:
        """The learned initial state for `batch` streams, of these labels (B,) if it has any.

        Tensors (L, B, H) that gradients flow through.
        """
        learned = [self.initial_hidden] + ([self.initial_cell] if self.initial_cell is not None else [])
        if labels is not None:
            return tuple(part[labels].transpose(0, 1).contiguous() for part in learned)
        return tuple(part[:, None, :].expand(-1, batch, -1).contiguous() for part in learned)

    def restarted(self, state: State, fresh: Tensor, labels: Tensor | None = None) -> State:
        """`state` with the streams marked in `fresh` (B,) put back to the learned initial state."""
        mask = fresh[None, :, None]
        initial = self.initial_state(len(fresh), labels)
        return tuple(torch.where(mask, new, old) for new, old in zip(initial, state, strict=True))

    def draw_masks(self, batch: int) -> Masks:
        """Dropout for one step of learning: zeros for each layer's dropped units (1, B, H), the others scaled up."""
        if not self.dropout:
            return ()
        kept = 1.0 - self.dropout
        shape = (self.config.layers, 1, batch, self.config.hidden_size)
        return tuple(self.decoder.weight.new_empty(shape).bernoulli_(kept).div_(kept))

    def forward(
        self, ids: Tensor, state: State, masks: Masks = (), labels: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read ids (T, B) from a state; scores (T, B, V) of the symbol after each, and the state after all."""
        hidden, state = self.read(ids, state, masks, labels)
        return self.decoder(hidden), state

    def read(self, ids: Tensor, state: State, masks: Masks = (), labels: Tensor | None = None) -> tuple[Tensor, State]:
        """Top hidden states (T, B, H) along ids (T, B), dropout applied, and the state after all."""
        if self.embedding is not None:
            inputs = self.embedding(ids)
        else:
            inputs = F.one_hot(ids, self.config.vocab_size).to(self.decoder.weight.dtype)
        if self.label is not None:
            inputs = inputs + self.label(labels)
        hidden, after = inputs, []
        for k, layer in enumerate(self.rnn):
            before = tuple(part[k : k + 1] for part in state)
            if self.config.cell == "lstm":
                hidden, last = layer(hidden, before)
            else:
                hidden, last = layer(hidden, before[0])
                last = (last,)
            hidden = hidden * masks[k] if masks else hidden
            after.append(last)
        return hidden, tuple(torch.cat(parts) for parts in zip(*after, strict=True))

    def next_logits(self, state: State, masks: Masks = ()) -> Tensor:
        """Scores (B, V) of the symbol that follows what `state` has read; at the start, of the first one."""
        hidden = state[0][-1]
        scores: Tensor = self.decoder(hidden * masks[-1][0] if masks else hidden)
        return scores

    def named_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every weight with its name in the model file: `rnn.1.bias_hh_l0` is `rnn.bias_hh_l1` there."""
        for name, parameter in self.named_parameters():
            place = name.split(".")
            yield (f"rnn.{place[2].removesuffix('0')}{place[1]}" if place[0] == "rnn" else name), parameter

    def export(self) -> Tensors:
        """The weights as the model file holds them, copied."""
        return {name: np.array(p.detach().cpu().numpy(), dtype=np.float32) for name, p in self.named_weights()}

    def adopt(self, tensors: Tensors) -> None:
        """Take over weights as `export` gives them."""
        with torch.no_grad():
            for name, parameter in self.named_weights():
                parameter.copy_(torch.from_numpy(tensors[name]))


def detached(state: State) -> State:
    """The state without its history: gradients stop here, which is what truncates BPTT."""
    return tuple(part.detach() for part in state)


def sequence_loss(
    network: CharRNN,
    ids: Tensor,
    targets: Tensor,
    state: State,
    fresh: Tensor,
    masks: Masks = (),
    labels: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Summed cross-entropy in nats of one step of truncated BPTT, and the state to carry on.

    Every reader pays for `targets` (T, B); those that start afresh (`fresh`, (B,)) also pay for their very
    first character, predicted from the learned initial state. Of documents, with `labels` (B,), targets below 0
    are padding, and cost nothing.
    """
    hidden, after = network.read(ids, state, masks, labels)
    rows, wanted = hidden.flatten(0, 1), targets.flatten()
    if labels is not None:
        rows, wanted = rows[wanted >= 0], wanted[wanted >= 0]
    loss = output_loss(rows, network.decoder.weight, network.decoder.bias, wanted)
    if bool(fresh.any()):
        loss = loss + F.cross_entropy(network.next_logits(state, masks)[fresh], ids[0][fresh], reduction="sum")
    return loss, after
