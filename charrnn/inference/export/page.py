r"""The page: a model as one HTML file that writes in a browser, from a disk or any host, with no network.

Everything of the model's is data in it, never markup: JSON in which the characters that HTML could take for its own
are written as \u003c, and weights in base64. The page's policy lets no script and no style run but its own, and
connects to nothing.

The page has two scripts, joined from files of `web/` in the order in which they use each other. The engine runs in a
worker made from its own text, or in the page itself where a browser allows no such worker.
"""

import base64
import datetime as dt
import gzip
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np

from charrnn.errors import ModelFileError
from charrnn.inference.markup import content_hash, embed_json, escape_text, printable
from charrnn.model.config import LabelledConfig, Tensors
from charrnn.model.header import CLASSIFY, ModelHeader
from charrnn.text.vocabulary import vocabulary_from_json
from charrnn.text.vocabulary.words import LONGEST, RUNS, letter_ranges

ENGINE = ("kernel", "network", "sampling", "vocabulary", "engine")
APPLICATION = ("controls", "client", "editor", "main")
LARGEST_EXPONENT = 15  # 2**15 is a half, 2**16 is none
PIECE_BYTES = 3 * 2**20  # of text; browsers limit how long a piece may be
UNITS = {"char": "characters", "byte": "bytes", "word": "words and punctuation marks"}
LARGEST_NUMBER = 2**53  # of a training summary; larger ones are not shown


def build_page(title: str, header: ModelHeader, tensors: Tensors, file_date: str | None = None) -> bytes:
    """The page of a language model, as UTF-8.

    Args:
        title: its heading.
        header: what the model file says.
        tensors: its weights.
        file_date: when the file was written (ISO 8601).

    Raises:
        ModelFileError: if the model is a classifier, which writes nothing, or its vocabulary is damaged.
    """
    if header.task == CLASSIFY:
        raise ModelFileError(f"{title} is a classifier, which does not generate text; export a language model")
    layout, weights = pack_weights(tensors, header.config.shapes())
    model = {
        "title": printable(title),
        "config": _describe_config(header),
        "layout": layout,
        "vocabulary": _describe_vocabulary(header),
        "labels": list(header.labels),
        "label": _find_likeliest_label(header),
        "facts": describe_model(header, file_date),
        "wasm": base64.b64encode(_locate("kernel.wasm").read_bytes()).decode(),
    }
    engine = f'"use strict";\nconst engine = (() => {{\n{join_scripts(ENGINE)}return {{ serve }};\n}})();\n'
    parts = {"ENGINE": engine, "APPLICATION": join_scripts(APPLICATION), "STYLE": _read("page.css")}
    filled = _read("page.html").replace("@TITLE@", escape_text(title).replace("@", "&#64;"))
    for name, part in parts.items():
        filled = filled.replace(f"@{name}_HASH@", content_hash(part))
    for name, part in parts.items():
        filled = filled.replace(f"@{name}@", part)
    # What comes from the model goes in last, so that nothing in it is taken for a place.
    before, between, behind = re.split("@MODEL@|@WEIGHTS@", filled)
    pieces = "\n".join(f'<script type="text/plain" class="weights">{piece}</script>' for piece in weights)
    return f"{before}{embed_json(model)}{between}{pieces}{behind}".encode()


def join_scripts(names: tuple[str, ...]) -> str:
    """The files of these names as one script with one scope."""
    return "".join(_read(f"{name}.js") for name in names)


def _read(name: str) -> str:
    return _locate(name).read_text(encoding="utf-8")


def _locate(name: str) -> Traversable:
    return resources.files("charrnn.inference.export").joinpath("web", name)


def _describe_config(header: ModelHeader) -> dict[str, Any]:
    config = header.config
    return {
        "cell": config.cell,
        "layers": config.layers,
        "hidden": config.hidden_size,
        "embedding": config.embedding_size,
        "vocab": config.vocab_size,
        "classes": config.classes if isinstance(config, LabelledConfig) else 0,
    }


def _describe_vocabulary(header: ModelHeader) -> dict[str, Any]:
    """The vocabulary as the model file has it, once checked; for words, what they are made of."""
    vocabulary = vocabulary_from_json(header.vocabulary, header.config.vocab_size)
    if not vocabulary.multi_character:
        return vocabulary.to_json()
    ranges = [code for each in letter_ranges() for code in each]
    return {**vocabulary.to_json(), "letters": {"ranges": ranges, "runs": RUNS, "longest": LONGEST}}


def _find_likeliest_label(header: ModelHeader) -> int:
    counts = header.label_counts
    return max(range(len(counts)), key=counts.__getitem__) if counts else 0


