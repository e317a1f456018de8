"""Saving a run: its best weights, the state to go back to, and the states that a resumed run continues from."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from charrnn import __version__
from charrnn.errors import TrainingError
from charrnn.model.config import Tensors
from charrnn.model.file import save_model
from charrnn.model.header import ModelHeader
from charrnn.training.checkpoint.files import EVALUATED, FORMAT, LATEST, Arrays, Checkpoint, RunFiles
from charrnn.training.devices.device import get_random_states, set_random_states
from charrnn.training.devices.world import World
from charrnn.training.metrics import StepMetrics
from charrnn.training.recipe.schedule import Cooldown
from charrnn.training.reporting import Evaluation
from charrnn.training.tasks.task import Measurement
from charrnn.training.trainer import Trainer

SAVED_NAMES = {  # of fields of RunState, where a saved state has another name
    "setup_seconds": "prepared",
    "evals_since_best": "stale",
    "metrics_since_eval": "since",
    "rollback_generation": "good",
    "cooldown": "annealing",
}


@dataclass
class RunState:
    """The history of a run: everything that decides how it continues, beside the trainer's own state.

    Attributes:
        seconds: duration of the run, up to when this was saved.
        setup_seconds: the part of it that was spent before the first step.
        step_seconds: the part of it that was spent in training steps.
        best: lowest validation loss, at `best_step`; `best_training` is the training summary of that model.
        evals_since_best: evaluations since then.
        train_loss: mean loss of the steps before the last evaluation, which was at step `evaluated_at`.
        evaluation_cost: seconds that the last evaluation took, which ended at `last_evaluation` seconds.
        metrics_since_eval: metrics of the steps since the last evaluation.
        rollback_generation: generation of the state that training goes back to when it diverges.
        retries: how often it has gone back.
        cooldown: what is left of a run that has stalled, None if it has not.
        finished: whether the budget was used, or validation had stopped improving.
    """

    seconds: float = 0.0
    setup_seconds: float = 0.0
    step_seconds: float = 0.0
    best: float = math.inf
    best_step: int = 0
    best_training: dict[str, Any] = field(default_factory=dict)
    evals_since_best: int = 0
    train_loss: float = math.nan
    evaluated_at: int = 0
    evaluation_cost: float = 0.0
    last_evaluation: float = 0.0
    metrics_since_eval: StepMetrics = field(default_factory=StepMetrics)
    history: list[Evaluation] = field(default_factory=list)
    rollback_generation: int = 0
    retries: int = 0
    cooldown: Cooldown | None = None
    finished: bool = False

    def to_json(self) -> dict[str, Any]:
        """The values by their names in a saved state."""
        return {SAVED_NAMES.get(name, name): value for name, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RunState":
        """The run state whose `to_json` these are; what version 0.1.0 did not save has its default."""
        names = {SAVED_NAMES.get(each.name, each.name): each.name for each in dataclasses.fields(cls)}
        state = cls(**{names[saved]: value for saved, value in values.items()})
        state.metrics_since_eval = StepMetrics(**values["since"])
        state.history = [Evaluation(**evaluation) for evaluation in values["history"]]
        state.cooldown = Cooldown(**values["annealing"]) if values.get("annealing") else None
        return state


class BackgroundWriter:
    """Runs jobs in a thread, one at a time.

    A job that has not started when another one with its key arrives is dropped, because its file would be replaced
    at once. The errors of failed jobs are kept for `take_failures`.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "writer")
        self._newest: dict[str, Future[None]] = {}
        self._submitted: list[Future[None]] = []

    def submit(self, key: str, job: Callable[[], None]) -> None:
        """Have `job` run soon."""
        if key in self._newest:
            self._newest[key].cancel()
        self._newest[key] = self._thread.submit(job)
        self._submitted.append(self._newest[key])

    def wait(self) -> None:
        """Wait until no job is left."""
        wait(self._submitted)

    def take_failures(self) -> list[BaseException]:
        """The errors of jobs that have failed since the last call."""
        done = [job for job in self._submitted if job.done()]
        self._submitted = [job for job in self._submitted if job not in done]
        return [error for job in done if not job.cancelled() and (error := job.exception())]


