"""Settings of using a classifier: defaults, limits and help texts."""

from dataclasses import dataclass
from typing import ClassVar

from charrnn.inference.settings import RUN
from charrnn.settings import setting


@dataclass(frozen=True)
class ClassifySettings:
    """What `charrnn classify` prints of each line."""

    panel: ClassVar[str] = RUN
    all: bool = setting(False, "Print the probability of every label.")


@dataclass(frozen=True)
class PlotSettings:
    """The plots that `charrnn evaluate` writes of a classifier."""

    panel: ClassVar[str] = RUN
    plot: str | None = setting(None, "Plot a classifier's ROC curve and confusion matrix to this .png or .svg file.")
    overwrite: bool = setting(False, "Replace the plot if it exists.")
