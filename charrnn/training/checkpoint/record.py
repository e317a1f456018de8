"""What a run has been through: all that decides how it goes on, beside the trainer's own state."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from charrnn.training.metrics import Tally
from charrnn.training.reporting import Evaluation


@dataclass
class Record:
    """Counters, clocks and figures of a run, JSON-able.

    Attributes:
        seconds: time spent, up to when this was saved.
        step_seconds: of it, on training steps.
        best: lowest validation loss, at `best_step`; `best_training` is its model file's summary.
        stale: evaluations since.
        since: what was learned since the last evaluation.
        good: generation of the state that training goes back to when it diverges.
        retries: how often it has.
        finished: the budget was used, or validation had stopped improving.
    """

    seconds: float = 0.0
    step_seconds: float = 0.0
    best: float = math.inf
    best_step: int = 0
    best_training: dict[str, Any] = field(default_factory=dict)
    stale: int = 0
    train_loss: float = math.nan
    evaluated_at: int = 0
    evaluation_cost: float = 0.0
    last_evaluation: float = 0.0
    since: Tally = field(default_factory=Tally)
    history: list[Evaluation] = field(default_factory=list)
    good: int = 0
    retries: int = 0
    finished: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the saved state holds it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Record":
        """What `to_json` gave."""
        return cls(
            **{
                **found,
                "since": Tally(**found["since"]),
                "history": [Evaluation(**evaluation) for evaluation in found["history"]],
            }
        )
