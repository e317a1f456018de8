"""The n-gram model beside a classifier's network: chosen by cross-validation, then learned from all texts.

For the choice each text is scored by a model of other texts. The penalty on squared weights of N texts is
1 / (strength * N); strengths are tried from the weakest on until one is worse, with n-grams of words and without. What
counts is the log-loss at the best temperature, because a strong model's accuracy suffers less from its confidence than
its log-loss, and confidence can be mended.

Accuracy on a fifth held out, one split, with equal units of all weights (see `regression`): with n-grams that one text
has left out / kept; logistic regression of TF-IDF of 1 to 5 characters (scikit-learn 1.9, `char_wb`) on the same.
Surnames (2,000 of 18 classes) 0.784 / 0.778, 0.687; tweets 0.866 / 0.856, 0.791; film reviews (8,248) 0.802 / 0.802,
0.780.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from charrnn.model.config import Tensors
from charrnn.text.documents.corpus import Documents, LabelledCorpus
from charrnn.text.ngrams import Indices, NgramCounts, count_ngrams
from charrnn.training.linear.calibration import find_temperature, log_loss
from charrnn.training.linear.features import IDF, FeatureMap
from charrnn.training.linear.regression import LogisticRegression, SparseRows, score_rows

FOLDS = 3
STRENGTHS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)
FEWEST_BITS, MOST_BITS = 10, 19  # of the number of buckets
MOST_NUMBERS = 2**22  # of a model in its file
MOST_SYMBOLS = 2**24  # of the texts that are learned from
SELECTION = 2**24  # features times columns that a choice is made by
EXTRA_COLUMNS = 6  # what a feature costs beside its weights

Labels = NDArray[np.int32]
Scores = NDArray[np.float64]
Watch = Callable[[], None]  # is called now and then, and may raise to end it


@dataclass(frozen=True)
class NgramModel:
    """A model of all texts of a corpus.

    Attributes:
        bits: of the number of buckets.
        words: whether n-grams of words are read.
        strength: see the module.
        accuracy: by cross-validation.
        tensors: weights as the model file holds them.
        scores: of the texts to validate on (N, K), by a model that has not seen them.
    """

    bits: int
    words: bool
    strength: float
    accuracy: float
    tensors: Tensors
    scores: Scores

    def scale(self, scale: float) -> Tensors:
        """The tensors with scores that are multiplied by a number."""
        return {name: array if name == IDF else (array * scale).astype("f4") for name, array in self.tensors.items()}

    def get_state(self) -> dict[str, Any]:
        """All but arrays, for `from_state`; JSON-able."""
        return {"bits": self.bits, "words": self.words, "strength": self.strength, "accuracy": self.accuracy}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, for `from_state`."""
        return {**self.tensors, "scores": self.scores}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> "NgramModel":
        """The model whose `get_state` and `arrays` these are."""
        tensors = {name: array for name, array in arrays.items() if name != "scores"}
        return cls(**state, tensors=tensors, scores=arrays["scores"])


@dataclass(frozen=True)
class _Choice:
    """A choice by cross-validation, and the scores (N, K) that it gave there."""

    words: bool
    strength: float
    temperature: float
    loss: float
    accuracy: float
    scores: Scores


def learn_ngrams(
    corpus: LabelledCorpus, held_out: Documents, share: float, class_weights: Tensor | None, watch: Watch
) -> NgramModel | None:
    """Choose and learn a model; None if there are too few texts.

    Args:
        corpus: the texts.
        held_out: those to validate on, all or some, in any order.
        share: of the work of the choice; less makes it by fewer texts.
        class_weights: how much texts of each class count (K,); None is 1.
        watch: see `Watch`.
    """
    seen = corpus.valid is corpus.train
    documents = held_out if seen else _spread(corpus.train)
    texts, labels, classes = corpus.spell(documents), documents.labels, len(corpus.labels)
    bits = _choose_bits(int(documents.lengths.sum()), classes)
    counts = count_ngrams(texts, bits)
    watch()
    learner = _Learner(bits, classes, class_weights, watch)
    choice = learner.choose(counts, labels, _divide(texts), int(share * SELECTION))
    if choice is None:
        return None
    scores = choice.scores
    if not seen:
        features, weights = learner.learn(counts, labels, choice)
        new = count_ngrams(corpus.spell(held_out), bits)
        scores = score_rows(features.make_rows(new), weights)
        distinct = held_out.find_distinct()
        counts = counts.join(new.select(distinct))
        labels = np.concatenate([labels, held_out.labels[distinct]])
    features, weights = learner.learn(counts, labels, choice)
    tensors = features.to_tensors(weights / choice.temperature)
    return NgramModel(bits, choice.words, choice.strength, choice.accuracy, tensors, scores / choice.temperature)


