"""What a recipe decides: a plan is a training run with nothing left open, and a budget says when it ends.

`docs/experiments/recipe.md` has the measurements behind the constants.
"""

from dataclasses import dataclass

from charrnn.model.config import ModelConfig
from charrnn.settings import format_duration, parse_duration
from charrnn.training.settings import LearningSettings

FEW_STEPS = 100  # of a run: fewer teach next to nothing
CPU_BATCH, CPU_SEQ_LEN = 16, 64
READERS_PER_CORE = 8  # of several processes on a CPU: fewer leave a matrix product too little to do
GPU_BATCH, GPU_SEQ_LEN = 128, 128  # a GPU takes hardly longer for more readers
GPU_STEPS_PER_EPOCH = 60
GPU_PRESSURE, GPU_STEPS = 270.0, 3000  # epochs times weights per character that are enough, after so many steps


@dataclass(frozen=True)
class Budget:
    """How long to train; None is no limit of that kind, and at least one limit is given."""

    seconds: float | None = None
    epochs: float | None = None
    steps: int | None = None

    @classmethod
    def from_settings(cls, learning: LearningSettings) -> "Budget":
        """The limits that the user gave, which may be none."""
        return cls(parse_duration(learning.time) if learning.time else None, learning.epochs, learning.steps)

    def progress(self, seconds: float, epochs: float, steps: int, setup_seconds: float = 0.0) -> float:
        """The used share of the budget, from 0 to 1: the largest over all limits.

        The first `setup_seconds` are left out of both the time that was used and the time that there is.
        """
        left = None if self.seconds is None else max(self.seconds - setup_seconds, 1e-9)
        pairs = ((seconds - setup_seconds, left), (epochs, self.epochs), (steps, self.steps))
        return min(1.0, max(used / limit for used, limit in pairs if limit is not None))


@dataclass(frozen=True)
class BatchShape:
    """The shape of a step where the user leaves it open.

    Attributes:
        batch: readers of all processes together.
        seq_len: characters that each reads in a step.
        min_batch: readers of a small text.
        steps_per_epoch: steps that an epoch of a smaller text should have, which therefore gets fewer readers.
        max_overfit_pressure: at which a run by the clock ends; None is no limit.
        min_steps: which such a run makes nevertheless.
    """

    batch: int
    seq_len: int
    min_batch: int
    steps_per_epoch: int = 1
    max_overfit_pressure: float | None = None
    min_steps: int = 0

    def fit_batch(self, chars: int) -> int:
        """Readers for a text of so many characters."""
        return max(self.min_batch, min(self.batch, chars // (self.seq_len * self.steps_per_epoch)))


ON_CPU = BatchShape(CPU_BATCH, CPU_SEQ_LEN, min_batch=CPU_BATCH)


def choose_batch_shape(device: str, processes: int) -> BatchShape:
    """The shape for so many processes, each with a device of that kind."""
    if device == "cpu":
        batch = max(CPU_BATCH, READERS_PER_CORE * processes)
        return BatchShape(batch, CPU_SEQ_LEN, min_batch=batch)
    least = max(CPU_BATCH, processes)
    return BatchShape(GPU_BATCH * processes, GPU_SEQ_LEN, least, GPU_STEPS_PER_EPOCH, GPU_PRESSURE, GPU_STEPS)


def warn_of_few_steps(budget: Budget, steps: float) -> tuple[str, ...]:
    """A warning if so few steps are expected in the time of the run, else none."""
    if budget.seconds is None or steps >= FEW_STEPS:
        return ()
    count = max(1, round(steps))
    warning = (
        f"only about {count} step{'s' * (count != 1)} fit{'s' * (count == 1)} in {format_duration(budget.seconds)}, "
        "too few to learn from; give more --time, or a smaller --hidden-size"
    )
    return (warning,)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every setting of a run that does not depend on the task.

    Attributes:
        dropout: share of units that is dropped.
        seq_len: T, symbols that a step reads of each stream or document.
        patience: evaluations without a new best loss that end the run.
        reasons: why these settings were chosen, for people.
        warnings: what will probably go wrong, for people.
    """

    config: ModelConfig
    dropout: float
    batch_size: int
    seq_len: int
    lr: float
    weight_decay: float
    grad_clip: float
    budget: Budget
    patience: int
    seed: int
    optimizer: str = "adamw"
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
