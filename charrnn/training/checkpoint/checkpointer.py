"""Saving a run: its best weights, the state to go back to, and the states that a resumed run continues from."""

import dataclasses
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from charrnn import __version__
from charrnn.errors import TrainingError
from charrnn.model.config import Tensors
from charrnn.model.file import save_model
from charrnn.model.header import ModelHeader
from charrnn.training.checkpoint.files import EVALUATED, FORMAT, LATEST, Arrays, Checkpoint, RunFiles
from charrnn.training.checkpoint.record import Record
from charrnn.training.checkpoint.writer import BackgroundWriter
from charrnn.training.devices.device import get_random_states, set_random_states
from charrnn.training.devices.world import World
from charrnn.training.tasks.task import Measurement
from charrnn.training.trainer import Trainer


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
        self._good: Arrays = {}
        self._generation = 0
        self._model_step: int | None = None  # whose weights the model file is known to hold

    def restore(self, saved: Checkpoint) -> Record:
        """Put trainer and randomness where they were when `saved` was made; returns the history of the run."""
        record = Record.from_json(saved.state["record"])
        if record.finished and dataclasses.asdict(self._trainer.task.plan.budget) != saved.state["plan"]["budget"]:
            record.finished, record.stale, record.annealing = False, 0, None  # a finished run is trained further
        self._generation = saved.generation
        self._best = saved.select("best")
        self._good = saved.select("trainer")
        self._trainer.set_state(_to_tensors(self._good), saved.state["trainer"])
        set_random_states(_to_tensors(saved.select("random")), self._trainer.device)
        if record.good != saved.generation:
            evaluated: Arrays | None = self._world.broadcast(lambda: self._read_good(record.good))
            self._good = evaluated or self._good
        return record

    def go_back(self) -> None:
        """Undo what the trainer has learned since the last evaluation."""
        self._trainer.go_back(_to_tensors(self._good))

    def go_back_to_best(self) -> None:
        """Give the trainer the best weights."""
        self._trainer.load_weights(self._best)

    def save_best(self, weights: Tensors, record: Record) -> None:
        """Write `weights` to the model file in the background; `record.best_training` describes how they were made."""
        self._best = weights
        header = self._trainer.task.make_header(record.best_training)
        self._submit("model", lambda: self._save_model(header, weights))

    def save_first(self, record: Record, *, resumed: bool) -> None:
        """Save before the first step, so that a run that cannot be saved ends here.

        A resumed run also writes its best model again: whatever came after the saved state is undone.

        Raises:
            TrainingError: if it cannot be written.
        """
        self._generation = max(self._generation, self.files.last_generation())
        slot = LATEST if resumed else EVALUATED
        checkpoint = self._copy(slot, record)
        self._write(lambda: self.files.write(slot, checkpoint))
        if not resumed:
            self._write(lambda: self.files.remove(LATEST))  # of the run that was here before
        elif self._best:
            self._write_best(record)
        self._write(self.files.remove_partials)

    def save_in_background(self, slot: str, record: Record) -> None:
        """Copy the state now, and write it while training continues."""
        checkpoint = self._copy(slot, record)
        self._submit(slot, lambda: self.files.write(slot, checkpoint))

    def save_now(self, record: Record) -> None:
        """Save, wait for it, and save the best model too if its last save failed; TrainingError if it fails."""
        self.wait()
        self.take_failures()  # of states that this one replaces
        checkpoint = self._copy(LATEST, record)
        self._write(lambda: self.files.write(LATEST, checkpoint))
        if self._model_step != record.best_step and self._best:
            self._write_best(record)

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

    def _write_best(self, record: Record) -> None:
        self.write_model(record.best_training, self._best)

    def _copy(self, slot: str, record: Record) -> Checkpoint:
        """A state for `slot`; one that has just been evaluated is also where training goes back to."""
        self._generation += 1
        if slot == EVALUATED:
            record.good = self._generation
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
            "record": dataclasses.asdict(record),
        }
        checkpoint = Checkpoint(state, tensors)
        if slot == EVALUATED:
            self._good = checkpoint.select("trainer")
        return checkpoint

    def _read_good(self, generation: int) -> Arrays | None:
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
