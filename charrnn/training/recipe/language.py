"""The recipe for language models: chooses every setting that the user left open, by corpus, budget and machine.

`docs/experiments/recipe.md` has the measurements behind the constants.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from charrnn.model.config import LabelledConfig, ModelConfig
from charrnn.settings import format_duration
from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.recipe.plan import CPU_BATCH, CPU_SEQ_LEN, ON_CPU, BatchShape, Budget, Plan, warn_of_few_steps
from charrnn.training.recipe.throughput import Throughput, estimate_throughput
from charrnn.training.settings import LearningSettings, ModelSettings, TrainSettings
from charrnn.wording import count_of, round_number

DEFAULT_SECONDS = 300.0
SIZES = (64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1024, 1536, 2048)
CHARS_PER_WEIGHT = 5.0  # to learn from in the whole run, at least
MAX_WEIGHTS = 1.9e6  # for a text of a million characters; grows with the root of its length
MAX_WEIGHTS_PER_CHAR, LARGE_CHARS_PER_WEIGHT = 4.8, 12.0  # the same for networks that learn from so many characters
SYMBOL_SHARE = 0.25  # of a weight that belongs to one symbol, because it is seldom used
EMBEDDING = 64
DOCUMENT_SEQ_LEN, MAX_DOCUMENTS = 256, 256  # labelled texts: most are read whole, short ones many at a time
RESTART = 0.01  # probability that a reader restarts, in each step
PATIENCE = 12
PEAK_RATE, PEAK_AT, MAX_RATE = 9e-3, 256, 1.2e-2  # a larger layer needs a smaller rate, by the root of its size
CALM_FROM, CALM_SHARE = 3.9, 0.55  # overfit pressure from which the peak falls, by its cube root, and the least share
CALM_STEPS = 1500  # a run of so few steps keeps the full rate
STEP_POWER = 1 / 4  # power of the characters in a step by which the peak grows
DROPOUT_FROM, DROPOUT_SLOPE, MAX_DROPOUT = 2.0, 0.19, 0.5  # by the logarithm of overfit pressure
HEAVY_FROM, HEAVY_SLOPE, MAX_HEAVY = 35.0, 0.05, 0.7  # more of it where a text is read fifty times and more
DECAY_EPOCHS, MIN_DECAY, MAX_DECAY = 7.0, 0.01, 0.1  # at the peak rate
DROPOUT_SAVED = 0.35  # share of dropout that weight decay takes the place of
WEIGHT_DROPOUT_FROM, WEIGHT_DROPOUT_SLOPE, MAX_WEIGHT_DROPOUT = 5.6, 0.1, 0.3
VALIDATION_SHARE = 0.2  # of a timed run's characters, at most, in one validation
MIN_VALIDATION = 2**12


@dataclass(frozen=True, kw_only=True)
class LanguagePlan(Plan):
    """A run that trains a language model.

    Attributes:
        weight_dropout: share of recurrent weights that is dropped.
        restart: probability, in each step, that a reader restarts from the learned initial state.
        validated: the most symbols that a validation reads, if there is a limit.
    """

    config: ModelConfig | LabelledConfig
    weight_dropout: float
    restart: float
    validated: int | None = None


def make_language_plan(
    settings: TrainSettings, corpus: Corpus | LabelledCorpus, throughput: Throughput, shape: BatchShape = ON_CPU
) -> LanguagePlan:
    """Choose every open setting, for a machine of that throughput; settings that were given are kept."""
    model, learning = settings.model, settings.learning
    weight_dropout = settings.language.weight_dropout
    budget, chars = _make_budget(learning), corpus.train_size
    if isinstance(corpus, LabelledCorpus):
        seq_len, batch_size, shrunk = _fit_documents(learning, corpus.train.lengths, shape)
        step = round(batch_size * float(np.minimum(corpus.train.lengths, seq_len).mean()))
    else:
        seq_len, batch_size, shrunk = _fit_text(learning, chars, shape)
        step = batch_size * seq_len
    outlook = _Outlook(budget, chars, throughput, shape, step)
    config = _choose_sizes(model, corpus, outlook)
    budget, expected = outlook.limit(config), outlook.estimate_chars(config)
    in_time = (budget.seconds or 0.0) * estimate_throughput(throughput, config)
    overfit_pressure = expected / chars * _count_weights(config) / chars
    lr = learning.lr or _choose_rate(config, overfit_pressure, expected, step)
    decay = _choose_decay(lr, chars / step) if learning.weight_decay is None else learning.weight_decay
    strength = min(1.0, decay * lr * DECAY_EPOCHS * chars / step)
    end: tuple[str, ...] = ()
    if budget.epochs is not None and learning.epochs is None:
        end = (f"ends after {round_number(budget.epochs)} epochs at the latest, because more would overfit",)
    return LanguagePlan(
        config=config,
        dropout=_choose_dropout(overfit_pressure, strength) if model.dropout is None else model.dropout,
        weight_dropout=_choose_weight_dropout(model, overfit_pressure) if weight_dropout is None else weight_dropout,
        batch_size=batch_size,
        seq_len=seq_len,
        lr=lr,
        weight_decay=decay,
        grad_clip=learning.grad_clip or 1.0,
        restart=RESTART,
        budget=budget,
        patience=learning.patience or PATIENCE,
        seed=learning.seed,
        validated=None if budget.seconds is None else max(MIN_VALIDATION, int(VALIDATION_SHARE * in_time)),
        reasons=(_explain_size(model, config, budget, chars, expected), *shrunk, *end),
        warnings=warn_of_few_steps(budget, in_time / step),
    )


def depends_on_throughput(settings: TrainSettings) -> bool:
    """Whether the plan depends on the machine's throughput: time is a limit."""
    return _make_budget(settings.learning).seconds is not None


