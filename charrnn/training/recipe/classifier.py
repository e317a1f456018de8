"""The recipe for classifiers: chooses every setting that the user left open, by the texts, the budget and the machine.

`docs/experiments/recipe.md` has the measurements behind the constants.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from charrnn.model.config import ClassifierConfig
from charrnn.settings import format_duration
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.recipe.plan import Budget, Plan, warn_of_few_steps
from charrnn.training.recipe.throughput import Throughput, count_recurrent_weights
from charrnn.training.settings import LearningSettings, TrainSettings
from charrnn.wording import round_number

DEFAULT_SECONDS = 180.0
SIZES = (32, 48, 64, 96, 128, 192, 256)
SYMBOLS_PER_WEIGHT = 15.0  # to learn from in the whole run, at least
BATCH, BATCH_SYMBOLS = 64, 2**14  # documents of a step, but no more symbols than this
STEPS_PER_EPOCH = 25  # of few documents
EMBEDDING = 48
LONGEST, SHORTEST_PART = 2048, 192  # symbols of a document that a step reads
EPOCHS, FEW_EPOCHS, MIN_STEPS = 30.0, 5.0, 1000  # more epochs overfit; with fewer than a few, parts of texts are read
RATE, RATE_AT, SGD_RATE = 4e-3, 128, 0.1
PATIENCE = 10
VALIDATION_SHARE = 0.02  # of the symbols that are learned from, in each of the run's evaluations
MIN_VALIDATION = 2**16  # symbols


@dataclass(frozen=True, kw_only=True)
class ClassifierPlan(Plan):
    """A run that trains a classifier; `dropout` is that of the pooled units and between layers.

    Attributes:
        input_dropout: share of the embedding's units that is dropped.
        noise: share of characters that is replaced by the unknown one.
        label_smoothing: share of the target that is spread over all classes.
        class_weights: whether all classes count the same, however many texts they have.
        validated: the most symbols that a validation reads.
        ngrams: whether a linear model of n-grams stands beside the network.
        merges: whether a text that stands there several times is learned from once.
    """

    config: ClassifierConfig
    input_dropout: float
    noise: float
    label_smoothing: float
    class_weights: bool
    validated: int
    ngrams: bool = False  # these defaults are for runs that version 0.1.0 saved
    merges: bool = False


def make_classifier_plan(settings: TrainSettings, corpus: LabelledCorpus, throughput: Throughput) -> ClassifierPlan:
    """Choose every open setting, on a machine of that throughput; settings that were given are kept."""
    model, learning, classifier = settings.model, settings.learning, settings.classifier
    lengths = corpus.train.lengths
    batch_size = learning.batch_size or _choose_batch_size(len(lengths), int(lengths.max()))
    budget = _make_budget(learning, len(lengths), batch_size)
    limit = _limit_symbols(budget, lengths, batch_size)
    config = _choose_sizes(settings, corpus, budget, limit, throughput)
    in_time = _estimate_symbols_in_time(config, budget, throughput)
    expected = min(limit, in_time)
    affordable = min(max(EPOCHS, budget.epochs or 0.0) * float(lengths.sum()), in_time)
    longest = learning.seq_len or _choose_length(affordable, len(lengths), int(lengths.max()))
    if learning.batch_size is None:
        batch_size = _choose_batch_size(len(lengths), longest)
    step = batch_size * float(lengths.clip(max=longest).mean())
    sgd = classifier.optimizer == "sgd"
    small = config.hidden_size < SIZES[0]  # the user's choice, where every unit is needed
    dropout = (0.0 if small else 0.5) if model.dropout is None else model.dropout
    rate = SGD_RATE if sgd else RATE * math.sqrt(min(1.0, RATE_AT / config.hidden_size))
    return ClassifierPlan(
        config=config,
        dropout=dropout,
        input_dropout=round(0.6 * dropout, 3),
        noise=round(0.2 * dropout, 3),
        label_smoothing=round(0.2 * dropout, 3),
        class_weights=classifier.class_weights,
        optimizer=classifier.optimizer,
        batch_size=batch_size,
        seq_len=longest,
        ngrams=classifier.ngrams,
        merges=True,
        validated=max(MIN_VALIDATION, int(VALIDATION_SHARE * expected)),
        lr=learning.lr or rate,
        weight_decay=(0.0 if sgd else 0.01) if learning.weight_decay is None else learning.weight_decay,
        grad_clip=learning.grad_clip or 1.0,
        budget=budget,
        patience=learning.patience or PATIENCE,
        seed=learning.seed,
        reasons=_explain(corpus, budget, longest, expected),
        warnings=warn_of_few_steps(budget, in_time / step),
    )


def _choose_batch_size(documents: int, longest: int) -> int:
    """Documents of a step, of which the longest has `longest` symbols."""
    return max(1, min(BATCH, max(8, documents // STEPS_PER_EPOCH), max(8, BATCH_SYMBOLS // longest), documents))


def _make_budget(learning: LearningSettings, documents: int, batch_size: int) -> Budget:
    """The limits that the user gave; if that is a time or nothing, the number of epochs is limited too."""
    budget = Budget.from_settings(learning)
    if budget.epochs is not None or budget.steps is not None:
        return budget
    enough = max(EPOCHS, math.ceil(MIN_STEPS * batch_size / documents))
    return Budget(DEFAULT_SECONDS if budget.seconds is None else budget.seconds, float(enough), None)


def _choose_sizes(
    settings: TrainSettings, corpus: LabelledCorpus, budget: Budget, limit: float, throughput: Throughput
) -> ClassifierConfig:
    """The largest network that can be trained in the time, on `limit` symbols at most."""
    model, chosen, vocab = settings.model, settings.classifier, len(corpus.vocabulary)
    smallest = ClassifierConfig(
        cell=model.cell,
        layers=model.layers or 1,
        hidden_size=model.hidden_size or SIZES[0],
        embedding_size=min(EMBEDDING, vocab) if model.embedding_size is None else model.embedding_size,
        vocab_size=vocab,
        classes=len(corpus.labels),
        bidirectional=True if chosen.bidirectional is None else chosen.bidirectional,
        pool=chosen.pool or "all",
    )
    if model.hidden_size is not None:
        return smallest
    largest = smallest
    for size in SIZES:
        config = replace(smallest, hidden_size=size)
        expected = min(limit, _estimate_symbols_in_time(config, budget, throughput))
        if expected >= SYMBOLS_PER_WEIGHT * count_recurrent_weights(config):
            largest = config
    return largest


def _limit_symbols(budget: Budget, lengths: NDArray[np.int64], batch_size: int) -> float:
    """Symbols that the run may read by its epochs and steps; 30 epochs if it has neither limit."""
    epochs = math.inf if budget.epochs is None else budget.epochs
    if budget.steps is not None:
        epochs = min(epochs, budget.steps * batch_size / len(lengths))
    return (EPOCHS if math.isinf(epochs) else epochs) * float(lengths.sum())


def _estimate_symbols_in_time(config: ClassifierConfig, budget: Budget, throughput: Throughput) -> float:
    """Symbols that the run could read in its time, infinitely many without a limit."""
    if budget.seconds is None:
        return math.inf
    operations = 6.0 * count_recurrent_weights(config)
    return budget.seconds * throughput.estimate(operations, config.hidden_size, config.layers * config.directions)


def _choose_length(affordable: float, documents: int, longest: int) -> int:
    """Symbols of a document that a step reads: all, unless the time is too short to read them a few times."""
    wanted = int(affordable / (FEW_EPOCHS * documents))
    return min(longest, LONGEST, max(SHORTEST_PART, wanted))


def _explain(corpus: LabelledCorpus, budget: Budget, longest: int, expected: float) -> tuple[str, ...]:
    """The choices in words."""
    reasons = []
    read = int(corpus.train.lengths.clip(max=longest).sum())
    epochs = expected / max(1, read)
    if budget.seconds is not None:
        limit = f"in {format_duration(budget.seconds)}"
        reasons.append(f"about {round_number(min(epochs, budget.epochs or epochs))} epochs {limit}")
    if longest < int(corpus.train.lengths.max()):
        reasons.append(f"from longer texts, each step reads {longest:,} characters at a random position")
    return tuple(reasons)
