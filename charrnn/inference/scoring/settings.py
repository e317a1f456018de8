"""Settings of scoring a text: defaults, limits and help texts."""

from dataclasses import dataclass
from typing import ClassVar

from charrnn.inference.settings import RUN
from charrnn.settings import setting


@dataclass(frozen=True)
class DetailSettings:
    """What `charrnn evaluate` prints besides the figures of the whole text."""

    panel: ClassVar[str] = RUN
    per_line: bool = setting(
        False,
        "Print bits per character, characters and text of each line, scored from a fresh state with its line end.",
    )
    per_char: bool = setting(
        False,
        "Print the text, coloured by how improbable each character is; without colours, a line for each "
        "character and its nats (nan if unknown).",
    )
    compare: bool = setting(
        False,
        "Also print what gzip, xz and an n-gram model of the best order need for the text. They learn while they "
        "read it.",
        group=RUN,
    )
    compare_after: str | None = setting(
        None, "The same, after they have read this file, such as the training text.", group=RUN
    )

    @property
    def table(self) -> bool:
        """Whether a table is printed."""
        return self.per_line or self.per_char

    @property
    def compares(self) -> bool:
        """Whether to compare."""
        return self.compare or self.compare_after is not None


@dataclass(frozen=True)
class DynamicSettings:
    """Dynamic evaluation: what `charrnn evaluate` learns from the text that it scores."""

    panel: ClassVar[str] = RUN
    adapt: bool = setting(
        False, "Score the text a second time with a copy of the model that learns from each part after scoring it."
    )