@dataclass(frozen=True)
class _Outlook:
    """How much of a text of `chars` characters a run will read, at `step` a step, for each size of network."""

    budget: Budget
    chars: int
    throughput: Throughput
    shape: BatchShape
    step: int

    def limit(self, config: ModelConfig) -> Budget:
        """The budget; of a run by the clock on a device that has time for more, with a limit of epochs."""
        if self.shape.max_overfit_pressure is None or self.budget.epochs is not None or self.budget.steps is not None:
            return self.budget
        enough = self.shape.max_overfit_pressure * self.chars / _count_weights(config)
        return replace(self.budget, epochs=max(enough, self.shape.min_steps * self.step / self.chars))

    def estimate_chars(self, config: ModelConfig) -> float:
        """Characters that the run will read within the tightest of its limits."""
        limits, budget = [], self.limit(config)
        if budget.seconds is not None:
            limits.append(budget.seconds * estimate_throughput(self.throughput, config))
        if budget.epochs is not None:
            limits.append(budget.epochs * self.chars)
        if budget.steps is not None:
            limits.append(float(budget.steps * self.step))
        return min(limits)


def _choose_sizes(model: ModelSettings, corpus: Corpus | LabelledCorpus, outlook: _Outlook) -> ModelConfig:
    """The largest network that the run can train on this text."""
    vocab = len(corpus.vocabulary)
    embedding = min(EMBEDDING, vocab) if model.embedding_size is None else model.embedding_size
    sizes = (model.cell, model.layers or 1, model.hidden_size or SIZES[0], embedding, vocab)
    smallest = ModelConfig(*sizes)
    if isinstance(corpus, LabelledCorpus):
        smallest = LabelledConfig(*sizes, classes=len(corpus.labels))
    if model.hidden_size is not None:
        return smallest
    chosen = smallest
    for size in SIZES:
        config = replace(smallest, hidden_size=size)
        if _fits(_count_weights(config), outlook.estimate_chars(config), outlook.chars):
            chosen = config
    return chosen


def _fits(weights: float, expected: float, chars: int) -> bool:
    """Whether so many weights suit a run that reads `expected` characters of a text of `chars`."""
    usual = expected >= CHARS_PER_WEIGHT * weights and weights <= MAX_WEIGHTS * math.sqrt(chars / 1e6)
    return usual or (expected >= LARGE_CHARS_PER_WEIGHT * weights and weights <= MAX_WEIGHTS_PER_CHAR * chars)


def _count_weights(config: ModelConfig) -> float:
    """Number of weights; those of a single symbol count in part."""
    of_symbols = config.vocab_size * (config.embedding_size + config.hidden_size)
    return config.parameters - of_symbols * (1.0 - SYMBOL_SHARE)


def _choose_rate(config: ModelConfig, overfit_pressure: float, expected: float, step: int) -> float:
    """The peak learning rate: smaller for a larger layer, and for long runs with much dropout.

    The run reads `expected` characters, `step` of them in each step.
    """
    by_size = PEAK_RATE * math.sqrt(PEAK_AT / config.hidden_size / config.layers)
    calm = max(CALM_SHARE, math.cbrt(CALM_FROM / max(overfit_pressure, 1e-9)), CALM_STEPS * step / max(expected, 1e-9))
    by_step = math.pow(max(1.0, step / (CPU_BATCH * CPU_SEQ_LEN)), STEP_POWER)
    return min(MAX_RATE, by_size) * min(1.0, calm) * by_step


