"""The history of a run: everything that decides how it continues, beside the trainer's own state."""

import math
from dataclasses import dataclass, field
from typing import Any

from charrnn.training.metrics import StepMetrics
from charrnn.training.recipe.schedule import Annealing
from charrnn.training.reporting import Evaluation


@dataclass
class Record:
    """Counters, clocks and figures of a run, JSON-able.

    Attributes:
        seconds: duration of the run, up to when this was saved.
        prepared: the part of it that was spent before the first step.
        step_seconds: the part of it that was spent in training steps.
        best: lowest validation loss, at `best_step`; `best_training` is the training summary of that model.
        stale: evaluations since then.
        train_loss: mean loss of the steps before the last evaluation, which was at step `evaluated_at`.
        evaluation_cost: seconds that the last evaluation took, which ended at `last_evaluation` seconds.
        since: metrics of the steps since the last evaluation.
        good: generation of the state that training goes back to when it diverges.
        retries: how often it has gone back.
        annealing: what is left of a run that has stalled, None if it has not.
        finished: whether the budget was used, or validation had stopped improving.
    """

    seconds: float = 0.0
    prepared: float = 0.0
    step_seconds: float = 0.0
    best: float = math.inf
    best_step: int = 0
    best_training: dict[str, Any] = field(default_factory=dict)
    stale: int = 0
    train_loss: float = math.nan
    evaluated_at: int = 0
    evaluation_cost: float = 0.0
    last_evaluation: float = 0.0
    since: StepMetrics = field(default_factory=StepMetrics)
    history: list[Evaluation] = field(default_factory=list)
    good: int = 0
    retries: int = 0
    annealing: Annealing | None = None
    finished: bool = False

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Record":
        """The record in a saved state."""
        record = cls(**values)
        record.since = StepMetrics(**values["since"])
        record.history = [Evaluation(**evaluation) for evaluation in values["history"]]
        record.annealing = Annealing(**values["annealing"]) if values.get("annealing") else None
        return record
