"""Settings of `charrnn inspect`: defaults, limits and help texts."""

from dataclasses import dataclass
from typing import ClassVar

from charrnn.settings import auto_setting, setting

LOOK, FILES = "Inspection", "Files"
MAX_SHOWN = 16_000  # characters, the widest canvas of browsers


@dataclass(frozen=True)
class UnitSettings:
    """What `charrnn inspect` shows of a language model's units."""

    panel: ClassVar[str] = LOOK
    layer: int | None = setting(
        None, "Look at this layer only; the first is 0.", at_least=0, shown_default="all layers"
    )
    unit: int | None = setting(
        None,
        "Colour the text by this unit of the top layer, or of --layer; the first is 0.",
        at_least=0,
        shown_default="the units with the clearest properties",
    )
    state: str = setting(
        "hidden", "State of the units to look at; cell is the cell state of an LSTM.", choices=("hidden", "cell")
    )
    find: bool = setting(False, "Rank units by how well they follow properties of the text.")
    match: str | None = setting(
        None,
        "Rank units by how well they follow matches of a regular expression; with --find, also by other properties.",
    )
    top: int = setting(1, "Number of units to list for each property.", at_least=1, at_most=100)
    unknown: str = setting(
        "error", "What to do with characters that are not in the model's vocabulary.", choices=("error", "skip")
    )
    npz: str | None = setting(None, "Write activations and gates to this file, as NumPy arrays.", group=FILES)

    @property
    def ranking(self) -> bool:
        """Whether units are ranked."""
        return self.find or self.match is not None


@dataclass(frozen=True)
class SpanSettings:
    """How much of the text `charrnn inspect` reads and shows."""

    panel: ClassVar[str] = LOOK
    length: int = setting(10_000, "Number of characters to read.", short="-l", at_least=1)
    shown: int | None = auto_setting("Number of characters to draw, of those read.", at_least=1, at_most=MAX_SHOWN)


@dataclass(frozen=True)
class PageSettings:
    """The page that `charrnn inspect` writes."""

    panel: ClassVar[str] = FILES
    html: str | None = setting(None, "Write an interactive HTML page to this file.")
    overwrite: bool = setting(False, "Replace existing files.")
