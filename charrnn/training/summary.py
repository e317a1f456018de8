"""The figures of a run, from what its parts have counted."""

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

from charrnn.training.checkpoint.record import Record
from charrnn.training.devices.clock import Clock
from charrnn.training.recipe.verdict import judge_history
from charrnn.training.reporting import Summary
from charrnn.training.tasks.task import Measurement, Task
from charrnn.training.trainer import Trainer


def count_chars(trainer: Trainer) -> int:
    """Characters learned from; for words, estimated by their mean number of characters."""
    return round(trainer.symbols * trainer.task.characters_per_symbol)


def measure_speed(trainer: Trainer, clock: Clock) -> float:
    """Characters learned from per second of training steps."""
    return count_chars(trainer) / clock.step_seconds if clock.step_seconds else 0.0


def summarize(trainer: Trainer, clock: Clock, record: Record, best: Measurement, output: Path, device: str) -> Summary:
    """The figures so far; those of validation are of the best weights, which the model file holds.

    `best` is their validation, `output` the model file, and `device` in words.
    """
    task, plan = trainer.task, trainer.task.plan
    return Summary(
        model=str(output),
        parameters=plan.config.parameters,
        vocab=plan.config.vocab_size,
        steps=trainer.steps,
        epochs=round(task.count_epochs(trainer.symbols), 4),
        chars=count_chars(trainer),
        seconds=round(clock.seconds, 3),
        chars_per_second=round(measure_speed(trainer, clock), 1),
        train_loss=record.train_loss,
        valid_loss=record.best,
        best_step=record.best_step,
        device=device,
        seed=plan.seed,
        verdict=judge_history(record.history, clock.seconds),
        accuracy=best.accuracy,
        details=task.summarize(best),
    )


def describe_training(task: Task, summary: Summary) -> dict[str, Any]:
    """How a model was made, as its file says it."""
    plan = dataclasses.asdict(task.plan)
    settings = {name: value for name, value in plan.items() if name not in ("config", "reasons", "warnings")}
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return {"corpus": task.corpus.name, "date": today, **summary.to_json(), "settings": settings}
