"""The n-gram model beside a classifier's network: chosen by cross-validation, then learned from all texts.

For the choice each text is scored by a model of other texts. The penalty on squared weights of N texts is
1 / (strength * N); strengths are tried from the weakest on until one is worse, with all kinds of n-grams
(`charrnn.text.ngrams`), then with fewer until that is worse. What counts is the log-loss at the best temperature,
because an overconfident model loses more log-loss than accuracy, and its confidence can be corrected.

`docs/experiments/recipe.md` has the measurements behind the constants.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from charrnn.errors import TrainingError
from charrnn.model.config import HASHES
from charrnn.text.documents.corpus import Documents, LabelledCorpus
from charrnn.text.ngrams import KINDS, Indices, NgramCounts, count_ngrams
from charrnn.training.linear.calibration import find_temperature, log_loss
from charrnn.training.linear.regression import LogisticRegression, SparseRows, score_rows

IDF = "ngram.idf"
MIN_TEXTS = 2  # that have an n-gram which is a feature
FOLDS = 3
STRENGTHS = (0.25, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)
MOST_NUMBERS = 2**22  # of a model in its file
NUMBERS = 3  # of a feature beside its weights
SAVED = ("kinds", "strength", "accuracy")  # of a model, beside its arrays
MOST_CHARACTERS = 2**23  # of evenly spread texts that are learned from: takes 3 GB
SELECTION = 2**24  # features times columns that a choice is made by
EXTRA_COLUMNS = 6  # what a feature costs beside its weights

Labels = NDArray[np.int32]
Scores = NDArray[np.float64]
Watch = Callable[[], None]  # is called now and then, and may raise to end it


@dataclass(frozen=True)
class FeatureMap:
    """The features of a linear model: n-grams and their weights.

    Attributes:
        kinds: of n-grams that are features (`charrnn.text.ngrams`).
        hashes: of the n-grams, in ascending order (W,).
        idf: their weights (W,).
    """

    kinds: int
    hashes: NDArray[np.uint32]
    idf: NDArray[np.float32]

    @classmethod
    def learn(cls, counts: NgramCounts, kinds: int, most: int) -> "FeatureMap":
        """The features of some texts, `most` at most: ln((1 + N) / (1 + n)) + 1 for an n-gram that n of N texts have.

        Those that `MIN_TEXTS` texts have are features, or more texts if there are too many n-grams.
        """
        hashes, frequency = np.unique(counts.first_kinds(kinds).hashes, return_counts=True)
        numbers = np.cumsum(np.bincount(frequency, minlength=MIN_TEXTS)[::-1])[::-1]  # that n or more texts have
        least = max(MIN_TEXTS, int(np.count_nonzero(numbers > most)))
        used = frequency >= least
        idf = np.log((1 + len(counts)) / (1 + frequency[used])) + 1
        return cls(kinds, hashes[used], idf.astype(np.float32))

    def make_rows(self, counts: NgramCounts) -> SparseRows:
        """The features of texts (N, W)."""
        known = counts.first_kinds(self.kinds).match(self.hashes)
        return SparseRows(known.columns, known.weigh(self.idf), known.text_ends, len(self.hashes))

    def to_tensors(self, weights: Tensor) -> dict[str, NDArray[Any]]:
        """Weights (W + 1, K), the bias last, as the model file holds them."""
        table = weights[:-1].T.contiguous().numpy()
        return {HASHES: self.hashes, IDF: self.idf, "ngram.weight": table, "ngram.bias": weights[-1].numpy()}


@dataclass(frozen=True)
class NgramModel:
    """A model of all texts of a corpus.

    Attributes:
        kinds: of n-grams.
        strength: see the module.
        accuracy: by cross-validation.
        tensors: weights as the model file holds them.
        scores: of the texts to validate on (N, K), by a model that has not seen them.
    """

    kinds: int
    strength: float
    accuracy: float
    tensors: dict[str, NDArray[Any]]
    scores: Scores

    @property
    def features(self) -> int:
        """Their number, W."""
        return len(self.tensors[IDF])

    def scale(self, scale: float) -> dict[str, NDArray[Any]]:
        """The tensors with scores that are multiplied by a number."""
        scaled = {name: (self.tensors[name] * scale).astype(np.float32) for name in ("ngram.weight", "ngram.bias")}
        return self.tensors | scaled

    def get_state(self) -> dict[str, Any]:
        """All but arrays, for `from_state`; JSON-able."""
        return {name: getattr(self, name) for name in SAVED}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, for `from_state`."""
        return {**self.tensors, "scores": self.scores}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> "NgramModel":
        """The model whose `get_state` and `arrays` these are; TrainingError if those of another version."""
        if set(state) != set(SAVED):
            raise TrainingError(
                "the saved run is from another version of charrnn (n-grams); start over with --overwrite"
            )
        tensors = {name: array for name, array in arrays.items() if name != "scores"}
        return cls(**state, tensors=tensors, scores=arrays["scores"])


