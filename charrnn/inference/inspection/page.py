r"""The page: a trace as one HTML file that needs no network and opens from disk.

Everything of the user's is data in it, never markup: one JSON object of code points and packed numbers, in which the
characters that HTML could take for its own are written as \u003c. The page's policy lets no script run but its own.
States are kept as 8-bit numbers, which is finer than colours can show.
"""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.inspection.finding import Finding
from charrnn.inference.inspection.saturation import saturation
from charrnn.inference.inspection.tracing import ReadText, Trace
from charrnn.inference.inspection.vectors import character_vectors, vector_map
from charrnn.inference.markup import content_hash, embed_json, escape_text
from charrnn.inference.network.language import Floats, Network
from charrnn.text.vocabulary.base import Vocabulary

SHOWN = 2000  # characters, if their states are no more than this:
MAX_STATES = 5_500_000  # bytes, which base64 makes a third longer
MAPPED = 1000  # symbols on the map; of a larger vocabulary only those in the text
NAMES = {"input": "input gate", "forget": "forget gate", "output": "output gate"} | {
    "reset": "reset gate",
    "update": "update gate",
}


@dataclass(frozen=True)
class View:
    """What the page shows first."""

    layer: int
    unit: int
    state: str


def shown_characters(trace: Trace) -> int:
    """How many characters a page shows if nobody says: as many as keep it below 8 MB."""
    layers, total, size = trace.hidden.shape
    kinds = 1 + (trace.cell is not None) + sum(name in NAMES for name in trace.gates)
    return int(max(1, min(total, SHOWN, MAX_STATES // (layers * size * kinds))))


def page(
    title: str,
    network: Network,
    vocabulary: Vocabulary,
    read: ReadText,
    trace: Trace,
    findings: Sequence[Finding],
    view: View,
    shown: int,
) -> bytes:
    """The page of the first `shown` characters; saturation is that of all characters."""
    config = network.config
    series = {"hidden": _signed(trace.hidden[:, :shown])}
    if trace.cell is not None:
        series["cell"] = _signed(trace.cell[:, :shown])
    gates = {name: gate for name, gate in trace.gates.items() if name in NAMES}
    for name, gate in gates.items():
        series[NAMES[name]] = _packed(np.rint(gate[:, :shown] * 255).astype(np.uint8))
    about = (
        f"{config.cell} {config.layers}x{config.hidden_size}, {config.parameters:,} parameters; "
        f"{min(shown, len(read.codes)):,} of the {len(read.codes):,} {vocabulary.units} read"
    )
    mapped = _map(network, vocabulary, read)
    words, (codes, likeliest, mapped_codes) = vocabulary.to_numbers(
        read.codes[:shown], vocabulary.codes[trace.likeliest[:shown]], mapped["codes"]
    )
    data = {
        "about": about,
        "bytes": vocabulary.binary,
        "words": words,
        "layers": config.layers,
        "units": config.hidden_size,
        "codes": codes.tolist(),
        "series": series,
        "nats": _packed(trace.nats[:shown]),
        "likeliest": _packed(likeliest),
        "probabilities": _packed(trace.probabilities[:shown]),
        "saturation": {name: _shares(gate) for name, gate in gates.items()},
        "map": {**mapped, "codes": mapped_codes.tolist()},
        "findings": [asdict(found) for found in findings],
        "found_in": view.state,
        "start": {"layer": view.layer, "unit": view.unit, "values": view.state},
    }
    return filled(title, data)


def filled(title: str, data: dict[str, Any], name: str = "page.html") -> bytes:
    """The template of that name with the title, the data and the script's hash in their places."""
    template = resources.files("charrnn.inference.inspection").joinpath(name).read_text(encoding="utf-8")
    script = template.rpartition("<script>")[2].partition("</script>")[0]
    # The data goes in last, so that nothing in it is taken for a place.
    begin, end = template.split("@DATA@")
    begin = begin.replace("@HASH@", content_hash(script)).replace("@TITLE@", escape_text(title))
    return f"{begin}{embed_json(data)}{end}".encode()


def _packed(values: NDArray[Any]) -> dict[str, Any]:
    little = values.astype(values.dtype.newbyteorder("<"))
    return {"type": values.dtype.name, "data": base64.b64encode(little.tobytes()).decode()}


def _signed(values: Floats) -> dict[str, Any]:
    """States (L, T, H) as 8-bit numbers of which 127 is a unit's largest amount along the text, but no less than 1."""
    tops = np.round(np.maximum(1.0, np.abs(values).max(axis=1).astype(np.float64)) + 5e-5, 4)  # (L, H)
    return {**_packed(np.rint(values * (127 / tops[:, None])).astype(np.int8)), "tops": tops.tolist()}


def _shares(gate: Floats) -> dict[str, Any]:
    found = saturation(gate)
    return {"shut": np.round(found.shut, 4).tolist(), "open": np.round(found.open, 4).tolist()}


def _map(network: Network, vocabulary: Vocabulary, read: ReadText) -> dict[str, Any]:
    found = vector_map(character_vectors(network))
    ids = np.arange(len(vocabulary)) if len(vocabulary) <= MAPPED else np.unique(read.ids)
    places = np.round(found.places[ids].astype(np.float64), 4).tolist()
    return {"codes": vocabulary.codes[ids], "places": places, "shares": found.shares}