def _choose_decay(lr: float, steps_per_epoch: float) -> float:
    """The weight decay with which weights forget within `DECAY_EPOCHS` (Wang and Aitchison 2024, arXiv 2405.13698).

    AdamW's weights are an average of its updates over 1 / (rate * decay) steps. The best such time is a number of
    epochs that depends neither on the size of the text nor on that of the network.
    """
    return min(MAX_DECAY, max(MIN_DECAY, 1.0 / (lr * DECAY_EPOCHS * max(steps_per_epoch, 1e-9))))


def _choose_dropout(overfit_pressure: float, strength: float) -> float:
    """Dropout grows with the pressure to overfit.

    Args:
        overfit_pressure: epochs times weights per character of the text.
        strength: of weight decay, 1 if weights forget within `DECAY_EPOCHS`: it takes the place of some dropout.
    """
    overfit_pressure = max(overfit_pressure, 1e-9)
    usual = min(MAX_DROPOUT, max(0.0, DROPOUT_SLOPE * math.log(overfit_pressure / DROPOUT_FROM)))
    heavy = min(MAX_HEAVY, MAX_DROPOUT + HEAVY_SLOPE * math.log(overfit_pressure / HEAVY_FROM))
    share = max(usual, heavy) if overfit_pressure > HEAVY_FROM else usual
    return round(share * (1.0 - DROPOUT_SAVED * strength), 2)


def _choose_weight_dropout(model: ModelSettings, overfit_pressure: float) -> float:
    """Weight dropout is added where dropout of units is not enough, unless the user turned that off."""
    if model.dropout == 0:
        return 0.0
    share = WEIGHT_DROPOUT_SLOPE * math.log(max(overfit_pressure, 1e-9) / WEIGHT_DROPOUT_FROM)
    return round(min(MAX_WEIGHT_DROPOUT, max(0.0, share)), 2)


def _explain_size(model: ModelSettings, config: ModelConfig, budget: Budget, chars: int, expected: float) -> str:
    """The choice of size in words."""
    epochs = f"about {round_number(expected / chars)} epochs"
    ratio = f"{round_number(config.parameters / chars)} parameters per character of text"
    if model.hidden_size is not None:
        return f"size as given: {ratio}, {epochs}"
    limit = f"in {format_duration(budget.seconds)}" if budget.seconds is not None else "in this run"
    return f"size chosen to suit what this machine can train {limit}: {epochs}, {ratio}"


def _fit_text(learning: LearningSettings, chars: int, shape: BatchShape) -> tuple[int, int, tuple[str, ...]]:
    """Sequence length and batch size for a text of `chars` characters, and a note if they had to shrink.

    Given values shrink too where necessary: no sequence is longer than the text, no two readers start at one position.
    """
    wanted_seq_len, wanted_batch = learning.seq_len or shape.seq_len, learning.batch_size or shape.fit_batch(chars)
    seq_len = max(1, min(wanted_seq_len, chars - 1 if learning.seq_len else chars // 4))
    batch_size = max(1, min(wanted_batch, chars if learning.batch_size else chars // seq_len))
    if (seq_len, batch_size) == (wanted_seq_len, wanted_batch):
        return seq_len, batch_size, ()
    wanted = f"{wanted_batch} x {wanted_seq_len}"
    return seq_len, batch_size, (f"batch {batch_size} x {seq_len} instead of {wanted}, because the text is short",)


def _fit_documents(
    learning: LearningSettings, lengths: NDArray[np.int64], shape: BatchShape
) -> tuple[int, int, tuple[str, ...]]:
    """Sequence length and batch size for documents of these lengths: as many characters a step as for plain text."""
    seq_len = learning.seq_len or max(1, min(DOCUMENT_SEQ_LEN, int(lengths.max()) - 1))
    readers = shape.fit_batch(int(lengths.sum()))
    fitting = round(readers * shape.seq_len / float(np.minimum(lengths, seq_len).mean()))
    batch_size = min(len(lengths), learning.batch_size or max(readers, min(MAX_DOCUMENTS, fitting)))
    sizes = f"batches of {count_of(batch_size, 'text')} with an average length of {lengths.mean():.0f} symbols"
    return seq_len, batch_size, (sizes,)


def _make_budget(learning: LearningSettings) -> Budget:
    budget = Budget.from_settings(learning)
    return Budget(seconds=DEFAULT_SECONDS) if budget == Budget() else budget
