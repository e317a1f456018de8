"""Finding a model file by its name, for `charrnn.load` and the command line's `-m`."""

import os
from pathlib import Path

from charrnn.errors import ModelFileError
from charrnn.files import models_folder

SUFFIX = ".safetensors"
PACKAGE = Path(__file__).parents[1]
BUNDLED = "shakespeare"
BUNDLED_IN = (PACKAGE, PACKAGE.parent / "models")  # of a wheel, of a checkout


def list_models() -> list[Path]:
    """The model files in models/, sorted by name."""
    return sorted(models_folder().glob(f"*{SUFFIX}"))


def bundled_model() -> Path | None:
    """The model that comes with charrnn, if it is there."""
    paths = (folder / f"{BUNDLED}{SUFFIX}" for folder in BUNDLED_IN)
    return next((path for path in paths if path.is_file()), None)


def default_model() -> Path:
    """The newest model in models/ or, where there is none, the bundled one; ModelFileError if there is none at all."""
    newest = max(list_models(), key=lambda path: path.stat().st_mtime, default=None) or bundled_model()
    if newest is None:
        raise ModelFileError(
            f"no model in {models_folder()}/; give a model with -m FILE, or train one with: charrnn train CORPUS"
        )
    return newest


def find_model(name: str | os.PathLike[str]) -> Path:
    """The model file at that path or of that name in models/; ModelFileError, with similar names, if there is none."""
    for path in (Path(name), models_folder() / name, models_folder() / f"{os.fspath(name)}{SUFFIX}"):
        if path.is_file():
            return path
    bundled = bundled_model()
    if bundled is not None and os.fspath(name) == BUNDLED:
        return bundled
    if Path(name).exists():
        return Path(name)  # a folder or a pipe: opening it raises an error that says so
    import difflib

    known = {path.stem: str(path) for path in list_models()}
    if bundled is not None:
        known.setdefault(BUNDLED, BUNDLED)
    close = difflib.get_close_matches(Path(name).stem, known, n=3)
    hint = f"did you mean {' or '.join(known[stem] for stem in close)}?" if close else ""
    raise ModelFileError(f"there is no model {name}; {hint or 'train one with: charrnn train CORPUS'}")
