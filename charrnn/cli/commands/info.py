"""`charrnn info`: what a model file holds."""

import dataclasses
import json
from typing import Annotated, Any

import typer

from charrnn.cli.display.escape import to_cell, visible
from charrnn.cli.display.records import print_record
from charrnn.cli.models import choose_model, complete_model
from charrnn.cli.streams import write_line
from charrnn.inference.settings import OutputSettings

EXAMPLES = ("charrnn info", "charrnn info book --json")


def info(
    model: Annotated[
        str | None,
        typer.Argument(
            help="Model file, or its name in models/.", show_default="newest", autocompletion=complete_model
        ),
    ] = None,
    *,
    output: OutputSettings,
) -> None:
    """Show what a model file contains, without reading its weights."""
    from charrnn.model.file import read_header

    path = choose_model(model, quiet=output.quiet)
    header = read_header(path)
    training = header.training
    values: dict[str, Any] = {
        "model": str(path),
        "format": header.format,
        "precision": header.precision,
        "task": header.task,
        **dataclasses.asdict(header.config),
        "parameters": header.config.parameters,
        "vocab": header.config.vocab_size,
        "tokens": header.vocabulary.get("tokens"),
        **{name: training.get(name) for name in ("corpus", "steps", "epochs", "chars", "seconds", "train_loss")},
        **{name: training.get(name) for name in ("valid_loss", "valid_bpc", "valid_perplexity", "best_step", "seed")},
        **{name: training[name] for name in ("adapted_chars", "command") if name in training},
        **{name: training[name] for name in ("valid_unknown_share", "valid_charged_loss") if training.get(name)},
        "symbols": header.vocabulary.get("symbols"),
    }
    if header.labels:
        values["labels"] = list(header.labels)
        if "valid_accuracy" in training:
            values["valid_accuracy"] = training["valid_accuracy"]
    del values["vocab_size"]
    if output.json:
        print_record(values)
        return
    values["symbols"] = json.dumps(values["symbols"], ensure_ascii=True)[:200]
    if header.labels:
        counts = zip(header.labels, header.label_counts, strict=True)
        values["labels"] = ", ".join(f"{label} {count:,}" for label, count in counts)[:200]
    for name, value in values.items():
        if value is None:
            continue
        shown = f"{value:,}" if isinstance(value, int) and name != "seed" else value
        shown = f"{value:.4f}" if isinstance(value, float) else shown
        write_line(f"{name:<17} {visible(to_cell(str(shown)))}")
