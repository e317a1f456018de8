"""Models for pages: made-up weights that half precision holds exactly, of every kind that a file can hold."""

from pathlib import Path
from typing import Any

import numpy as np

from charrnn.inference.export.page import build_page
from charrnn.inference.labelled import LabelledModel
from charrnn.inference.loading import build_language_model
from charrnn.inference.model import Model
from charrnn.model.config import LabelledConfig, ModelConfig, Tensors
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.base import END, Vocabulary
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary
from charrnn.text.vocabulary.words import WordVocabulary, split_words

RHYME = "the cat sat on the mat.\nthe dog, it's said, ran off -- far away\n"
KINDS: dict[str, tuple[Vocabulary, dict[str, Any]]] = {
    "one-hot LSTM": (CharVocabulary.of_text(RHYME), {"cell": "lstm"}),
    "LSTM of two layers with an embedding": (CharVocabulary.of_text(RHYME), {"layers": 2, "embedding": 7}),
    "GRU of two layers": (CharVocabulary.of_text(RHYME), {"cell": "gru", "layers": 2, "hidden": 21}),
    "RNN of three layers": (CharVocabulary.of_text(RHYME), {"cell": "rnn", "layers": 3, "embedding": 4, "hidden": 33}),
    "bytes": (ByteVocabulary.of_text((RHYME + "é😀").encode()), {"cell": "gru", "embedding": 5}),
    "words": (WordVocabulary([*dict.fromkeys(split_words(RHYME)), "\ufffd"], unknown=len(set(split_words(RHYME)))), {}),
    "merged characters": (CharVocabulary(sorted({*map(ord, RHYME), 0xFFFD}), unknown=len(set(RHYME))), {}),
}


def draw_weights(config: ModelConfig) -> Tensors:
    draw = np.random.default_rng(5)
    scale = config.hidden_size**-0.5
    tensors = {name: draw.standard_normal(shape) * scale for name, shape in config.shapes().items()}
    tensors["decoder.weight"] *= 6
    return {name: tensor.astype(np.float16).astype(np.float32) for name, tensor in tensors.items()}


def make_kind(name: str) -> tuple[ModelHeader, Tensors]:
    vocabulary, sizes = KINDS[name]
    cell, layers, hidden = sizes.get("cell", "lstm"), sizes.get("layers", 1), sizes.get("hidden", 24)
    config = ModelConfig(cell, layers, hidden, sizes.get("embedding", 0), len(vocabulary))
    return ModelHeader(config, vocabulary.to_json(), {"corpus": "rhyme"}), draw_weights(config)


def make_labelled(labels: tuple[str, ...], cell: str = "lstm") -> tuple[ModelHeader, Tensors]:
    """Of documents that hold no line ends."""
    codes = sorted({END, *map(ord, RHYME.replace("\n", ""))})
    vocabulary = CharVocabulary(codes, end=0)
    config = LabelledConfig(cell, 2, 20, 6, len(vocabulary), len(labels))
    counts = tuple(range(1, len(labels) + 1))
    return ModelHeader(config, vocabulary.to_json(), labels=labels, label_counts=counts), draw_weights(config)


def build_model(header: ModelHeader, tensors: Tensors) -> Model | LabelledModel:
    return build_language_model(header, tensors)


def write_page(folder: Path, header: ModelHeader, tensors: Tensors, title: str = "rhyme") -> Path:
    file = folder / "page.html"
    file.write_bytes(build_page(title, header, tensors))
    return file
