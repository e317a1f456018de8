"""The figures of a run, from what its parts have counted, and its verdict in words."""

import dataclasses
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charrnn.settings import format_duration
from charrnn.training.checkpoint.checkpointer import RunState
from charrnn.training.devices.clock import Clock
from charrnn.training.reporting import Evaluation, Summary
from charrnn.training.tasks.task import Measurement, Task
from charrnn.training.trainer import Trainer

WORSE = 1.005  # of the best loss: validation has turned
BETTER = 0.995  # of an earlier loss: validation is still falling
FEW = 4  # evaluations are too few to say anything
NOTHING_LEFT = 1e-3  # nats: a loss that rounds to zero cannot fall any more
READ_TWICE = 2.0  # epochs before which nothing can be learned by heart


def count_chars(trainer: Trainer) -> int:
    """Characters learned from; for words, estimated by their mean number of characters."""
    return round(trainer.symbols * trainer.task.characters_per_symbol)


def compute_rate(trainer: Trainer, clock: Clock) -> float:
    """Characters learned from per second of training steps."""
    return count_chars(trainer) / clock.step_seconds if clock.step_seconds else 0.0


def summarize(trainer: Trainer, clock: Clock, state: RunState, best: Measurement, output: Path, device: str) -> Summary:
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
        chars_per_second=round(compute_rate(trainer, clock), 1),
        train_loss=state.train_loss,
        valid_loss=state.best,
        best_step=state.best_step,
        device=device,
        seed=plan.seed,
        verdict=judge_history(state.history, clock.seconds),
        accuracy=best.accuracy,
        details=task.summarize(best),
    )


def describe_training(task: Task, summary: Summary) -> dict[str, Any]:
    """How a model was made, as its file says it."""
    plan = dataclasses.asdict(task.plan)
    settings = {name: value for name, value in plan.items() if name not in ("config", "reasons", "warnings")}
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return {"corpus": task.corpus.name, "date": today, **summary.to_json(), "settings": settings}


def judge_history(history: Sequence[Evaluation], seconds: float) -> str:
    """One sentence on a run of `seconds`: still improving, levelled off, overfitting, or perfect.

    It is not called overfitting before every text was read twice.
    """
    if len(history) < FEW:
        return "the run was too short to say whether a longer one would be better; try more time"
    best = min(history, key=lambda evaluation: evaluation.valid_loss)
    last = history[-1]
    if best.valid_loss < NOTHING_LEFT:
        return "nothing is left to learn: the validation loss is practically zero"
    earlier = min(evaluation.valid_loss for evaluation in history[: -max(1, len(history) // 5)])
    if best.valid_loss < BETTER * earlier:
        return (
            f"still improving at the end: longer will be better, for example with --time {format_duration(3 * seconds)}"
        )
    if last.epochs < READ_TWICE:
        return (
            f"not better than at step {best.step}, but the text was read only {last.epochs:.1f} times: try more time, "
            f"for example --time {format_duration(3 * seconds)}"
        )
    if last.valid_loss > WORSE * best.valid_loss:
        return (
            f"overfitting since step {best.step}: the best validation loss was {best.valid_loss:.4f}, the last one "
            f"{last.valid_loss:.4f}. More text or more --dropout would help; more time would not"
        )
    return "levelled off: more time alone will change little, but more text or a larger --hidden-size may help"
