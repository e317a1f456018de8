"""Tracing: all states and gates of a network while it reads a text.

    trace = trace_network(network, read)
    trace.hidden[0, t, 7]               # unit 7 of the first layer, after character t
    trace.gates["forget"][0, t, 7]      # its forget gate, while it read that character
    trace.nats[t]                       # -ln p of character t

The network computes the hidden states. With them, a layer's input and its previous state are known for all steps of a
chunk, so one product gives all gates of the chunk.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import InspectionError
from charrnn.inference.generation.sampling import log_softmax
from charrnn.inference.network.language import Floats, Network, State, sigmoid
from charrnn.text.vocabulary.base import UNKNOWN, Ids, Vocabulary

CHUNK = 256  # time steps
LIKELIEST = 5  # next characters whose probabilities are kept
PARTS = {  # gates and candidates of each cell, in PyTorch's order
    "lstm": ("input", "forget", "candidate", "output"),
    "gru": ("reset", "update", "candidate"),
    "rnn": (),
}
GATE_NAMES = {name: f"{name} gate" for name in ("input", "forget", "output", "reset", "update")}


@dataclass(frozen=True)
class ReadText:
    """The part of a text that a model can read.

    Attributes:
        codes: code points, byte values or words (T,).
        ids: the ids that are read for them (T,).
        counted: whether each has a probability (T,); rare characters that were merged have none.
        parts: each code as text (T,); a byte is the character with its number (Latin-1).
        skipped: the unknown codes that were left out.
    """

    codes: NDArray[Any]
    ids: Ids
    counted: NDArray[np.bool_]
    parts: list[str]
    skipped: NDArray[Any]

    @property
    def text(self) -> str:
        """All parts joined."""
        return "".join(self.parts)

    @property
    def ends(self) -> NDArray[np.int64]:
        """The index in the text of each part's last character (T,)."""
        return np.cumsum([len(part) for part in self.parts]) - 1


@dataclass(frozen=True)
class Trace:
    """The values computed along T characters.

    Attributes:
        hidden: (L, T, H), after each character.
        cell: (L, T, H), the LSTM's.
        gates: by name of `PARTS`, (L, T, H) each, computed while each character is read; candidates too.
        nats: -ln p of each character (T,); NaN where it has no probability.
        likeliest, probabilities: the K likeliest next symbols after each character (T, K), in falling order.
    """

    hidden: Floats
    cell: Floats | None
    gates: dict[str, Floats]
    nats: Floats
    likeliest: NDArray[np.int64]
    probabilities: Floats

    def states(self, name: str) -> Floats:
        """The "hidden" or "cell" states (L, T, H); InspectionError if the network has none."""
        if name == "hidden":
            return self.hidden
        if self.cell is None:
            raise InspectionError("only an LSTM has a cell state, and this model is not an LSTM; use --state hidden")
        return self.cell


def read_text(vocabulary: Vocabulary, codes: NDArray[Any], *, skip_unknown: bool) -> ReadText:
    """The part of a text that the model can read.

    Raises:
        InspectionError: if there are unknown characters that are not to be skipped, or nothing is left.
    """
    ids, counted = vocabulary.readable_ids(codes)
    known = ids != UNKNOWN
    if not known.all() and not skip_unknown:
        raise InspectionError(
            f"the model has never seen {vocabulary.describe_unknown(codes)}; change the text, or use --unknown skip "
            "to leave out such characters"
        )
    if not known.any():
        raise InspectionError("the text contains no character that the model knows: nothing to inspect")
    return ReadText(codes[known], ids[known], counted[known], vocabulary.to_strings(codes[known]), codes[~known])


def trace_network(network: Network, read: ReadText, progress: Callable[[int, int], None] | None = None) -> Trace:
    """The trace of a network that reads a text from the learned initial state."""
    config, total = network.config, len(read.ids)
    shape = (config.layers, total, config.hidden_size)
    keep = min(LIKELIEST, config.vocab_size)
    trace = Trace(
        hidden=np.empty(shape, dtype=np.float32),
        cell=np.empty(shape, dtype=np.float32) if config.cell == "lstm" else None,
        gates={name: np.empty(shape, dtype=np.float32) for name in PARTS[config.cell]},
        nats=np.empty(total, dtype=np.float32),
        likeliest=np.empty((total, keep), dtype=np.int64),
        probabilities=np.empty((total, keep), dtype=np.float32),
    )
    state = network.initial_state()
    for begin in range(0, total, CHUNK):
        if progress:
            progress(begin, total)
        _trace_chunk(network, read.ids, state, trace, slice(begin, min(begin + CHUNK, total)))
    trace.nats[~read.counted] = np.nan
    return trace


