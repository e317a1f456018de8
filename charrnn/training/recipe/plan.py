"""What a recipe decides: a plan is a training run with nothing left open, and a budget says when it ends."""

from dataclasses import dataclass

from charrnn.model.config import ModelConfig
from charrnn.settings import format_duration, parse_duration
from charrnn.training.settings import LearningSettings

FEW_STEPS = 100  # of a run: fewer teach next to nothing


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

    def progress(self, seconds: float, epochs: float, steps: int, prepared: float = 0.0) -> float:
        """The used share of the budget, from 0 to 1: the largest over all limits.

        Of the seconds, the first `prepared` are left out of both what is used and what there is.
        """
        left = None if self.seconds is None else max(self.seconds - prepared, 1e-9)
        shares = [
            used / limit
            for used, limit in ((seconds - prepared, left), (epochs, self.epochs), (steps, self.steps))
            if limit is not None
        ]
        return min(1.0, max(shares))


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
