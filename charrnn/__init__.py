"""charrnn learns a text one character at a time and writes more of it.

For example:

    import charrnn

    model = charrnn.load("shakespeare")
    print(model.generate("ROMEO:", temperature=0.5, length=200))
    model = charrnn.train("book.txt", time="5m")
"""

TYPE_CHECKING = False  # typing is not imported: the sooner the command line handles Ctrl-C, the better
if TYPE_CHECKING:
    from typing import Any

    from charrnn.api import train as train
    from charrnn.inference.classification.classifier import Classifier as Classifier
    from charrnn.inference.loading import load as load
    from charrnn.inference.model import Model as Model

__version__ = "0.1.0"
__all__ = ["Classifier", "Model", "__version__", "load", "train"]

_HOMES = {
    "Classifier": "charrnn.inference.classification.classifier",
    "Model": "charrnn.inference.model",
    "load": "charrnn.inference.loading",
    "train": "charrnn.api",
}


def __getattr__(name: str) -> "Any":
    """Import public names on first use, so that `charrnn --help` does not wait for NumPy."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