def _trace_chunk(network: Network, all_ids: Ids, state: State, trace: Trace, chunk: slice) -> None:
    """Read one chunk, advancing `state`, and write its values into `trace`."""
    before = state.copy()
    ids = all_ids[chunk]
    below: NDArray[Any] = ids[:, None]
    for layer, outputs in enumerate(network.read_layers(ids[:, None], state)):
        earlier = np.concatenate([before.hidden[layer][None], outputs[:-1]])  # (T, 1, H)
        parts = layer_gates(network, layer, below, earlier)
        for name, part in parts.items():
            trace.gates[name][layer, chunk] = part[:, 0]
        trace.hidden[layer, chunk] = outputs[:, 0]
        if trace.cell is not None and before.cell is not None:
            cell = before.cell[layer]
            for t in range(len(ids)):
                cell = parts["forget"][t] * cell + parts["input"][t] * parts["candidate"][t]
                trace.cell[layer, chunk.start + t] = cell[0]
        below = outputs
    scores = log_softmax(network.logits(np.concatenate([before.hidden[-1][None], outputs])[:, 0]))  # (T + 1, V)
    trace.nats[chunk] = -np.take_along_axis(scores[:-1], ids[:, None].astype(np.int64), axis=-1)[:, 0]
    likeliest = np.argsort(-scores[1:], axis=-1, kind="stable")[:, : trace.likeliest.shape[1]]
    trace.likeliest[chunk] = likeliest
    trace.probabilities[chunk] = np.exp(np.take_along_axis(scores[1:], likeliest, axis=-1))


def layer_gates(network: Network, layer: int, below: NDArray[Any], earlier: Floats) -> dict[str, Floats]:
    """The gates and candidates (T, B, H) of a layer, by name.

    `below` is the layer's input: ids (T, B), or the hidden states (T, B, H) of the layer below; `earlier` are its own
    hidden states (T, B, H) one step earlier.
    """
    size, cell = network.config.hidden_size, network.config.cell
    if cell == "rnn":
        return {}
    projected, recurrent = network.project_input(layer, below), network.project_state(layer, earlier)
    inputs = np.split(projected, range(size, projected.shape[-1], size), axis=-1)
    states = np.split(recurrent, range(size, recurrent.shape[-1], size), axis=-1)
    if cell == "lstm":
        summed = [own + old for own, old in zip(inputs, states, strict=True)]
        parts = [sigmoid(summed[0]), sigmoid(summed[1]), np.tanh(summed[2]), sigmoid(summed[3])]
    else:
        reset, update = (sigmoid(own + old) for own, old in zip(inputs[:2], states[:2], strict=True))
        inside = network.tensors[f"rnn.bias_hh_l{layer}"][2 * size :]
        parts = [reset, update, np.tanh(inputs[2] + reset * (states[2] + inside))]
    return dict(zip(PARTS[cell], parts, strict=True))


def collect_arrays(vocabulary: Vocabulary, read: ReadText, trace: Trace) -> dict[str, NDArray[np.generic]]:
    """All arrays by name: states and gates (L, T, H), then those of each character (T) and of the next ones (T, K)."""
    arrays: dict[str, NDArray[np.generic]] = {"hidden": trace.hidden}
    if trace.cell is not None:
        arrays["cell"] = trace.cell
    for name, values in trace.gates.items():
        arrays[GATE_NAMES.get(name, name).replace(" ", "_")] = values
    arrays["codes"] = read.codes.astype(vocabulary.export_type)
    arrays["nats"] = trace.nats
    arrays["next_codes"] = vocabulary.codes[trace.likeliest].astype(vocabulary.export_type)
    arrays["next_probabilities"] = trace.probabilities
    return arrays


def write_arrays(stream: BinaryIO, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write arrays as a compressed .npz file, which loads without pickle: none of them holds objects."""
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type] # of `allow_pickle`, which NumPy 1.26 has not
