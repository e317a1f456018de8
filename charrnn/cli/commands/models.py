"""`charrnn models`: which models there are."""

from datetime import datetime
from pathlib import Path
from typing import Any

from charrnn.cli.display.escape import to_cell, visible
from charrnn.cli.display.notes import write_notes
from charrnn.cli.display.records import print_record
from charrnn.cli.streams import write_line
from charrnn.errors import ModelFileError
from charrnn.files import models_folder
from charrnn.inference.locating import bundled_model, list_models
from charrnn.inference.settings import OutputSettings

COLUMNS = ("name", "task", "network", "parameters", "corpus", "valid_loss", "date")
EXAMPLES = ("charrnn models", "charrnn models --json")


def models(*, output: OutputSettings) -> None:
    """List the models in models/: size, corpus, held-out loss and date."""
    paths = list_models()
    bundled = bundled_model()
    if bundled is not None and bundled.resolve() not in [path.resolve() for path in paths]:
        paths.append(bundled)
    rows = [row for path in paths if (row := _describe(path, quiet=output.quiet)) is not None]
    if output.json:
        for row in rows:
            print_record(row)
        return
    if not rows:
        write_notes([f"no model in {models_folder()}/; train one with: charrnn train CORPUS"], quiet=output.quiet)
        return
    cells = [COLUMNS, *([visible(to_cell(str(row[name]))) for name in COLUMNS] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(COLUMNS))]
    for line in cells:
        write_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _describe(path: Path, *, quiet: bool) -> dict[str, Any] | None:
    """A row for a model file; None, and a note, if it is damaged."""
    from charrnn.model.file import read_header

    try:
        header = read_header(path)
    except ModelFileError as error:
        write_notes([str(error)], quiet=quiet)
        return None
    config, loss = header.config, header.training.get("valid_loss")
    return {
        "name": path.stem,
        "task": "labels" if header.labels and header.task == "language" else header.task,
        "network": f"{config.cell} {config.layers}x{config.hidden_size}",
        "parameters": config.parameters,
        "corpus": header.training.get("corpus"),
        "valid_loss": round(loss, 4) if isinstance(loss, float) else None,
        "date": datetime.fromtimestamp(path.stat().st_mtime).astimezone().isoformat(" ", "minutes")[:16],
    }
