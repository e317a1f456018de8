"""Settings of scoring a text: defaults, limits and help texts."""

from dataclasses import dataclass
from typing import ClassVar

from charrnn.inference.settings import RUN
from charrnn.settings import setting


@dataclass(frozen=True)
class DetailSettings:
    """How `charrnn evaluate` scores a plain text, and what it prints besides the figures of the whole."""

    panel: ClassVar[str] = RUN
    per_line: bool = setting(
        False,
        "Print the bits per character, the length and the text of each line. Lines are scored one by one, with their "
        "line ends.",
    )
    per_char: bool = setting(
        False,
        "Print the text, coloured by how improbable each character is. Without colours, print a line for each "
        "character with its nats (nan if unknown).",
    )
    compare: bool = setting(
        False,
        "Also print how many bits per character gzip, xz and the best n-gram model need for the text. They learn "
        "while they read it.",
        group=RUN,
    )
    compare_after: str | None = setting(
        None, "Like --compare, but let them read this file first, such as the training text.", group=RUN
    )

    label: str | None = setting(
        None,
        "Score each line of a plain text as a text with this label, if the model has labels.",
        group=RUN,
        shown_default="the most frequent",
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
