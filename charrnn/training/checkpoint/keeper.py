"""Keeping a run: its best weights, the state to go back to, and the states that a resumed run goes on from."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import torch

from charrnn import __version__
from charrnn.errors import TrainingError
from charrnn.model.config import Tensors
from charrnn.model.header import ModelHeader
from charrnn.training.checkpoint import state as checkpoint
from charrnn.training.checkpoint.record import Record
from charrnn.training.checkpoint.state import EVALUATED, LATEST, Arrays, Checkpoint
from charrnn.training.checkpoint.store import NoStore, Store
from charrnn.training.devices import random_states, restore_random_states
from charrnn.training.ranks import World


class Kept(Protocol):
    """A trainer whose state can be copied and brought back."""

    device: torch.device
    world: World

    def state_tensors(self) -> dict[str, torch.Tensor]:
        """Every tensor that decides how training goes on, by name."""

    def state_json(self) -> dict[str, Any]:
        """Everything else that does."""

    def restore(self, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """Go on from copies of both."""

    def go_back(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take back what was learned since `tensors` were copied."""


class Keeper:
    """Copies a run at step borders, and has the copies written; brings a saved run back.

    Of several processes all copy together, for each has a part of the state; only the first one writes.

    Args:
        output: the model file.
        plan: of the run, a dataclass with the model's `config` and the `budget`.
        trainer: whose state is kept.
        vocabulary: as the model file holds it.
        labels: names of the classes of labelled texts, and how many texts each has.
        described: what a saved state says of the run beside its progress: settings, corpus, folders.
    """

    def __init__(
        self,
        output: Path,
        plan: Any,
        trainer: Kept,
        vocabulary: dict[str, Any],
        described: dict[str, Any],
        labels: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.store = Store(output) if trainer.world.leads else NoStore(output)
        self._plan = plan
        self._trainer = trainer
        self._vocabulary = vocabulary
        self._described = described
        self._labels = labels
        self._best: Tensors = {}
        self._good: Arrays = {}
        self._generation = 0

    def header(self, training: dict[str, Any]) -> ModelHeader:
        """A model file's header that says `training` of how it was made."""
        labels = tuple(self._labels)
        counts = tuple(self._labels.values())
        return ModelHeader(self._plan.config, self._vocabulary, training, labels=labels, label_counts=counts)

    def bring_back(self, saved: Checkpoint) -> Record:
        """Put trainer and randomness where they were when `saved` was made; returns what the run had been through."""
        record = Record.from_json(saved.state["record"])
        if record.finished and dataclasses.asdict(self._plan.budget) != saved.state["plan"]["budget"]:
            record.finished, record.stale = False, 0  # a finished run is trained further
        self._generation = saved.generation
        self._best = saved.part("best")
        self._trainer.restore(_live(saved.part("trainer")), saved.state["trainer"])
        restore_random_states(_live(saved.part("random")), self._trainer.device)
        self._good = saved.part("trainer")
        if record.good != saved.generation:
            there = self._trainer.world.lead(lambda: self._good_of(record.good))
            self._good = there or self._good
        return record

    def go_back(self) -> None:
        """Undo what the trainer has learned since the last evaluation."""
        self._trainer.go_back(_live(self._good))

    def keep_best(self, weights: Tensors, record: Record) -> None:
        """`weights` go into the model file, in the background; `record.best_training` says how they were made."""
        self._best = weights
        self.store.keep_model(self.header(record.best_training), weights)

    def save_first(self, record: Record, *, resumed: bool) -> None:
        """Save before the first step: a run that cannot be saved ends here, not when it has learned something.

        A resumed run also writes its best model again: whatever came after the saved state is undone.

        Raises:
            TrainingError: if it cannot be written.
        """
        self._generation = max(self._generation, self.store.folder.last_generation())
        slot = LATEST if resumed else EVALUATED
        self.store.write_state(slot, self._copy(slot, record))
        if not resumed:
            self.store.begin_anew()
        elif self._best:
            self._write_best(record)
        self.store.remove_partials()

    def save_behind(self, slot: str, record: Record) -> None:
        """Copy the state now, and write it while training goes on."""
        self.store.keep_state(slot, self._copy(slot, record))

    def save_now(self, record: Record) -> None:
        """Save and wait until it is on disk, and the best model too if its last save failed.

        Raises:
            TrainingError: if it cannot be written.
        """
        self.store.wait()
        self.store.failures()  # of states that this one replaces
        self.store.write_state(LATEST, self._copy(LATEST, record))
        if self.store.model_step != record.best_step and self._best:
            self._write_best(record)

    def _write_best(self, record: Record) -> None:
        self.store.write_model(self.header(record.best_training), self._best)

    def _copy(self, slot: str, record: Record) -> Checkpoint:
        """A state for `slot`; one that has just been evaluated is also where training goes back to."""
        self._generation += 1
        if slot == EVALUATED:
            record.good = self._generation
        live = {f"trainer.{name}": tensor for name, tensor in self._trainer.state_tensors().items()}
        live.update({f"random.{kind}": state for kind, state in random_states(self._trainer.device).items()})
        tensors: Arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in live.items()}
        tensors.update({f"best.{name}": weights for name, weights in self._best.items()})
        state = {
            "format": checkpoint.FORMAT,
            "charrnn": __version__,
            "generation": self._generation,
            **self._described,
            "plan": dataclasses.asdict(self._plan),
            "trainer": self._trainer.state_json(),
            "record": record.to_json(),
        }
        saved = Checkpoint(state, tensors)
        if slot == EVALUATED:
            self._good = saved.part("trainer")
        return saved

    def _good_of(self, generation: int) -> Arrays | None:
        """The trainer's tensors at the last evaluation, if that state is still there and whole."""
        try:
            found = self.store.folder.read(EVALUATED)
        except TrainingError:
            return None
        return found.part("trainer") if found is not None and found.generation == generation else None


def _live(arrays: Arrays) -> dict[str, torch.Tensor]:
    """Copies as tensors in memory of PyTorch's own, aligned as it likes it: results are the same to the bit."""
    return {name: torch.from_numpy(array).clone() for name, array in arrays.items()}
