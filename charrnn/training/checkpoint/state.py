"""The saved state of a run: one safetensors file for each of two slots, whole or not there at all.

A state is named tensors and one JSON string, in the file's metadata, with a digest of both. `evaluated` is the
state after the last validation, `latest` any later one. Each is replaced only when its successor is on disk, so
there is always one to go on from, and the digest tells a damaged one from a good one. NumPy only: whether a run
can be resumed is known before PyTorch is loaded.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import TrainingError
from charrnn.files import atomic_write, partial_path

FORMAT = 1
EVALUATED, LATEST = "evaluated", "latest"
SUFFIX = ".resume"

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on: `state` is JSON-able, `tensors` are copies that nobody changes."""

    state: dict[str, Any]
    tensors: Arrays

    @property
    def generation(self) -> int:
        """Which save of this output it is; later ones have larger numbers."""
        return int(self.state["generation"])

    def part(self, prefix: str) -> Arrays:
        """The tensors whose names begin with `prefix` and a dot, without it."""
        start = f"{prefix}."
        return {name[len(start) :]: array for name, array in self.tensors.items() if name.startswith(start)}


class CheckpointFolder:
    """The folder of one output's saved states: `models/book.resume` beside `models/book.safetensors`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, output: Path) -> "CheckpointFolder":
        """The folder that belongs to a model file."""
        name = output.stem if output.suffix == ".safetensors" else output.name
        return cls(output.with_name(name + SUFFIX))

    def has_any(self) -> bool:
        """Whether a state lies here, whole or not."""
        return any(self._file(slot).is_file() for slot in (EVALUATED, LATEST))

    def write(self, slot: str, checkpoint: Checkpoint) -> None:
        """Replace the state in `slot`; the old one stays until the new one is on disk.

        Raises:
            OSError: if it cannot be written.
        """
        from safetensors.numpy import save

        text = json.dumps(checkpoint.state)
        metadata = {"charrnn-state": text, "digest": _digest(text, checkpoint.tensors)}
        with atomic_write(self._file(slot)) as stream:
            stream.write(save(checkpoint.tensors, metadata=metadata))

    def read(self, slot: str) -> Checkpoint | None:
        """The state in `slot`, checked; None if there is none.

        Raises:
            TrainingError: if it is damaged, or of another version.
        """
        path = self._file(slot)
        if not path.is_file():
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors: Arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except (SafetensorError, OSError, TypeError) as error:
            raise TrainingError(f"{path} is damaged ({' '.join(str(error).split())[:100]})") from None
        text = metadata.get("charrnn-state", "")
        if metadata.get("digest") != _digest(text, tensors):
            raise TrainingError(f"{path} is damaged (its digest does not fit its content)")
        state = json.loads(text)
        if state.get("format") != FORMAT:
            raise TrainingError(f"{path} has state format {state.get('format')}; this charrnn goes on from {FORMAT}")
        return Checkpoint(state, tensors)

    def newest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest whole state, if there is one, and what is wrong with those that are not whole.

        Raises:
            TrainingError: if there are states, but none that is whole.
        """
        found, complaints = [], []
        for slot in (EVALUATED, LATEST):
            try:
                found.append(self.read(slot))
            except TrainingError as error:
                complaints.append(str(error))
        whole = [checkpoint for checkpoint in found if checkpoint is not None]
        if complaints and not whole:
            raise TrainingError(f"nothing to resume: {'; '.join(complaints)}. Start anew with --overwrite")
        return max(whole, key=lambda checkpoint: checkpoint.generation, default=None), complaints

    def last_generation(self) -> int:
        """The largest generation that is here, 0 if none can be told."""
        found = [0]
        for slot in (EVALUATED, LATEST):
            with suppress(TrainingError):
                checkpoint = self.read(slot)
                found.append(checkpoint.generation if checkpoint else 0)
        return max(found)

    def remove(self, slot: str) -> None:
        """Take away the state in `slot`."""
        self._file(slot).unlink(missing_ok=True)

    def partials(self) -> list[Path]:
        """What killed saves may have left half written."""
        return [partial_path(self._file(slot)) for slot in (EVALUATED, LATEST)]

    def _file(self, slot: str) -> Path:
        return self.path / f"{slot}.safetensors"


def _digest(text: str, tensors: Arrays) -> str:
    """SHA-256 over the JSON string and every tensor's name, type, shape and bytes."""
    found = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        found.update(f"\n{name} {array.dtype.str} {tensors[name].shape}\n".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()
