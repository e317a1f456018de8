"""The recipe: every setting that the user left open, chosen from the corpus and the budget.

Where the choices come from is told beside them. Measured on two CPU cores (tiny Shakespeare, last tenth held
out): a straight line to zero against a cosine to 2 %: 1.659 against 1.670 at 13 s, equal at 60 s.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from charrnn.model import ModelConfig
from charrnn.settings import parse_duration
from charrnn.text.corpus import Corpus
from charrnn.training.schedule import Budget
from charrnn.training.settings import LearningSettings, TrainSettings

DEFAULT_SECONDS = 300.0
BATCH = 16  # readers


@dataclass(frozen=True)
class Plan:
    """A training run with nothing left open."""

    config: ModelConfig
    dropout: float
    batch_size: int
    seq_len: int
    lr: float
    weight_decay: float
    grad_clip: float
    restart: float
    budget: Budget
    patience: int
    seed: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Row:
    """A measured optimum: settings that did best in `seconds` on two CPU cores."""

    seconds: float
    hidden_size: int
    seq_len: int
    lr: float
    dropout: float


_ROWS = (
    _Row(13, 160, 32, 1.2e-2, 0.0),
    _Row(60, 256, 64, 8e-3, 0.1),
    _Row(300, 512, 64, 6e-3, 0.35),
    _Row(1800, 512, 64, 6e-3, 0.5),
)


def plan(settings: TrainSettings, corpus: Corpus) -> Plan:
    """Settle every open setting; those that were given win."""
    model, learning = settings.model, settings.learning
    row = _row_for(parse_duration(learning.time) if learning.time else DEFAULT_SECONDS)
    config = ModelConfig(
        cell=model.cell,
        layers=model.layers or 1,
        hidden_size=model.hidden_size or row.hidden_size,
        embedding_size=64 if model.embedding_size is None else model.embedding_size,
        vocab_size=len(corpus.vocabulary),
    )
    seq_len, batch_size, reasons = _fitting(learning, row, len(corpus.train))
    return Plan(
        config=config,
        dropout=row.dropout if model.dropout is None else model.dropout,
        batch_size=batch_size,
        seq_len=seq_len,
        lr=learning.lr or row.lr,
        weight_decay=0.01 if learning.weight_decay is None else learning.weight_decay,
        grad_clip=learning.grad_clip or 1.0,
        restart=0.01,
        budget=_budget(learning),
        patience=learning.patience or 12,
        seed=learning.seed,
        reasons=reasons,
    )


def _row_for(seconds: float) -> _Row:
    """Between two measured rows, sizes and rates follow the logarithm of the time."""
    if seconds <= _ROWS[0].seconds:
        return _ROWS[0]
    for low, high in pairwise(_ROWS):
        if seconds <= high.seconds:
            share = math.log(seconds / low.seconds) / math.log(high.seconds / low.seconds)
            return _Row(
                seconds,
                32 * round((low.hidden_size + share * (high.hidden_size - low.hidden_size)) / 32),
                8 * round((low.seq_len + share * (high.seq_len - low.seq_len)) / 8),
                low.lr * (high.lr / low.lr) ** share,
                low.dropout + share * (high.dropout - low.dropout),
            )
    return _ROWS[-1]


def _fitting(learning: LearningSettings, row: _Row, chars: int) -> tuple[int, int, tuple[str, ...]]:
    """Sequence length and batch size that fit a text of `chars` characters, and what is to be said of them.

    Given ones shrink too where they must: no sequence is longer than the text, no two readers read the same.
    """
    wanted_seq_len, wanted_batch = learning.seq_len or row.seq_len, learning.batch_size or BATCH
    seq_len = max(1, min(wanted_seq_len, chars - 1 if learning.seq_len else chars // 4))
    batch_size = max(1, min(wanted_batch, chars if learning.batch_size else chars // seq_len))
    if (seq_len, batch_size) == (wanted_seq_len, wanted_batch):
        return seq_len, batch_size, ()
    wanted = f"{wanted_batch} x {wanted_seq_len}"
    return seq_len, batch_size, (f"batch {batch_size} x {seq_len} instead of {wanted}: the text is that short",)


def _budget(learning: LearningSettings) -> Budget:
    seconds = parse_duration(learning.time) if learning.time else None
    if seconds is None and learning.epochs is None and learning.steps is None:
        seconds = DEFAULT_SECONDS
    return Budget(seconds, learning.epochs, learning.steps)
