"""Starting from the weights of another model.

Symbols are matched by what they are, not by their ids. The vocabulary becomes the union of the model's and the
text's: the model's symbols keep their rows, new ones get fresh rows.

    model knows  a b d        rows  A B D
    text has     b c          ->    vocabulary a b c d, rows A B (fresh) D
"""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charrnn.errors import UsageError
from charrnn.model.config import Tensors
from charrnn.model.file import load_model
from charrnn.model.header import ModelHeader
from charrnn.settings import get_flag, raise_usage_errors
from charrnn.text.corpus import Corpus
from charrnn.text.storage import TokenIds
from charrnn.text.vocabulary import vocabulary_from_json
from charrnn.text.vocabulary.base import UNKNOWN, Vocabulary
from charrnn.training.settings import TrainSettings

SIZES = ("cell", "layers", "hidden_size", "embedding_size")


@dataclass(frozen=True)
class Source:
    """A model to start from."""

    path: Path
    header: ModelHeader
    vocabulary: Vocabulary
    tensors: Tensors

    @classmethod
    def load(cls, path: Path) -> "Source":
        """The model in a file.

        Raises:
            ModelFileError: if it is not a whole, valid model.
            UsageError: if it is a model of labelled texts.
        """
        header, tensors = load_model(path)
        if header.labels:
            raise UsageError(f"--init-from needs a model of plain text, but {path} is a model of labelled texts")
        return cls(path, header, vocabulary_from_json(header.vocabulary, header.config.vocab_size), tensors)

    def merge_settings(self, settings: TrainSettings, given: Collection[str]) -> TrainSettings:
        """The settings with this model's sizes and kind of token; UsageError if any that are `given` differ."""
        present = {"tokens": self.vocabulary.tokens, **{name: getattr(self.header.config, name) for name in SIZES}}
        differing = []
        for group in (settings.text, settings.model):
            for declared in dataclasses.fields(group):
                name, value = declared.name, getattr(group, declared.name)
                if name in present and name in given and value != present[name]:
                    flag = get_flag(declared)
                    differing.append(
                        f"{flag} {value} does not match {self.path}, which has {flag} {present[name]}; leave it out"
                    )
        raise_usage_errors(differing)
        text = dataclasses.replace(settings.text, tokens=self.vocabulary.tokens)
        model = dataclasses.replace(settings.model, **{name: present[name] for name in SIZES})
        return dataclasses.replace(settings, text=text, model=model)


def merge_vocabulary(corpus: Corpus, vocabulary: Vocabulary) -> Corpus:
    """`corpus` with the symbols of `vocabulary` added to its own."""
    union = corpus.vocabulary.union(vocabulary)
    if len(union) == len(corpus.vocabulary) and union.unknown == corpus.vocabulary.unknown:
        return corpus
    renumber = union.lookup(corpus.vocabulary.codes)
    train, valid = (
        part.remap(renumber) if isinstance(part, TokenIds) else renumber[part] for part in (corpus.train, corpus.valid)
    )
    return dataclasses.replace(corpus, vocabulary=union, train=train, valid=valid)


def transfer_weights(fresh: Tensors, vocabulary: Vocabulary, source: Source) -> Tensors:
    """The source's weights for a larger vocabulary; symbols that it does not have keep their `fresh` weights."""
    rows = vocabulary.lookup(source.vocabulary.codes)
    assert (rows != UNKNOWN).all(), "the vocabulary is not a union"  # noqa: S101 - a bug, not input
    weights = {}
    for name, tensor in fresh.items():
        old, axis = source.tensors[name], _symbol_axis(name, source)
        if axis is None:
            weights[name] = old.copy()
            continue
        grown = np.moveaxis(tensor.copy(), axis, 0)
        grown[rows] = np.moveaxis(old, axis, 0)
        weights[name] = np.ascontiguousarray(np.moveaxis(grown, 0, axis))
    return weights


def _symbol_axis(name: str, source: Source) -> int | None:
    """Which axis of a weight counts symbols, if one does."""
    if name in ("embedding.weight", "decoder.weight", "decoder.bias"):
        return 0
    if name == "rnn.weight_ih_l0" and source.header.config.embedding_size == 0:
        return 1
    return None
