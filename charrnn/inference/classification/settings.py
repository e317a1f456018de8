"""Settings of using a classifier: defaults, limits and help texts."""

from dataclasses import dataclass

from charrnn.inference.settings import RUN
from charrnn.settings import setting


@dataclass(frozen=True)
class ClassifySettings:
    """What `charrnn classify` prints of each line."""

    all: bool = setting(False, "Print every label's probability.", group=RUN)


@dataclass(frozen=True)
class PlotSettings:
    """The plots that `charrnn evaluate` writes of a classifier."""

    plot: str | None = setting(
        None, "Plot a classifier's ROC curve and confusion matrix to this .png or .svg file.", group=RUN
    )
    overwrite: bool = setting(False, "Replace the plot if it exists.", group=RUN)