@dataclass(frozen=True)
class _Choice:
    """A choice by cross-validation, and the scores (N, K) that it gave there."""

    kinds: int
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
    documents = held_out if seen else corpus.train
    texts, labels, classes = corpus.spell(documents), documents.labels, len(corpus.labels)
    every = 1 if seen else max(1, -(-sum(map(len, texts)) // MOST_CHARACTERS))
    texts, labels = texts[::every], labels[::every]
    counts = count_ngrams(texts)
    watch()
    learner = _Learner(classes, class_weights, watch)
    choice = learner.choose(counts, labels, _divide(texts), math.inf if seen else share * SELECTION)
    if choice is None:
        return None
    scores = choice.scores
    if not seen:
        features, weights = learner.learn(counts, labels, choice)
        new = count_ngrams(corpus.spell(held_out))
        scores = score_rows(features.make_rows(new), weights)
        distinct = held_out.find_distinct()
        counts = counts.join(new.select(distinct))
        labels = np.concatenate([labels, held_out.labels[distinct]])
    features, weights = learner.learn(counts, labels, choice)
    tensors = features.to_tensors(weights / choice.temperature)
    return NgramModel(choice.kinds, choice.strength, choice.accuracy, tensors, scores / choice.temperature)


class _Learner:
    """Fits models of some number of classes.

    Args:
        classes: K.
        class_weights: (K,) or None.
        watch: is called after each fit.
    """

    def __init__(self, classes: int, class_weights: Tensor | None, watch: Watch) -> None:
        self._classes = classes
        self._class_weights = class_weights
        self._watch = watch

    def learn(self, counts: NgramCounts, labels: Labels, choice: _Choice) -> tuple[FeatureMap, Tensor]:
        """The features of texts, and the weights (W + 1, K) of all of them."""
        features = self._find_features(counts, choice.kinds)
        weights = self._load(features.make_rows(counts), labels).fit(1 / (choice.strength * len(labels)))
        self._watch()
        return features, weights

    def choose(self, counts: NgramCounts, labels: Labels, folds: Indices, work: float) -> _Choice | None:
        """The best of all choices for texts that are divided into folds (N,); `work` limits features times columns."""
        every = max(1, math.ceil(len(counts.hashes) * (self._classes + EXTRA_COLUMNS) / max(1.0, work)))
        some = np.arange(0, len(labels), every)
        if min(np.bincount(folds[some], minlength=FOLDS)) < 2:
            return None
        counts, labels, folds = counts.select(some), labels[some], folds[some]
        best: _Choice | None = None
        for kinds in range(len(KINDS), 0, -1):
            tried = min(self._try_strengths(counts, labels, folds, kinds), key=lambda choice: choice.loss, default=None)
            if tried is None or (best is not None and tried.loss >= best.loss):
                break
            best = tried
        return best

    def _try_strengths(self, counts: NgramCounts, labels: Labels, folds: Indices, kinds: int) -> Iterator[_Choice]:
        features = self._find_features(counts, kinds)
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
            yield _Choice(kinds, strength, temperature, loss, float((scores.argmax(axis=1) == labels).mean()), scores)
            if loss > best:
                return
            best = loss

    def _find_features(self, counts: NgramCounts, kinds: int) -> FeatureMap:
        return FeatureMap.learn(counts, kinds, MOST_NUMBERS // (self._classes + NUMBERS))

    def _load(self, rows: SparseRows, labels: Labels) -> LogisticRegression:
        return LogisticRegression(rows, labels, self._classes, self._class_weights)


def _divide(texts: Sequence[str]) -> Indices:
    """A fold for each text (N,), the same for equal ones."""
    numbers: dict[str, int] = {}
    for text in texts:
        numbers.setdefault(text, len(numbers))
    folds = np.random.default_rng(0).permutation(len(numbers)) % FOLDS
    return folds[[numbers[text] for text in texts]]
