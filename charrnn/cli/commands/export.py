"""`charrnn export`: a model as a page that writes in a browser, or as an ONNX graph."""

import datetime as dt
from pathlib import Path

from charrnn.cli.display.notes import write_notes
from charrnn.cli.models import choose_model
from charrnn.errors import UsageError
from charrnn.files import atomic_write, check_output
from charrnn.inference.settings import ExportSettings

EXAMPLES = ("charrnn export -o book.html", "charrnn export -m shakespeare -o shakespeare.onnx")


def export(*, settings: ExportSettings) -> None:
    """Export a model as a web page that generates text in any browser, offline, or as an ONNX graph."""
    file = _get_output_file(settings)
    path = choose_model(settings.model, quiet=settings.quiet)
    check_output(file, [path], overwrite=settings.overwrite)
    from charrnn.model.file import load_model

    header, tensors = load_model(path)
    if file.suffix.lower() == ".html":
        from charrnn.inference.export.page import build_page

        modified = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
        content = build_page(path.stem, header, tensors, modified.date().isoformat())
        use = "open it in a browser"
    else:
        from charrnn.inference.export.onnx import build_graph

        content = build_graph(header, tensors).SerializeToString()
        use = "run it with onnxruntime"
    with atomic_write(file) as stream:
        stream.write(content)
    write_notes([f"{file}: {len(content) / 1e6:.1f} MB; {use}"], quiet=settings.quiet)


def _get_output_file(settings: ExportSettings) -> Path:
    """The file to write; UsageError if there is no name with a known suffix."""
    if settings.output is None:
        raise UsageError("name the file to write: -o page.html for a page, or -o model.onnx for an ONNX graph")
    file = Path(settings.output)
    if file.suffix.lower() not in (".html", ".onnx"):
        raise UsageError(f"--output must end in .html or .onnx; found {settings.output}")
    return file
