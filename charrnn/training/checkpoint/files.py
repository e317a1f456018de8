"""The files of a run: the model file, and the saved states beside it, whole or not there at all.

    models/book.safetensors                     the model with the best weights so far
    models/book.resume/evaluated.safetensors    the state after the last validation
    models/book.resume/latest.safetensors       any later state

A state is named tensors and one JSON string, in the metadata of a safetensors file, with a digest of both that tells
a damaged file from a good one. Each is replaced only when its successor is on disk, so there is always one to resume
from. This module loads no PyTorch: whether a run can be resumed is known before that.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import TrainingError
from charrnn.files import atomic_write, partial_path, remove_partial
from charrnn.model.file import read_tensor, write_tensors

FORMAT = 1
EVALUATED, LATEST = "evaluated", "latest"
SLOTS = (EVALUATED, LATEST)
SUFFIX = ".resume"

T = TypeVar("T")
Arrays = dict[str, NDArray[Any]]


def select_tensors(tensors: Mapping[str, T], prefix: str) -> dict[str, T]:
    """The tensors whose names begin with `prefix` and a dot, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a run needs to continue: a JSON-able `state`, and copies of its tensors."""

    state: dict[str, Any]
    tensors: Arrays

    @property
    def generation(self) -> int:
        """The number of this save of its model file; later saves have larger numbers."""
        return int(self.state["generation"])

    def select(self, prefix: str) -> Arrays:
        """The tensors whose names begin with `prefix` and a dot, without it."""
        return select_tensors(self.tensors, prefix)


class RunFiles:
    """The files that belong to the model file `output`; saved states lie in `folder`."""

    def __init__(self, output: Path) -> None:
        self.output = output
        name = output.stem if output.suffix == ".safetensors" else output.name
        self.folder = output.with_name(name + SUFFIX)

    def has_states(self) -> bool:
        """Whether there is a saved state, valid or not."""
        return any(self._path(slot).is_file() for slot in SLOTS)

    def write(self, slot: str, checkpoint: Checkpoint) -> None:
        """Replace the state in `slot`; the old one stays until the new one is on disk. OSError if it fails."""
        text = json.dumps(checkpoint.state)
        metadata = {"charrnn-state": text, "digest": _digest(text, checkpoint.tensors)}
        with atomic_write(self._path(slot)) as stream:
            write_tensors(stream, checkpoint.tensors, metadata)

    def read(self, slot: str) -> Checkpoint | None:
        """The state in `slot`, None if there is none; TrainingError if it is damaged, or of another version."""
        path = self._path(slot)
        if not path.is_file():
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors: Arrays = {name: read_tensor(file, name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except (SafetensorError, OSError, TypeError) as error:
            raise TrainingError(f"{path} is damaged ({' '.join(str(error).split())[:100]})") from None
        text = metadata.get("charrnn-state", "")
        if metadata.get("digest") != _digest(text, tensors):
            raise TrainingError(f"{path} is damaged (its digest does not match its content)")
        state = json.loads(text)
        if state.get("format") != FORMAT:
            raise TrainingError(
                f"{path} has state format {state.get('format')}; this version of charrnn resumes format {FORMAT}"
            )
        return Checkpoint(state, tensors)

    def read_newest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest valid state, if there are states, and what is wrong with others; TrainingError if all are."""
        checkpoints, problems = [], []
        for slot in SLOTS:
            try:
                checkpoints.append(self.read(slot))
            except TrainingError as error:
                problems.append(str(error))
        valid = [checkpoint for checkpoint in checkpoints if checkpoint is not None]
        if problems and not valid:
            raise TrainingError(f"nothing to resume: {'; '.join(problems)}. Start over with --overwrite")
        return max(valid, key=lambda checkpoint: checkpoint.generation, default=None), problems

    def read_last_generation(self) -> int:
        """The largest generation of the states, 0 if there is none; reads no tensors, so it does not check them."""
        from safetensors import SafetensorError, safe_open

        generation = 0
        for slot in SLOTS:
            with suppress(SafetensorError, OSError, ValueError, KeyError):
                with safe_open(self._path(slot), framework="numpy") as file:
                    state = json.loads((file.metadata() or {})["charrnn-state"])
                generation = max(generation, int(state["generation"]))
        return generation

    def remove(self, slot: str) -> None:
        """Remove the state in `slot`, if there is one."""
        self._path(slot).unlink(missing_ok=True)

    def partials(self) -> list[Path]:
        """The names of half-written files that interrupted writes leave behind."""
        return [partial_path(self.output), *(partial_path(self._path(slot)) for slot in SLOTS)]

    def remove_partials(self) -> None:
        """Remove the half-written files of a killed run."""
        for path in (self.output, *map(self._path, SLOTS)):
            remove_partial(path)

    def _path(self, slot: str) -> Path:
        return self.folder / f"{slot}.safetensors"


def _digest(text: str, tensors: Arrays) -> str:
    """SHA-256 over the JSON string and every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"\n{name} {array.dtype.str} {tensors[name].shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