class Checkpointer:
    """Copies a run between steps, and writes the copies now or in the background; restores a saved run.

    Of several processes all copy together, because each holds a part of the state; only the leader writes.
    `description` is what a saved state says of the run beside its progress: settings, corpus, folders.
    """

    def __init__(self, output: Path, trainer: Trainer, world: World, description: dict[str, Any]) -> None:
        self.files = RunFiles(output)
        self._trainer = trainer
        self._world = world
        self._description = description
        self._writer = BackgroundWriter()
        self._best: Tensors = {}
        self._rollback: Arrays = {}
        self._generation = 0
        self._model_step: int | None = None  # whose weights the model file is known to hold

    def restore(self, saved: Checkpoint) -> RunState:
        """Put trainer and randomness where they were when `saved` was made; returns the history of the run."""
        run = RunState.from_json(saved.state["record"])
        if run.finished and dataclasses.asdict(self._trainer.task.plan.budget) != saved.state["plan"]["budget"]:
            run.finished, run.evals_since_best, run.cooldown = False, 0, None  # a finished run is trained further
        self._generation = saved.generation
        self._best = saved.select("best")
        self._rollback = saved.select("trainer")
        self._trainer.set_state(_to_tensors(self._rollback), saved.state["trainer"])
        set_random_states(_to_tensors(saved.select("random")), self._trainer.device)
        if run.rollback_generation != saved.generation:
            evaluated: Arrays | None = self._world.broadcast(lambda: self._read_rollback(run.rollback_generation))
            self._rollback = evaluated or self._rollback
        return run

    def go_back(self) -> None:
        """Undo what the trainer has learned since the last evaluation."""
        self._trainer.go_back(_to_tensors(self._rollback))

    def go_back_to_best(self) -> None:
        """Give the trainer the best weights."""
        self._trainer.load_weights(self._best)

    def save_best(self, weights: Tensors, run: RunState) -> None:
        """Write `weights` to the model file in the background; `run.best_training` describes how they were made."""
        self._best = weights
        header = self._trainer.task.make_header(run.best_training)
        self._submit("model", lambda: self._save_model(header, weights))

    def save_first(self, run: RunState, *, resumed: bool) -> None:
        """Save before the first step, so that a run that cannot be saved ends here.

        A resumed run also writes its best model again: whatever came after the saved state is undone.

        Raises:
            TrainingError: if it cannot be written.
        """
        self._generation = max(self._generation, self.files.read_last_generation())
        slot = LATEST if resumed else EVALUATED
        checkpoint = self._copy(slot, run)
        self._write(lambda: self.files.write(slot, checkpoint))
        if not resumed:
            self._write(lambda: self.files.remove(LATEST))  # of the run that was here before
        elif self._best:
            self._write_best(run)
        self._write(self.files.remove_partials)

    def save_in_background(self, slot: str, run: RunState) -> None:
        """Copy the state now, and write it while training continues."""
        checkpoint = self._copy(slot, run)
        self._submit(slot, lambda: self.files.write(slot, checkpoint))

    def save_now(self, run: RunState) -> None:
        """Save, wait for it, and save the best model too if its last save failed; TrainingError if it fails."""
        self.wait()
        self.take_failures()  # of states that this one replaces
        checkpoint = self._copy(LATEST, run)
        self._write(lambda: self.files.write(LATEST, checkpoint))
        if self._model_step != run.best_step and self._best:
            self._write_best(run)

    def write_model(self, training: dict[str, Any], weights: Tensors) -> None:
        """Write the model file now, without recording it as the best; TrainingError if it cannot be written."""
        self._write(lambda: self._save_model(self._trainer.task.make_header(training), weights))

    def wait(self) -> None:
        """Wait until everything is written, or has failed."""
        self._writer.wait()

    def take_failures(self) -> list[str]:
        """Why writes in the background could not be made since the last call, each reason once; raises other errors."""
        reasons = []
        for error in self._writer.take_failures():
            if not isinstance(error, OSError):
                raise error
            reasons.append(error.strerror or str(error))
        return list(dict.fromkeys(reasons))

    def _write_best(self, run: RunState) -> None:
        self.write_model(run.best_training, self._best)

    def _copy(self, slot: str, run: RunState) -> Checkpoint:
        """A state for `slot`; one that has just been evaluated is also where training goes back to."""
        self._generation += 1
        if slot == EVALUATED:
            run.rollback_generation = self._generation
        live = {f"trainer.{name}": tensor for name, tensor in self._trainer.state_tensors().items()}
        live.update({f"random.{kind}": state for kind, state in get_random_states(self._trainer.device).items()})
        tensors: Arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in live.items()}
        tensors.update({f"best.{name}": weights for name, weights in self._best.items()})
        state = {
            "format": FORMAT,
            "charrnn": __version__,
            "generation": self._generation,
            **self._description,
            "plan": dataclasses.asdict(self._trainer.task.plan),
            "trainer": self._trainer.get_state(),
            "record": run.to_json(),
        }
        checkpoint = Checkpoint(state, tensors)
        if slot == EVALUATED:
            self._rollback = checkpoint.select("trainer")
        return checkpoint

    def _read_rollback(self, generation: int) -> Arrays | None:
        """The trainer's tensors at the last evaluation, if that state is still there and valid."""
        with suppress(TrainingError):
            checkpoint = self.files.read(EVALUATED)
            if checkpoint is not None and checkpoint.generation == generation:
                return checkpoint.select("trainer")
        return None

    def _save_model(self, header: ModelHeader, weights: Tensors) -> None:
        calibrated = self._trainer.task.calibrate(weights, Measurement.from_summary(header.training))
        save_model(self.files.output, header, calibrated)
        self._model_step = header.training["best_step"]

    def _submit(self, key: str, job: Callable[[], None]) -> None:
        if self._world.is_leader:
            self._writer.submit(key, job)

    def _write(self, job: Callable[[], None]) -> None:
        if not self._world.is_leader:
            return
        try:
            job()
        except OSError as error:
            raise TrainingError(
                f"{error.filename or self.files.output} cannot be written: {error.strerror or error}; "
                "earlier saves are intact"
            ) from None


def _to_tensors(arrays: Arrays) -> dict[str, torch.Tensor]:
    """Copies in memory that PyTorch has allocated and aligned, so that results are equal to the last bit."""
    return {name: torch.from_numpy(array).clone() for name, array in arrays.items()}
