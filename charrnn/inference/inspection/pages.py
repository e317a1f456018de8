r"""HTML pages, each one file that needs no network and opens from disk.

A page is `templates/base.html` with the style, body and script of a template of its own. Data of the user's is never
markup: it is one JSON object of code points and packed numbers, in which characters with a meaning in HTML are written
as \u003c. The content security policy lets no script run but the page's own.

States are 8-bit numbers there, which is finer than colours can show.
"""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.classification.classifier import Classifier
from charrnn.inference.inspection.course import Course
from charrnn.inference.inspection.finding import Finding
from charrnn.inference.inspection.tracing import GATE_NAMES, ReadText, Trace
from charrnn.inference.markup import content_hash, embed_json, escape_text
from charrnn.inference.network.language import Floats, Network
from charrnn.text.vocabulary.base import Vocabulary

MOST_SHOWN = 2000  # characters, unless their states are larger than
MAX_STATES = 5_500_000  # bytes, which base64 makes a third longer
MOST_MAPPED = 1000  # symbols on the map; of a larger vocabulary only those in the text
CURVES = 5  # classes that the page draws of each text
SHUT, OPEN = 0.1, 0.9  # below and above which a gate is nearly so


def render_page(name: str, title: str, data: dict[str, Any]) -> bytes:
    """The page of the template `templates/NAME.html`, in ASCII."""
    folder = resources.files("charrnn.inference.inspection").joinpath("templates")
    base, part = (folder.joinpath(f"{file}.html").read_text(encoding="utf-8") for file in ("base", name))
    style, _, rest = part.removeprefix("<style>\n").partition("</style>\n")
    body, _, script = rest.partition("<script>\n")
    page = base.replace("@STYLE@", style).replace("@BODY@", body)
    page = page.replace("@SCRIPT@", script.removesuffix("</script>\n"))
    script_hash = content_hash(page.rpartition("<script>")[2].partition("</script>")[0])
    before, after = page.split("@DATA@")  # before the title and data are filled in, which may hold the word, too
    before = before.replace("@HASH@", script_hash).replace("@TITLE@", escape_text(title))
    return f"{before}{embed_json(data)}{after}".encode("ascii", "xmlcharrefreplace")


def pack(values: NDArray[Any]) -> dict[str, Any]:
    """An array as its type and its bytes in base64; `unpack` in the page reads it."""
    little = values.astype(values.dtype.newbyteorder("<"))
    return {"type": values.dtype.name, "data": base64.b64encode(little.tobytes()).decode()}


def render_courses(title: str, courses: Sequence[Course], model: Classifier) -> bytes:
    """The HTML page of some texts, with the curves of their likeliest classes."""
    texts = []
    for course in courses:
        ranked = np.argsort(-course.probabilities.max(axis=0), kind="stable")[:CURVES].tolist()
        chosen = sorted({course.label, *ranked}, key=lambda label: -course.probabilities[-1, label])
        texts.append(
            {
                "parts": course.parts,
                "label": chosen.index(course.label),
                "explanation": course.explanation,
                "classes": [model.labels[label] for label in chosen],
                "probabilities": pack(course.probabilities[:, chosen].T.astype(np.float32)),
            }
        )
    return render_page("course", title, {"texts": texts, "bytes": model.vocabulary.binary})


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

    saturation = {}
    for name, gate in gates.items():
        shut, opened = measure_saturation(gate)
        saturation[name] = {"shut": np.round(shut, 4).tolist(), "open": np.round(opened, 4).tolist()}
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
        "saturation": {
            name: dict(
                zip(("shut", "open"), (np.round(share, 4).tolist() for share in measure_saturation(gate)), strict=True)
            )
            for name, gate in gates.items()
        },
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


def measure_saturation(gate: Floats) -> tuple[Floats, Floats]:
    """Shares of time (L, H) that each unit's gate (L, T, H) is nearly shut and nearly open.

    Left- and right-saturated in "Visualizing and Understanding Recurrent Networks" (Karpathy, Johnson, Li 2015, arXiv
    1506.02078). A unit whose forget gate is always open remembers; one whose gate never is forgets at every step.
    """
    return (gate < SHUT).mean(axis=1, dtype=np.float32), (gate > OPEN).mean(axis=1, dtype=np.float32)


def _map_symbols(network: Network, vocabulary: Vocabulary, read: ReadText) -> dict[str, Any]:
    projected, shares = project_vectors(symbol_vectors(network))
    ids = np.arange(len(vocabulary)) if len(vocabulary) <= MOST_MAPPED else np.unique(read.ids)
    places = np.round(projected[ids].astype(np.float64), 4).tolist()
    return {"codes": vocabulary.codes[ids], "places": places, "shares": shares}


def symbol_vectors(network: Network) -> Floats:
    """The vector of each symbol: (V, E), or (V, G*H) for one-hot input."""
    if network.config.embedding_size:
        return network.tensors["embedding.weight"]
    return network.tensors["rnn.weight_ih_l0"].T


def project_vectors(vectors: Floats) -> tuple[Floats, tuple[float, float]]:
    """Vectors (V, K) on their first two principal axes (V, 2), and the share of all variance that each axis shows.

    Signs are such that the largest entry on each axis is positive.
    """
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
    return places.astype(np.float32), (float(shares[0]), float(shares[1]))
