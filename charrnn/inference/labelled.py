"""A model that writes in the style of each of its labels, and so also tells which label a text is likely to have.

    p(label | text)  =  p(text | label) p(label) / sum over all labels of the same        (Bayes' rule)

p(text | label) is what the language model of that label gives the text, its end included; p(label) is the share of
the training texts that have it. A classifier made this way is a generative one (Yogatama et al. 2017, arXiv
1703.01898); `charrnn train --task classify` makes the discriminative kind.
"""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import GenerationError, ModelFileError
from charrnn.inference.classification.classifier import document_of
from charrnn.inference.model import Model, fresh_seed
from charrnn.inference.network.language import Network
from charrnn.inference.scoring.lines import surprises
from charrnn.inference.scoring.texts import Score
from charrnn.model.config import LabelledConfig, Tensors
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.base import Ids, Vocabulary
from charrnn.text.vocabulary.loading import vocabulary_from_json

WINDOW = 2**19  # symbols of texts that are read together
SHOWN = 10  # labels in a message
LABEL_STREAM = 1  # which of a seed's random streams draws the label; the text comes from another


class LabelledModel(Model):
    """A language model for each of K labels, made of the same weights but a few.

    Taken for a plain model, it is that of its most frequent label.

    Attributes:
        labels: their names (K,).
        frequencies: share of the training texts that have each (K,).
    """

    def __init__(self, header: ModelHeader, vocabulary: Vocabulary, config: LabelledConfig, tensors: Tensors) -> None:
        self._config, self._tensors = config, tensors
        self.labels = header.labels
        # A stranger's file may say anything: no count is so small or large that it has no share.
        counts = np.array([max(1e-9, min(count, 2**53)) for count in header.label_counts])
        self.frequencies = counts / counts.sum()
        super().__init__(header, vocabulary, self._network(int(counts.argmax())))

    @classmethod
    def of_file(cls, header: ModelHeader, tensors: Tensors) -> "LabelledModel":
        """What a model file holds, ready to use.

        Raises:
            charrnn.errors.ModelFileError: if its texts have no end.
        """
        assert isinstance(header.config, LabelledConfig)  # noqa: S101 - whoever asks has looked
        vocabulary = vocabulary_from_json(header.vocabulary, header.config.vocab_size)
        if vocabulary.end is None:
            raise ModelFileError("the model is damaged: its vocabulary has no symbol for the end of a text")
        return cls(header, vocabulary, header.config, tensors)

    def of(self, label: str) -> Model:
        """The plain language model of one label.

        Raises:
            charrnn.errors.GenerationError: if there is no such label; the message suggests what was meant.
        """
        if label not in self.labels:
            folded = {name.casefold(): name for name in self.labels}
            close = [folded[name] for name in difflib.get_close_matches(label.casefold(), folded, n=3)]
            some = ", ".join(map(repr, self.labels[:SHOWN])) + (" ..." if len(self.labels) > SHOWN else "")
            hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"it has {some}"
            raise GenerationError(f"the model has no label {label!r}; {hint}")
        one = Model(self.header, self.vocabulary, self._network(self.labels.index(label)))
        one.write_with(self._generate)
        return one

    def _contents(self) -> tuple[ModelHeader, Tensors]:
        """See `Model`; with all labels."""
        return self.header, self._tensors

    def _network(self, index: int) -> Network:
        return Network(*self._config.select_class(self._tensors, index))

    def drawn_label(self, seed: int) -> str:
        """A label by its frequency; which one, depends on the seed only."""
        draw = np.random.default_rng([seed, LABEL_STREAM])
        return self.labels[int(draw.choice(len(self.labels), p=self.frequencies))]

    def generate(self, prime: str | bytes = "", *, label: str | None = None, **options: Any) -> str:
        """A text with this label, or one drawn by frequency; the options are those of `Model.generate`."""
        seed = options.pop("seed", None)
        seed = fresh_seed() if seed is None else seed
        return self.of(self.drawn_label(seed) if label is None else label).generate(prime, seed=seed, **options)

    def log_likelihoods(self, documents: Sequence[Ids]) -> NDArray[np.float64]:
        """What ln p(text | label) is of documents, the end symbol's id last, given each label: (N, K).

        Unknown symbols are read, but say nothing.
        """
        found = np.zeros((len(documents), len(self.labels)))
        for index in range(len(self.labels)):
            network = self._network(index)
            for begin, window in _windows(documents):
                nats = surprises(network, window)
                for k, (ids, each) in enumerate(zip(window, nats, strict=True)):
                    found[begin + k, index] = -each[ids != self.vocabulary.unknown].sum(dtype=np.float64)
        return found

    def log_probabilities(self, texts: Sequence[str | bytes]) -> NDArray[np.float64]:
        """What ln p(label | text) is of each text, by Bayes' rule: (N, K)."""
        return self.posterior(self.log_likelihoods([document_of(self.vocabulary, text) for text in texts]))

    def score_given(self, documents: Sequence[Ids], given: NDArray[np.float64]) -> Score:
        """The figures of documents with these ln p(text | its label) (N,), the end of each one of its symbols."""
        symbols = np.concatenate(documents)
        counted = symbols[symbols != self.vocabulary.unknown]
        chars = int(self.vocabulary.lengths[counted].sum())
        return Score(-float(given.sum()), len(counted), chars, len(symbols) - len(counted))

    def posterior(self, likelihoods: NDArray[np.float64]) -> NDArray[np.float64]:
        """From ln p(text | label) to ln p(label | text), both (N, K)."""
        joint = likelihoods + np.log(self.frequencies)
        top = joint.max(axis=1, keepdims=True)
        normalized: NDArray[np.float64] = joint - top - np.log(np.exp(joint - top).sum(axis=1, keepdims=True))
        return normalized


def _windows(documents: Sequence[Ids]) -> Iterator[tuple[int, Sequence[Ids]]]:
    """Runs of documents that are read together, each with the place of its first."""
    ends = np.cumsum([len(ids) for ids in documents])
    begin = 0
    while begin < len(documents):
        behind = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(ends.searchsorted(behind + WINDOW, side="right")))
        yield begin, documents[begin:end]
        begin = end
