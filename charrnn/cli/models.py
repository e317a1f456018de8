"""Finding the model that the user means."""

import difflib
from pathlib import Path

import typer

import charrnn
from charrnn.errors import ModelFileError

FOLDER = Path("models")
SUFFIX = ".safetensors"
PACKAGE = Path(charrnn.__file__).parent
PACKAGED_IN = (PACKAGE, PACKAGE.parent / FOLDER)  # where a wheel puts the model in the box; where a checkout has it
PACKAGED = "shakespeare"


def model_names() -> list[str]:
    """The names that stand for the models in models/, for a shell to complete."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def complete_model(incomplete: str) -> list[str]:
    """Model names that begin so; where a path is begun, the shell's own completion of files is better."""
    return [name for name in model_names() if name.startswith(incomplete)]


def find_model(name: str | None, *, quiet: bool = False) -> Path:
    """The model file of that path, or of that name in models/; without a name, the newest one there.

    Where models/ has none, it is the one that comes with charrnn, and a line on stderr says so unless `quiet`.

    Raises:
        ModelFileError: if there is none; the message suggests what might have been meant.
    """
    here = sorted(FOLDER.glob(f"*{SUFFIX}"))
    packaged = packaged_model()
    if name is None:
        if here:
            return max(here, key=lambda path: path.stat().st_mtime)
        if packaged is None:
            raise ModelFileError(
                f"no model in {FOLDER}/; name one with -m FILE, or train one with: charrnn train CORPUS"
            )
        if not quiet:
            typer.echo(f"no model in {FOLDER}/: taking {PACKAGED}, which comes with charrnn", err=True)
        return packaged
    for path in (Path(name), FOLDER / name, FOLDER / f"{name}{SUFFIX}"):
        if path.is_file():
            return path
    if name == PACKAGED and packaged is not None:
        return packaged
    if Path(name).is_dir():
        raise ModelFileError(f"{name} is a folder, not a model file; name a {SUFFIX} file")
    known = {path.stem: str(path) for path in here}
    if packaged is not None:
        known.setdefault(PACKAGED, PACKAGED)
    close = difflib.get_close_matches(Path(name).stem, known, n=3)
    hint = f"; did you mean {' or '.join(known[stem] for stem in close)}?" if close else ""
    raise ModelFileError(f"no model at {name}{hint or '; train one with: charrnn train CORPUS'}")


def packaged_model() -> Path | None:
    """The model that comes with charrnn, if it is there."""
    places = (folder / f"{PACKAGED}{SUFFIX}" for folder in PACKAGED_IN)
    return next((path for path in places if path.is_file()), None)
