"""`charrnn train`: a text goes in, a model comes out."""

import dataclasses
from typing import Annotated

import typer

from charrnn.cli.display.notes import announce_stdin
from charrnn.cli.display.records import print_record
from charrnn.cli.display.training import make_reporter
from charrnn.inference.locating import find_model
from charrnn.text.settings import ColumnSettings, TextSettings
from charrnn.training.settings import (
    ClassifierSettings,
    LanguageSettings,
    LearningSettings,
    ModelSettings,
    RunSettings,
    TrainSettings,
)

EXAMPLES = (
    "charrnn train book.txt",
    "charrnn train book.txt --resume --time 30m",
    "charrnn train src/ notes.txt -o models/mine.safetensors",
    "charrnn train titles.txt --cell gru --hidden-size 128 --epochs 10",
    "zcat log.gz | charrnn train - -o models/log.safetensors",
)


def train(  # noqa: PLR0913 - a parameter for each group of options
    ctx: typer.Context,
    corpus: Annotated[
        list[str],
        typer.Argument(
            help="Text files and folders, which may be compressed, read in this order; - is stdin.", show_default=False
        ),
    ],
    *,
    text: TextSettings,
    columns: ColumnSettings,
    model: ModelSettings,
    language: LanguageSettings,
    classifier: ClassifierSettings,
    learning: LearningSettings,
    run: RunSettings,
) -> None:
    """Train a model on a text and write the best version to a file."""
    from charrnn.inference.loading import write_preview
    from charrnn.training.run import run_training

    if language.init_from is not None:
        language = dataclasses.replace(language, init_from=str(find_model(language.init_from)))
    settings = TrainSettings(text, columns, model, language, classifier, learning, run)
    announce_stdin(corpus, quiet=run.quiet)
    result = run_training(
        corpus,
        settings,
        _get_given_options(ctx),
        reporter=make_reporter(quiet=run.quiet),
        write_sample=write_preview,
        exits=True,
    )
    if run.json and result.is_leader:
        print_record(result.summary.to_json())
    if result.signal is not None:
        raise typer.Exit(128 + result.signal)


def _get_given_options(ctx: typer.Context) -> set[str]:
    """The names of the settings that were given on the command line."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
