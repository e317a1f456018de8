"""The recipe for language models: chooses every setting that the user left open.

The choice depends on the corpus, the budget and the machine.

Found on two CPU cores with tiny Shakespeare, its last tenth held out (nats per character). Most are one run each, and
were made while restarts still moved the readers to random positions: two seeds of one setting differed by up to 0.01
in 60 s and 0.04 in 13 s then, so smaller differences are guesses. With readers that end where the text ends (see
`charrnn.training.data.readers`) three seeds lie within 0.008 at 1,500 steps.

    one layer, not two          two layers of 256 in 60 s: 1.82; one: 1.50
    size                        equal arithmetic, readers that end with the text. 9.3e12 operations (60 s at 155 G/s):
                                256 units 1.474 (4.5 epochs), 320 1.452 (3.0), 384 1.460 (2.2). 2.0e12 (13 s):
                                192 units 1.541 and 1.544 (1.6 epochs), 256 1.556 and 1.570 (1.0). 60 s by the clock,
                                three seeds: 320 units 1.463 (1.459 to 1.466), 384 1.468 (1.455 to 1.484)
    dropout in such runs        320 units, 3.0 epochs: 0.1 1.462, none 1.452; 256, 4.5 epochs: 0.15 1.468, none 1.474
    learning rate               60 s, 256 units: 8e-3 1.494, 1.2e-2 1.500. 13 s, 128 units: 1.5e-2 1.66, 2e-2 1.70.
                                Pushkin, 256 units, 2300 steps: 8e-3 1.874, 5e-3 1.891
    straight line to zero       against a cosine to 2 %: 13 s 1.659 / 1.670, 60 s the same
    16 readers                  32: 0.06 worse in 60 s, 8: 0.01 worse
    64 characters a step        32: 0.015 worse in 60 s, 0.05 worse in 13 s
    restarts, 1 % a step        without: 0.01 worse at 13 s
    dropout before the decoder  5 min, 512 units, 0.35: 1.445. In 60 s, 256 units: Pushkin, 4.6 epochs, 0.14: 1.869 and
                                1.875, 0.24: 1.880 and 1.881; headlines, 3.6 epochs, 0.03: 1.501 and 1.513, 0.18:
                                1.517 and 1.524; ABC tunes, 6 epochs: 0.22 1.116, 0.37 (and a smaller rate) 1.126
                                5 min, 512 units, 7.8 epochs, three seeds: dropout 0.21 at a rate of 5.3e-3 1.436
                                (1.434 to 1.437); 0.28, weight dropout 0.05, 4.8e-3 1.425 (1.418 to 1.432). 30 min, 640
                                units, 0.5 and weight dropout 0.22: 1.403 (32 epochs); 0.52 and 0.23: 1.394 (28 epochs).
                                All with a weight decay of 0.01
    weight dropout              in long runs only: 60 s, 0.2: 0.04 worse; 5 min, 512 units, 0.3: 0.025 worse; the first
                                310,000 characters 32 times, 256 units, dropout 0.5: without 1.388 (best after 15
                                epochs, then overfitting), 0.2: 1.376 (best after 28)
    beta 2 of 0.99              0.97: 0.013 worse at 13 s
    forget bias of 1            2: 0.03 worse at 13 s
    AdamW                       Muon (Jordan et al. 2024) on the recurrent matrices: 1.65 in 60 s, and slower steps
    LSTM, not GRU               256 units, the same 2,460,000 characters: 1.495; GRU 1.549 / 1.532 / 1.542 at rates of
                                8e-3 / 6e-3 / 4e-3 (headlines: 1.514 and 1.592), and the kernel is only 3 % faster at it

All figures by the clock are in float32 and from before readers kept their distance (`charrnn.training.data.readers`).
That alone made 384 units in 62 s, in bfloat16, 1.436 instead of 1.488, so by the clock much here may be better now.

Around the best, 60 s are flat. Headlines, 256 units, no dropout, 2800 steps: rates of 9e-3 1.498 / 1.501 (two seeds),
1.2e-2 1.497; dropout 0.1: 1.505; 32 readers of 32 characters: 1.497. As much arithmetic in 192 units: 1.511; 320:
1.494; 384: 1.499; two layers of 128 units: 1.508, of 192: 1.500.

Long runs on a small text overfit. The first 310,000 characters, 320 units, by steps, so that speed plays no part (nats
on the 34,000 that follow; two seeds of the first row: 1.5439 and 1.5433). 25 epochs, 7500 steps:

    dropout 0.5, weight dropout 0.17, rate 3.2e-3, weight decay 0.01, embedding of 64: 1.544; instead
    learning rate               4.5e-3 1.523, 6e-3 1.530
    dropout                     0.4 1.531 (but 1.532 at 4.5e-3), 0.6 1.560
    weight dropout              0.1 1.536, 0.3 1.571
    weight decay                0.1 1.540, 0.3 1.589
    embedding                   of 16 1.558, of 32 1.551
    128 characters a step       half as many steps: 1.545

5 epochs, 1500 steps, second seed (the first in brackets):

    dropout, rate 5.5e-3        0.2 1.564 (1.541), 0.3 1.569 (1.567), 0.4 (1.573)
    learning rate               dropout 0.2: 4.4e-3 1.569, 5.5e-3 1.564, 7e-3 1.555, 8.5e-3 1.548
    both                        dropout 0.1 at 7e-3 1.552

Weight decay in those runs, with the automatic rate (4.4e-3 and 7e-3 at the peak). The second figure is the loss on the
771,000 characters that follow, other plays; there, seeds differ by 0.01 in the long runs and by 0.002 in the short.

    25 epochs                   0.01, dropout 0.51: 1.548 1.670, 1.552 1.680, 1.529 1.679; 0.05: 1.521 1.658;
                                0.1: 1.544 1.650, 1.531 1.647; 0.2: 1.559 1.654
                                0.1, dropout 0.4: 1.525 1.641, 1.531 1.642; 0.3: 1.515 1.639
                                0.2, dropout 0.4: 1.541 1.647; 0.1, dropout 0.51, weight dropout 0.1: 1.525 1.648
    5 epochs                    0.01, dropout 0.26: 1.555 1.674, 1.562 1.675; 0.05: 1.540 1.662, 1.558 1.664;
                                0.1: 1.556 1.662, 1.566 1.662; 0.1, dropout 0.2: 1.545 1.655, 1.554 1.657

So the best decay lets weights forget within five to ten epochs in both, and takes the place of a third of dropout. All
of it by the clock, means of three seeds: 13 s 1.531, 60 s 1.454, 5 min 1.403, 30 min 1.362. At a decay of 0.01,
25 epochs, one run each: dropout that rises from 0.3 to 0.7 or falls 1.552, Nesterov's momentum 1.544 1.671, no step
where momentum and gradient disagree (Liang et al. 2024, arXiv 2411.16085) 1.551 1.661; none of them has been tried with
more decay.

Before readers ended with the text, on the 30,000 that follow, 15 epochs, dropout 0.5:

    one layer, not two          two of 224 units, dropout 0.4: 1.598 against 1.585, and a quarter slower
    no noise on the input       5 % of the read characters replaced by others (Xie et al. 2017): 1.621 against 1.585;
                                5 % of their vectors dropped (Merity et al. 2018): 1.581, no difference

Texts that are read fifty times and more stall early, so they get more dropout, and a run that stalls anneals (see
`charrnn.training.recipe.schedule`). The first 20,000 characters, 192 units, weight dropout 0.3, 60 s, one run each:

    dropout 0.5, 0.65, 0.75     ABC tunes 1.701, 1.658, 1.683; tiny Shakespeare 1.742, 1.717, 1.701;
                                Pushkin 2.233, 2.223 (0.5 and 0.65)
    learning rate               tunes, dropout 0.65: 4.2e-3 1.658, 2.5e-3 1.665
    weight decay of 1           at dropout 0.5: tunes 1.645, but tiny Shakespeare 1.830
    all of it                   against dropout 0.5 and a run that only stops, mean of three seeds:
                                ABC tunes 1.661 (1.683), tiny Shakespeare 1.728 (1.749), Pushkin 2.198 (2.215)
    the same, 5 min             rate 5.7e-3: 1.668 (1.676), 1.726 (1.759), 2.212 (2.233); seeds of one text differ by
                                0.035, 0.020 and 0.017
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from charrnn.model.config import LabelledConfig, ModelConfig
from charrnn.settings import format_duration
from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.recipe.plan import Budget, Plan, warn_of_few_steps
from charrnn.training.recipe.shape import Shape
from charrnn.training.recipe.speed import Speed, estimate_speed
from charrnn.training.settings import LearningSettings, ModelSettings, TrainSettings
from charrnn.wording import count_of, round_number

DEFAULT_SECONDS = 300.0
SIZES = (64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1024, 1536, 2048)
CHARS_PER_WEIGHT = 5.0  # to learn from in the whole run, at least
MOST_WEIGHTS = 1.9e6  # for a text of a million characters, and more with the root of its length (not yet measured)
LARGEST, LARGE_CHARS_PER_WEIGHT = 4.8, 12.0  # weights for each character of the text, if each learns from so many
SYMBOL_SHARE = 0.25  # of a weight that belongs to one symbol: it is seldom used (one corpus: 3,045 symbols, 128 units)
EMBEDDING, BATCH, SEQ_LEN = 64, 16, 64
DOCUMENT_SEQ_LEN, MAX_DOCUMENTS = 256, 256  # labelled texts: most are read whole, short ones many at a time
PEAK_RATE, PEAK_AT, MOST_RATE = 9e-3, 256, 1.2e-2  # a larger layer wants a smaller rate, as the root of its size
CALM_FROM, CALMEST = 3.9, 0.55  # pressure from which the peak falls, by its cube root, and the least share that is left
BY_STEP = 1 / 4  # power of the characters in a step (see `charrnn.training.recipe.shape`)
CALM_STEPS = 1500  # up to which it does not: a run so short has to hurry, however small the text
DROPOUT_FROM, DROPOUT_SLOPE, MAX_DROPOUT = 2.0, 0.19, 0.5  # by the logarithm of pressure
HEAVY_FROM, HEAVY_SLOPE, MAX_HEAVY = 35.0, 0.05, 0.7  # more of it where a text will be read fifty times and more
DECAY_EPOCHS, LEAST_DECAY, MOST_DECAY = 7.0, 0.01, 0.1  # at the peak rate
DROPOUT_SAVED = 0.35  # share of dropout that weight decay takes the place of
WEIGHT_DROPOUT_FROM, WEIGHT_DROPOUT_SLOPE, MAX_WEIGHT_DROPOUT = 5.6, 0.1, 0.3
VALIDATION_SHARE = 0.2  # of a timed run's characters, at most, in one validation: it costs a third as much as learning
LEAST_VALIDATION = 2**12
ON_CPU = Shape(BATCH, SEQ_LEN, least_batch=BATCH)


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
    settings: TrainSettings, corpus: Corpus | LabelledCorpus, speed: Speed, shape: Shape = ON_CPU
) -> LanguagePlan:
    """Choose every open setting; settings that were given are kept.

    Args:
        settings: what the user gave.
        corpus: the text.
        speed: of the machine.
        shape: of a step on its devices.
    """
    model, learning = settings.model, settings.learning
    weight_dropout = settings.language.weight_dropout
    budget, chars = _make_budget(learning), corpus.train_size
    if isinstance(corpus, LabelledCorpus):
        seq_len, batch_size, shrunk = _fit_documents(learning, corpus.train.lengths, shape)
        step = round(batch_size * float(np.minimum(corpus.train.lengths, seq_len).mean()))
    else:
        seq_len, batch_size, shrunk = _fit_text(learning, chars, shape)
        step = batch_size * seq_len
    outlook = _Outlook(budget, chars, speed, shape, step)
    config = _choose_sizes(model, corpus, outlook)
    budget, expected = outlook.limit(config), outlook.estimate_chars(config)
    in_time = (budget.seconds or 0.0) * estimate_speed(speed, config)
    pressure = expected / chars * _count_weights(config) / chars
    lr = learning.lr or _choose_rate(config, pressure, expected, step)
    decay = _choose_decay(lr, chars / step) if learning.weight_decay is None else learning.weight_decay
    strength = min(1.0, decay * lr * DECAY_EPOCHS * chars / step)
    return LanguagePlan(
        config=config,
        dropout=_choose_dropout(pressure, strength) if model.dropout is None else model.dropout,
        weight_dropout=_choose_weight_dropout(model, pressure) if weight_dropout is None else weight_dropout,
        batch_size=batch_size,
        seq_len=seq_len,
        lr=lr,
        weight_decay=decay,
        grad_clip=learning.grad_clip or 1.0,
        restart=0.01,
        budget=budget,
        patience=learning.patience or 12,
        seed=learning.seed,
        validated=None if budget.seconds is None else max(LEAST_VALIDATION, int(VALIDATION_SHARE * in_time)),
        reasons=(*_explain(model, config, budget, chars, expected), *shrunk, *_explain_end(learning, budget)),
        warnings=warn_of_few_steps(budget, in_time / step),
    )


def depends_on_speed(settings: TrainSettings) -> bool:
    """Whether the plan depends on the machine's speed: time is a limit."""
    return _make_budget(settings.learning).seconds is not None