def pack_weights(tensors: Tensors, names: Iterable[str]) -> tuple[list[tuple[str, int, int]], list[str]]:
    """The tensors of these names: (name, size, exponent of the scale) of each, and all weights as pieces of base64.

    Half precision, a power of two as each tensor's scale, packed with gzip. Scaled so, the largest weight of a tensor
    lies just below the largest half; what was in half precision already keeps every bit, and a weight of any size has a
    place. All low bytes come before all high ones, which packs better.
    """
    layout, halves = [], []
    for name in names:
        values = tensors[name]
        _, exponent = np.frexp(np.abs(values).max(initial=0.0))
        shift = int(exponent) - LARGEST_EXPONENT
        layout.append((name, int(values.size), shift))
        # In double precision, for the scale of tiny weights is no float32.
        halves.append(np.ldexp(values.astype(np.float64), -shift).astype("<f2").ravel())
    planes = np.concatenate(halves).view(np.uint8).reshape(-1, 2).T
    packed = gzip.compress(planes.tobytes(), compresslevel=6, mtime=0)
    pieces = (packed[at : at + PIECE_BYTES] for at in range(0, len(packed), PIECE_BYTES))
    return layout, [base64.b64encode(piece).decode() for piece in pieces]


def describe_model(header: ModelHeader, file_date: str | None = None) -> list[tuple[str, str]]:
    """Names and values to show. All of them are text that may come from a stranger: escape it.

    Args:
        header: of the model file.
        file_date: when the file was written (ISO 8601), for a model that does not say when it learned.
    """
    config, training = header.config, header.training
    layers = "1 layer" if config.layers == 1 else f"{config.layers} layers"
    units = UNITS.get(str(header.vocabulary.get("tokens")), "symbols")
    rows = [
        ("Network", f"{config.cell.upper()}, {layers} of {config.hidden_size:,} units"),
        ("Weights", f"{config.parameters:,}"),
        ("Vocabulary", f"{config.vocab_size:,} {units}"),
    ]
    if header.labels:
        rows.append(("Labels", f"{len(header.labels):,}"))
    corpus, chars, epochs = training.get("corpus"), _get_number(training, "chars"), _get_number(training, "epochs")
    if isinstance(corpus, str) and corpus:
        read = f", read {epochs:.1f} times" if epochs else ""
        rows.append(("Training text", corpus + read))
    elif chars:
        rows.append(("Training text", f"{chars:,.0f} characters"))
    loss = _get_number(training, "valid_loss")
    if loss is not None:
        choices = math.exp(min(loss, 30.0))
        bits = f"{loss / math.log(2):.2f} bits, like a choice among {choices:.1f}"
        rows.append(("Held-out loss", f"{loss:.3f} nats per character ({bits})"))
    learned = training.get("date")
    if isinstance(learned, str) and learned:
        rows.append(("Training date", _format_date(learned)))
    elif file_date:
        rows.append(("File dated", _format_date(file_date)))
    return rows


def _format_date(text: str) -> str:
    """`_format_date("2026-03-01") == "1 March 2026"`; what is no such date stays as it is."""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        return text
    return f"{date.day} {date:%B %Y}"


def _get_number(training: dict[str, Any], name: str) -> float | None:
    """A number of the training summary, if it is one that can be shown."""
    value = training.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_NUMBER:
        return None
    return float(value)


def render_facts(header: ModelHeader) -> str:
    """The facts of a model as an HTML table."""
    rows = (
        f"<tr><th>{escape_text(name)}</th><td>{escape_text(value)}</td></tr>" for name, value in describe_model(header)
    )
    return f"<table>{''.join(rows)}</table>"


@dataclass(frozen=True)
class Frame:
    """A page that a notebook shows in a frame of its own.

    Attributes:
        html: the whole page, which can also be written to a file (UTF-8).
        height: of the frame, in pixels.
    """

    html: str
    height: int

    @classmethod
    def of_model(cls, header: ModelHeader, tensors: Tensors, title: str | None, height: int) -> "Frame":
        """The page of a model; without a title, under the name of its corpus."""
        corpus = header.training.get("corpus")
        name = title or (corpus if isinstance(corpus, str) and corpus else "a model")
        return cls(build_page(name, header, tensors).decode(), height)

    def _repr_html_(self) -> str:
        """The frame; what runs in it cannot reach the notebook."""
        attributes = 'sandbox="allow-scripts allow-downloads" allow="clipboard-write" style="width: 100%; border: 0"'
        return f'<iframe {attributes} height="{self.height:d}" srcdoc="{escape_text(self.html)}"></iframe>'
