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
        "File to write: NAME.html is a page that writes in a browser, NAME.onnx a graph for other programs.",
        short="-o",
        shown_default="none; has to be given",
    )
    overwrite: bool = setting(False, "Replace the file if it exists.")
    quiet: bool = setting(False, "Say nothing on stderr but errors.")