@dataclass(frozen=True)
class _Outlook:
    """How much a run of any size of network will read.

    Attributes:
        budget: as the user gave it.
        chars: of the text.
        speed: of the machine.
        shape: of a step on its devices.
        step: characters that a step reads.
    """

    budget: Budget
    chars: int
    speed: Speed
    shape: Shape
    step: int

    def limit(self, config: ModelConfig) -> Budget:
        """The budget; of a run by the clock on a device that has time for more, with a limit of epochs."""
        if self.shape.pressure is None or self.budget.epochs is not None or self.budget.steps is not None:
            return self.budget
        enough = self.shape.pressure * self.chars / _count_weights(config)
        return replace(self.budget, epochs=max(enough, self.shape.least_steps * self.step / self.chars))

    def estimate_chars(self, config: ModelConfig) -> float:
        """Characters that the run will read within the tightest of its limits."""
        limits, budget = [], self.limit(config)
        if budget.seconds is not None:
            limits.append(budget.seconds * estimate_speed(self.speed, config))
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
    usual = expected >= CHARS_PER_WEIGHT * weights and weights <= MOST_WEIGHTS * math.sqrt(chars / 1e6)
    return usual or (expected >= LARGE_CHARS_PER_WEIGHT * weights and weights <= LARGEST * chars)


