"""A model that generates texts in the style of each label, and so can tell which label a text is likely to have.

    p(label | text)  =  p(text | label) p(label) / sum over all labels of the same        (Bayes' rule)

p(text | label) is the probability of the text, its end included, under the language model of that label; p(label) is
the label's share of the training texts. This makes a generative classifier (Yogatama et al. 2017, arXiv 1703.01898);
`charrnn train --task classify` trains a discriminative one.
"""

import difflib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import GenerationError
from charrnn.inference.classification.classifier import encode_document, log_softmax
from charrnn.inference.model import GenerateOptions, Model, random_seed
from charrnn.inference.network.language import Network
from charrnn.inference.scoring.lines import score_sequences
from charrnn.inference.scoring.texts import OnProgress, Score, batch_by_size
from charrnn.model.config import LabelledConfig, Tensors
from charrnn.model.header import ModelHeader
from charrnn.text.ngrams import Text
from charrnn.text.vocabulary.base import Ids, Vocabulary

WINDOW = 2**19  # symbols of texts that are read together
MOST_SHOWN = 10  # labels in a message
LONGEST_SHOWN = 60  # characters of a label in a message
LABEL_STREAM = 1  # the random stream of a seed that draws the label; texts are drawn from another


class LabelledModel(Model):
    """A language model for each of K labels, which share most of their weights.

    Used as a plain model, it is that of its most frequent label.

    Attributes:
        labels: their names (K,).
        frequencies: their shares of the training texts (K,).
        most_frequent: the label with the largest share.
    """

    def __init__(self, header: ModelHeader, vocabulary: Vocabulary, tensors: Tensors) -> None:
        assert isinstance(header.config, LabelledConfig)  # noqa: S101 - callers check it
        self._config, self._tensors = header.config, tensors
        self.labels = header.labels
        # An untrusted file may hold any counts; clipped, every label has a share.
        counts = np.array([max(1e-9, min(count, 2**53)) for count in header.label_counts])
        self.frequencies = counts / counts.sum()
        index = int(counts.argmax())
        self.most_frequent = self.labels[index]
        super().__init__(header, vocabulary, self._make_network(index))

    def for_label(self, label: str) -> Model:
        """The plain language model of one label.

        Raises:
            charrnn.errors.GenerationError: if there is no such label; the message suggests similar ones.
        """
        if label not in self.labels:
            folded = {name.casefold(): name for name in self.labels}
            close = [folded[name] for name in difflib.get_close_matches(label.casefold(), folded, n=3)]
            some = ", ".join(map(_quote, self.labels[:MOST_SHOWN])) + (" ..." if len(self.labels) > MOST_SHOWN else "")
            hint = f"did you mean {' or '.join(map(_quote, close))}?" if close else f"it has {some}"
            raise GenerationError(f"the model has no label {_quote(label)}; {hint}")
        network = self._make_network(self.labels.index(label))
        return Model(self.header, self.vocabulary, network, self.generator.for_network(network))

    def _contents(self) -> tuple[ModelHeader, Tensors]:
        """See `Model`; with all labels."""
        return self.header, self._tensors

    def _make_network(self, index: int) -> Network:
        """The plain language model's network of one class."""
        return Network(*self._config.select_class(self._tensors, index))

    def draw_label(self, seed: int) -> str:
        """A label drawn by frequency; it depends on the seed only."""
        draw = np.random.default_rng([seed, LABEL_STREAM])
        return self.labels[int(draw.choice(len(self.labels), p=self.frequencies))]

    def generate(self, prime: str | bytes = "", *, label: str | None = None, **options: Unpack[GenerateOptions]) -> str:
        """As `Model.generate`, with this label or, if None, one drawn by frequency."""
        return "".join(self.stream(prime, label=label, **options))

    def stream(
        self, prime: str | bytes = "", *, label: str | None = None, **options: Unpack[GenerateOptions]
    ) -> Iterator[str]:
        """As `Model.stream`, with this label or, if None, one drawn by frequency."""
        seed = options.get("seed")
        options["seed"] = seed = random_seed() if seed is None else seed
        yield from self.for_label(self.draw_label(seed) if label is None else label).stream(prime, **options)

    def adapt(self, text: str | bytes, progress: OnProgress | None = None, *, label: str | None = None) -> Model:
        """As `Model.adapt`, for the model of this label or, if None, of the most frequent one; each line is a text."""
        return super().adapt(text, progress) if label is None else self.for_label(label).adapt(text, progress)

    def log_likelihoods(self, documents: Sequence[Ids]) -> NDArray[np.float64]:
        """Give ln p(text | label) (N, K) of documents that end with the end symbol.

        Unknown symbols are read, but their probability is left out.
        """
        likelihoods = np.zeros((len(self.labels), len(documents)))
        for row, network in zip(likelihoods, map(self._make_network, range(len(self.labels))), strict=True):
            batches = (zip(batch, score_sequences(network, batch)) for batch in batch_by_size(documents, WINDOW))  # noqa: B905
            for k, (ids, nats) in enumerate(chain.from_iterable(batches)):
                row[k] = -nats[ids != self.vocabulary.unknown].sum(dtype=np.float64)
        return likelihoods.T

    def log_probabilities(self, texts: Sequence[Text]) -> NDArray[np.float64]:
        """Give ln p(label | text) (N, K) of texts, by Bayes' rule."""
        return self.apply_bayes(self.log_likelihoods([encode_document(self.vocabulary, text) for text in texts]))

    def evaluate(self, texts: Sequence[Text], classes: Sequence[int]) -> tuple[NDArray[np.float64], Score]:
        """Give ln p(label | text) (N, K) of texts, and the score of the texts given their classes (N,)."""
        documents = [encode_document(self.vocabulary, text) for text in texts]
        likelihoods = self.log_likelihoods(documents)
        symbols = np.concatenate(documents)
        known = symbols[symbols != self.vocabulary.unknown]
        nats = -float(likelihoods[np.arange(len(classes)), classes].sum())
        chars = int(self.vocabulary.lengths[known].sum())
        unknown_chars = sum(map(len, texts)) + len(texts) - chars  # each text has an end symbol
        score = Score(
            nats=nats,
            tokens=len(known),
            chars=chars,
            unknown=len(symbols) - len(known),
            unknown_chars=unknown_chars,
            unknown_nats=unknown_chars * self.vocabulary.unknown_nats,
        )
        return self.apply_bayes(likelihoods), score

    def apply_bayes(self, likelihoods: NDArray[np.float64]) -> NDArray[np.float64]:
        """From ln p(text | label) to ln p(label | text), both (N, K)."""
        return log_softmax(likelihoods + np.log(self.frequencies))


def _quote(label: str) -> str:
    """The beginning of a label, for a message."""
    return repr(label[:LONGEST_SHOWN])
