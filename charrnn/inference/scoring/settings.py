"""Settings of scoring a text: defaults, limits and help texts."""

from dataclasses import dataclass

from charrnn.inference.settings import RUN
from charrnn.settings import setting


@dataclass(frozen=True)
class DetailSettings:
    """What `charrnn evaluate` prints besides the figures of the whole text."""

    per_line: bool = setting(
        False,
        "Print bits per character, characters and text of each line, scored from a fresh state with its line end.",
        group=RUN,
    )
    per_char: bool = setting(
        False,
        "Print the text, coloured by how improbable each character is; without colours, a line for each "
        "character and its nats (nan if unknown).",
        group=RUN,
    )

    @property
    def any(self) -> bool:
        """Whether a table is printed."""
        return self.per_line or self.per_char


@dataclass(frozen=True)
class DynamicSettings:
    """Dynamic evaluation: what `charrnn evaluate` learns from the text that it scores."""

    adapt: bool = setting(
        False,
        "Score the text a second time with a copy of the model that learns from each part after scoring it.",
        group=RUN,
    )
