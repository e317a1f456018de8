"""The settings of `charrnn export`."""

from dataclasses import dataclass

from charrnn.settings import setting


@dataclass(frozen=True)
class ExportSettings:
    """What is exported, and to which file."""

    model: str | None = setting(
        None, "Model file, or its name in models/.", short="-m", shown_default="newest in models/", model=True
    )
    output: str | None = setting(
        None,
        "File to write (required): NAME.html is a page that generates text in a browser, NAME.onnx a graph for other "
        "programs.",
        short="-o",
    )
    overwrite: bool = setting(False, "Replace the file if it exists.")
    quiet: bool = setting(False, "Print only errors to stderr.", short="-q")