class _Learner:
    """Fits models of some number of classes.

    Args:
        bits: of the number of buckets.
        classes: K.
        class_weights: (K,) or None.
        watch: is called after each fit.
    """

    def __init__(self, bits: int, classes: int, class_weights: Tensor | None, watch: Watch) -> None:
        self._bits = bits
        self._classes = classes
        self._class_weights = class_weights
        self._watch = watch

    def learn(self, counts: NgramCounts, labels: Labels, choice: _Choice) -> tuple[FeatureMap, Tensor]:
        """The features of texts, and the weights (W + 1, K) of all of them."""
        features = FeatureMap.learn(counts, self._bits, words=choice.words)
        weights = self._load(features.make_rows(counts), labels).fit(1 / (choice.strength * len(labels)))
        self._watch()
        return features, weights

    def choose(self, counts: NgramCounts, labels: Labels, folds: Indices, work: int) -> _Choice | None:
        """The best of all choices for texts that are divided into folds (N,); `work` limits features times columns."""
        every = max(1, -(-len(counts.buckets) * (self._classes + EXTRA_COLUMNS) // max(1, work)))
        some = np.arange(0, len(labels), every)
        if min(np.bincount(folds[some], minlength=FOLDS)) < 2:
            return None
        counts, labels, folds = counts.select(some), labels[some], folds[some]
        tried = [choice for words in (True, False) for choice in self._try_strengths(counts, labels, folds, words)]
        return min(tried, key=lambda choice: choice.loss, default=None)

    def _try_strengths(self, counts: NgramCounts, labels: Labels, folds: Indices, words: bool) -> Iterator[_Choice]:
        features = FeatureMap.learn(counts, self._bits, words=words)
        rows = features.make_rows(counts)
        if not rows.width:
            return
        held_out = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
        others = [np.flatnonzero(folds != fold) for fold in range(FOLDS)]
        models = [self._load(rows.select(part), labels[part]) for part in others]
        best = math.inf
        for strength in STRENGTHS:
            scores = np.empty((len(labels), self._classes))
            for fold, part in enumerate(held_out):
                weights = models[fold].fit(1 / (strength * len(others[fold])))
                scores[part] = score_rows(rows.select(part), weights)
                self._watch()
            temperature = find_temperature(scores, labels)
            loss = log_loss(scores / temperature, labels)
            yield _Choice(words, strength, temperature, loss, float((scores.argmax(axis=1) == labels).mean()), scores)
            if loss > best:
                return
            best = loss

    def _load(self, rows: SparseRows, labels: Labels) -> LogisticRegression:
        return LogisticRegression(rows, labels, self._classes, self._class_weights)


def _spread(documents: Documents) -> Documents:
    """All documents, or evenly spread ones if they have too many symbols."""
    every = max(1, -(-int(documents.lengths.sum()) // MOST_SYMBOLS))
    return documents if every == 1 else documents.select(slice(None, None, every))


def _choose_bits(symbols: int, classes: int) -> int:
    """Enough buckets for most n-grams of so many symbols, as far as the file may hold them."""
    most = int(math.log2(MOST_NUMBERS / (classes + 1)))
    return min(MOST_BITS, max(FEWEST_BITS, min(most, math.ceil(math.log2(symbols)))))


def _divide(texts: Sequence[str]) -> Indices:
    """A fold for each text (N,), the same for equal ones."""
    numbers: dict[str, int] = {}
    for text in texts:
        numbers.setdefault(text, len(numbers))
    folds = np.random.default_rng(0).permutation(len(numbers)) % FOLDS
    return folds[[numbers[text] for text in texts]]
