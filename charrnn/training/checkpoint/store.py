"""The files of a run, the model and the saved states, written behind the training's back or at once."""

from collections.abc import Callable
from pathlib import Path

from charrnn.errors import TrainingError
from charrnn.files import partial_path
from charrnn.model.config import Tensors
from charrnn.model.file import save_model
from charrnn.model.header import ModelHeader
from charrnn.training.checkpoint.saver import Saver
from charrnn.training.checkpoint.state import LATEST, Checkpoint, CheckpointFolder


class Store:
    """Where a run keeps itself: the model file `output`, and the folder of states beside it.

    Attributes:
        folder: of the saved states.
        model_step: the step whose weights the model file is known to hold.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = CheckpointFolder.of(output)
        self.model_step: int | None = None
        self._saver = Saver()

    def keep_state(self, slot: str, checkpoint: Checkpoint) -> None:
        """Write a state in the background."""
        self._submit(slot, lambda: self.folder.write(slot, checkpoint))

    def keep_model(self, header: ModelHeader, weights: Tensors) -> None:
        """Write the model in the background."""
        self._submit("model", lambda: self._save_model(header, weights))

    def write_state(self, slot: str, checkpoint: Checkpoint) -> None:
        """Write a state now.

        Raises:
            TrainingError: if it cannot be written.
        """
        self._write(lambda: self.folder.write(slot, checkpoint))

    def write_model(self, header: ModelHeader, weights: Tensors) -> None:
        """Write the model now.

        Raises:
            TrainingError: if it cannot be written.
        """
        self._write(lambda: self._save_model(header, weights))

    def wait(self) -> None:
        """Return when all is written, or has failed."""
        self._saver.wait()

    def failures(self) -> list[str]:
        """Why writes in the background have failed since this was last asked.

        Raises:
            Exception: if one failed for another reason than that it could not be written.
        """
        reasons = []
        for error in self._saver.failures():
            if not isinstance(error, OSError):
                raise error
            reasons.append(_reason(error))
        return reasons

    def begin_anew(self) -> None:
        """Take away the later state of the run that was here before: the new one's first state is written."""
        self._write(lambda: self.folder.remove(LATEST))

    def partials(self) -> list[Path]:
        """What writes that are cut off leave behind."""
        return [partial_path(self.output), *self.folder.partials()]

    def remove_partials(self) -> None:
        """Take away what a killed run has left half written."""
        for partial in self.partials():
            partial.unlink(missing_ok=True)

    def _save_model(self, header: ModelHeader, weights: Tensors) -> None:
        save_model(self.output, header, weights)
        self.model_step = header.training["best_step"]

    def _submit(self, key: str, job: Callable[[], None]) -> None:
        self._saver.submit(key, job)

    def _write(self, job: Callable[[], None]) -> None:
        try:
            job()
        except OSError as error:
            raise TrainingError(
                f"{error.filename or self.output} cannot be written: {_reason(error)}; what was saved before is whole"
            ) from None


class NoStore(Store):
    """The store of a process that leaves writing to the first one."""

    def remove_partials(self) -> None:
        """Nothing: they may be the first process's own."""

    def _submit(self, key: str, job: Callable[[], None]) -> None:
        pass

    def _write(self, job: Callable[[], None]) -> None:
        pass


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