def _count_weights(config: ModelConfig) -> float:
    """Number of weights; those of a single symbol count in part."""
    of_symbols = config.vocab_size * (config.embedding_size + config.hidden_size)
    return config.parameters - of_symbols * (1.0 - SYMBOL_SHARE)


def _choose_rate(config: ModelConfig, pressure: float, expected: float, step: int) -> float:
    """The peak learning rate: smaller for a larger layer, as the root of its size, and for long runs with much dropout.

    Args:
        config: sizes.
        pressure: as for `_choose_dropout`.
        expected: characters that the run reads.
        step: characters that a step reads.
    """
    by_size = PEAK_RATE * math.sqrt(PEAK_AT / config.hidden_size / config.layers)
    calm = max(CALMEST, math.cbrt(CALM_FROM / max(pressure, 1e-9)), CALM_STEPS * step / max(expected, 1e-9))
    by_step = math.pow(max(1.0, step / (BATCH * SEQ_LEN)), BY_STEP)
    return min(MOST_RATE, by_size) * min(1.0, calm) * by_step


def _choose_decay(lr: float, steps_per_epoch: float) -> float:
    """The weight decay with which weights forget within `DECAY_EPOCHS` (Wang and Aitchison 2024, arXiv 2405.13698).

    AdamW's weights are an average of its updates over 1 / (rate * decay) steps. The best such time is a number of
    epochs that depends neither on the size of the text nor on that of the network.
    """
    return min(MOST_DECAY, max(LEAST_DECAY, 1.0 / (lr * DECAY_EPOCHS * max(steps_per_epoch, 1e-9))))


