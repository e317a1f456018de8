"""The model that a command uses."""

from pathlib import Path

from charrnn.cli.display.notes import write_notes
from charrnn.files import models_folder
from charrnn.inference.locating import BUNDLED, default_model, find_model, list_models

NO_LABELS = "--label is for models of labelled texts; train one with: charrnn train FILE.tsv --labels"


def complete_model(incomplete: str) -> list[str]:
    """Names of models for a shell to complete; for a path, the shell completes file names itself."""
    return [path.stem for path in list_models() if path.stem.startswith(incomplete)]


def choose_model(name: str | None, *, quiet: bool) -> Path:
    """The model file of that name, or the default, named on stderr unless `quiet`; ModelFileError if there is none."""
    if name is not None:
        return find_model(name)
    path = default_model()
    folder = models_folder()
    newest = path.parent == folder
    note = (
        f"{path}, the newest in {folder}/"
        if newest
        else f"{BUNDLED}, which is included in charrnn, because {folder}/ has no models"
    )
    write_notes([f"model: {note}"], quiet=quiet)
    return path
