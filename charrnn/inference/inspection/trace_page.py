"""The HTML page of a trace. States are 8-bit numbers in it, which is finer than colours can show."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from charrnn.inference.inspection.finding import Finding
from charrnn.inference.inspection.pages import pack, render_page
from charrnn.inference.inspection.tracing import GATE_NAMES, ReadText, Trace
from charrnn.inference.network.language import Floats, Network
from charrnn.text.vocabulary.base import Vocabulary

MOST_SHOWN = 2000  # characters, unless their states are larger than
MAX_STATES = 5_500_000  # bytes, which base64 makes a third longer
MOST_MAPPED = 1000  # symbols on the map; of a larger vocabulary only those in the text
SHUT, OPEN = 0.1, 0.9  # below and above which a gate is nearly so


@dataclass(frozen=True)
class View:
    """The unit and state that the page shows first."""

    layer: int
    unit: int
    state: str


def default_length(trace: Trace) -> int:
    """The number of characters that a page shows by default, which keeps it below 8 MB."""
    layers, total, size = trace.hidden.shape
    kinds = 1 + (trace.cell is not None) + sum(name in GATE_NAMES for name in trace.gates)
    return int(max(1, min(total, MOST_SHOWN, MAX_STATES // (layers * size * kinds))))


def render_trace(
    title: str,
    network: Network,
    vocabulary: Vocabulary,
    read: ReadText,
    trace: Trace,
    findings: Sequence[Finding],
    view: View,
    shown: int,
) -> bytes:
    """The page of the first `shown` characters of a trace; saturation is that of all characters."""
    config = network.config
    series = {"hidden": _pack_states(trace.hidden[:, :shown])}
    if trace.cell is not None:
        series["cell"] = _pack_states(trace.cell[:, :shown])
    gates = {name: gate for name, gate in trace.gates.items() if name in GATE_NAMES}
    for name, gate in gates.items():
        series[GATE_NAMES[name]] = pack(np.rint(gate[:, :shown] * 255).astype(np.uint8))

    about = (
        f"{config.cell} {config.layers}x{config.hidden_size}, {config.parameters:,} parameters; "
        f"{min(shown, len(read.codes)):,} of the {len(read.codes):,} {vocabulary.units} read"
    )
    symbol_map = _map_symbols(network, vocabulary, read)
    words, (codes, likeliest, map_codes) = vocabulary.to_numbers(
        read.codes[:shown], vocabulary.codes[trace.likeliest[:shown]], symbol_map["codes"]
    )
    data = {
        "about": about,
        "bytes": vocabulary.binary,
        "words": words,
        "layers": config.layers,
        "units": config.hidden_size,
        "codes": codes.tolist(),
        "series": series,
        "nats": pack(trace.nats[:shown]),
        "likeliest": pack(likeliest),
        "probabilities": pack(trace.probabilities[:shown]),
        "saturation": {name: _measure_shares(gate) for name, gate in gates.items()},
        "map": {**symbol_map, "codes": map_codes.tolist()},
        "findings": [asdict(finding) for finding in findings],
        "found_in": view.state,
        "start": {"layer": view.layer, "unit": view.unit, "values": view.state},
    }
    return render_page("trace", title, data)


def _pack_states(values: Floats) -> dict[str, Any]:
    """States (L, T, H) as 8-bit numbers, where 127 is a unit's largest magnitude along the text, at least 1."""
    tops = np.round(np.maximum(1.0, np.abs(values).max(axis=1).astype(np.float64)) + 5e-5, 4)  # (L, H)
    return {**pack(np.rint(values * (127 / tops[:, None])).astype(np.int8)), "tops": tops.tolist()}


@dataclass(frozen=True)
class Saturation:
    """Shares of time (L, H) that each unit's gate is nearly shut and nearly open."""

    shut: Floats
    open: Floats


def measure_saturation(gate: Floats) -> Saturation:
    """The saturation of one gate along a text, (L, T, H).

    Left- and right-saturated in "Visualizing and Understanding Recurrent Networks" (Karpathy, Johnson, Li 2015, arXiv
    1506.02078). A unit whose forget gate is always open remembers; one whose gate never is forgets at every step.
    """
    shut = (gate < SHUT).mean(axis=1, dtype=np.float32)
    return Saturation(shut, (gate > OPEN).mean(axis=1, dtype=np.float32))


def _measure_shares(gate: Floats) -> dict[str, Any]:
    saturation = measure_saturation(gate)
    return {"shut": np.round(saturation.shut, 4).tolist(), "open": np.round(saturation.open, 4).tolist()}


def _map_symbols(network: Network, vocabulary: Vocabulary, read: ReadText) -> dict[str, Any]:
    projection = project_vectors(symbol_vectors(network))
    ids = np.arange(len(vocabulary)) if len(vocabulary) <= MOST_MAPPED else np.unique(read.ids)
    places = np.round(projection.places[ids].astype(np.float64), 4).tolist()
    return {"codes": vocabulary.codes[ids], "places": places, "shares": projection.shares}


@dataclass(frozen=True)
class Projection:
    """Vectors projected to places (V, 2), and the shares of all variance that the two axes show."""

    places: Floats
    shares: tuple[float, float]


def symbol_vectors(network: Network) -> Floats:
    """The vector of each symbol: (V, E), or (V, G*H) for one-hot input."""
    if network.config.embedding_size:
        return network.tensors["embedding.weight"]
    return network.tensors["rnn.weight_ih_l0"].T


def project_vectors(vectors: Floats) -> Projection:
    """The first two principal components of vectors (V, K), with signs that make each one's largest entry positive."""
    centred = vectors.astype(np.float64)
    centred -= centred.mean(axis=0)
    # Eigenvectors of the smaller of the two product matrices: V x V or K x K.
    wide = centred.shape[1] > centred.shape[0]
    values, directions = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    values = np.maximum(values[::-1], 0.0)
    directions = directions[:, ::-1][:, :2]
    places = directions * np.sqrt(values[:2]) if wide else centred @ directions
    places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    strongest = np.abs(places).argmax(axis=0)
    places *= np.where(places[strongest, [0, 1]] < 0, -1.0, 1.0)
    shares = np.pad(values, (0, 1))[:2] / max(float(values.sum()), 1e-30)
    return Projection(places.astype(np.float32), (float(shares[0]), float(shares[1])))