def _choose_dropout(pressure: float, strength: float) -> float:
    """Dropout grows with the pressure to overfit; fitted to the best settings between 13 s and 5 min.

    Args:
        pressure: epochs times weights per character of the text.
        strength: of weight decay, 1 if weights forget within `DECAY_EPOCHS`: it takes the place of some dropout.
    """
    pressure = max(pressure, 1e-9)
    usual = min(MAX_DROPOUT, max(0.0, DROPOUT_SLOPE * math.log(pressure / DROPOUT_FROM)))
    heavy = min(MAX_HEAVY, MAX_DROPOUT + HEAVY_SLOPE * math.log(pressure / HEAVY_FROM))
    share = max(usual, heavy) if pressure > HEAVY_FROM else usual
    return round(share * (1.0 - DROPOUT_SAVED * strength), 2)


def _choose_weight_dropout(model: ModelSettings, pressure: float) -> float:
    """Weight dropout is added where dropout of units is not enough, unless the user turned that off."""
    if model.dropout == 0:
        return 0.0
    share = WEIGHT_DROPOUT_SLOPE * math.log(max(pressure, 1e-9) / WEIGHT_DROPOUT_FROM)
    return round(min(MAX_WEIGHT_DROPOUT, max(0.0, share)), 2)


def _explain(model: ModelSettings, config: ModelConfig, budget: Budget, chars: int, expected: float) -> tuple[str, ...]:
    """The choice of size in words."""
    epochs = f"about {round_number(expected / chars)} epochs"
    ratio = f"{round_number(config.parameters / chars)} parameters per character of text"
    if model.hidden_size is not None:
        return (f"size as given: {ratio}, {epochs}",)
    limit = f"in {format_duration(budget.seconds)}" if budget.seconds is not None else "in this run"
    return (f"size chosen to suit what this machine can train {limit}: {epochs}, {ratio}",)


def _explain_end(learning: LearningSettings, budget: Budget) -> tuple[str, ...]:
    """A limit of epochs that the user did not give, in words."""
    if budget.epochs is None or learning.epochs is not None:
        return ()
    return (f"ends after {round_number(budget.epochs)} epochs at the latest, because more would overfit",)


def _fit_text(learning: LearningSettings, chars: int, shape: Shape) -> tuple[int, int, tuple[str, ...]]:
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
    learning: LearningSettings, lengths: NDArray[np.int64], shape: Shape
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
