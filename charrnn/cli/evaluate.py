"""`charrnn evaluate`: how surprised a model is by a text."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli.models import find_model
from charrnn.cli.options import command
from charrnn.cli.progress import Progress
from charrnn.errors import CorpusError
from charrnn.inference.settings import OutputSettings, UseSettings


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "evaluate", epilog="Example: charrnn evaluate -m models/book.safetensors sequel.txt")(evaluate)


def evaluate(
    text: Annotated[list[str], typer.Argument(help="Text files, read as one text.", show_default=False)],
    *,
    use: UseSettings,
    output: OutputSettings,
) -> None:
    """Score a text: cross-entropy, bits per character, perplexity."""
    path = find_model(use.model)
    from charrnn.inference.api import load
    from charrnn.text.corpus import read_text

    model = load(path)
    characters = read_text([Path(name) for name in text], model.vocabulary.tokens)
    progress = Progress("evaluating", quiet=output.quiet)
    begin = time.perf_counter()
    found = model.score(characters, progress)
    seconds = time.perf_counter() - begin
    progress.close()
    if not found.chars:
        raise CorpusError(f"{', '.join(text)} holds no character that the model knows: nothing to evaluate")
    figures = {
        "model": str(path),
        "chars": found.chars,
        "unknown": found.unknown,
        "loss": found.loss,
        "bpc": found.bpc,
        "perplexity": found.perplexity,
        "seconds": round(seconds, 3),
        "chars_per_second": round((found.chars + found.unknown) / seconds, 1),
    }
    if output.json:
        typer.echo(json.dumps(figures))
        return
    typer.echo(f"cross-entropy        {found.loss:.4f} nats per character")
    typer.echo(f"bits per character   {found.bpc:.4f}")
    typer.echo(f"perplexity           {found.perplexity:.3f}")
    typer.echo(f"characters           {found.chars:,}")
    typer.echo(f"unknown characters   {found.unknown:,}")
    typer.echo(f"speed                {figures['chars_per_second']:,.0f} characters/s")
