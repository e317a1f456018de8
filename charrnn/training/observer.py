"""What the caller of a run shows of it; the command line and Python programs each have their own."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrnn.training.reporting import Reporter

OTHER_TEXT = "OTHER-TEXT"  # in place of the name of a text that was not learned

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Surroundings:
    """What the last lines about a run name beside its model: a text to evaluate, and TensorBoard's folder, if any."""

    text: str = OTHER_TEXT
    logdir: Path | None = None


class Observer:
    """Shows nothing; subclasses show what they want."""

    def show_reading(self) -> AbstractContextManager[OnProgress | None]:
        """A context in which the corpus is read; its value is called with the bytes read and their total."""
        return nullcontext()

    def show_loading(self) -> None:
        """Show that PyTorch is about to be loaded, which takes seconds."""

    def make_reporters(self, surroundings: Surroundings) -> "Sequence[Reporter]":  # noqa: ARG002
        """The reporters that show the run itself."""
        return ()
