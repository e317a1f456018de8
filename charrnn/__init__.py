"""charrnn learns a text one character at a time and writes more of it.

import charrnn

model = charrnn.load("models/shakespeare.safetensors")
print(model.generate("ROMEO:", temperature=0.5, length=200))
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.inference.model import Model as Model
    from charrnn.inference.model import load as load

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import `load` and `Model` when they are first asked for: `charrnn --help` should not wait for NumPy."""
    if name in ("load", "Model"):
        from charrnn.inference import model as api

        return getattr(api, name)
    raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
