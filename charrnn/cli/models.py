"""Finding the model that the user means."""

import difflib
from pathlib import Path

from charrnn.errors import ModelFileError

FOLDER = Path("models")
SUFFIX = ".safetensors"


def model_names() -> list[str]:
    """The names that stand for the models in models/, for a shell to complete."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def complete_model(incomplete: str) -> list[str]:
    """Model names that begin so; where a path is begun, the shell's own completion of files is better."""
    return [name for name in model_names() if name.startswith(incomplete)]


def find_model(name: str | None) -> Path:
    """The model file of that path, or of that name in models/; without a name, the newest one there.

    Raises:
        ModelFileError: if there is none; the message suggests what might have been meant.
    """
    here = sorted(FOLDER.glob(f"*{SUFFIX}"))
    if name is None:
        if not here:
            raise ModelFileError(
                f"no model in {FOLDER}/; name one with -m FILE, or train one with: charrnn train CORPUS"
            )
        return max(here, key=lambda path: path.stat().st_mtime)
    for path in (Path(name), FOLDER / name, FOLDER / f"{name}{SUFFIX}"):
        if path.is_file():
            return path
    if Path(name).is_dir():
        raise ModelFileError(f"{name} is a folder, not a model file; name a {SUFFIX} file")
    known = {path.stem: path for path in here}
    close = difflib.get_close_matches(Path(name).stem, known, n=3)
    hint = f"; did you mean {' or '.join(str(known[stem]) for stem in close)}?" if close else ""
    raise ModelFileError(f"no model at {name}{hint or '; train one with: charrnn train CORPUS'}")
