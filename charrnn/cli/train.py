"""`charrnn train`: a text goes in, a model comes out."""

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.options import command
from charrnn.cli.progress import Progress
from charrnn.errors import TrainingError
from charrnn.settings import parse_duration
from charrnn.text.settings import TextSettings
from charrnn.training.settings import LearningSettings, ModelSettings, RunSettings, TrainSettings

if TYPE_CHECKING:
    from charrnn.model import ModelHeader, Tensors
    from charrnn.training.reporting import Reporter
    from charrnn.training.session import StopRequest

MODELS, RUNS = Path("models"), Path("runs")
SAMPLE_LENGTH = 300


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "train", epilog="Example: charrnn train book.txt --time 5m")(train)


def train(
    corpus: Annotated[
        list[str],
        typer.Argument(
            help="Text files and folders, packed or not, read in this order; - is stdin.", show_default=False
        ),
    ],
    *,
    text: TextSettings,
    model: ModelSettings,
    learning: LearningSettings,
    run: RunSettings,
) -> None:
    """Learn a text and write the best model found to a file."""
    output = _output(run, corpus)
    from charrnn.text.corpus import read_corpus

    with Progress("reading", unit="bytes", quiet=run.quiet) as progress:
        read = read_corpus(corpus, text, progress)
    if not run.quiet:
        print("starting ...", file=sys.stderr, flush=True)  # noqa: T201 - loading PyTorch takes seconds
    import torch

    from charrnn.training.devices import choose_device
    from charrnn.training.recipe import measuring_helps, plan
    from charrnn.training.session import Session, StopRequest
    from charrnn.training.speed import measure_peak

    device = choose_device(run.device)
    if run.threads:
        torch.set_num_threads(run.threads)
    settings = TrainSettings(text, model, learning, run)
    peak = measure_peak(model.cell, device) if measuring_helps(settings) else 1.0
    stop = StopRequest()
    session = Session(
        plan=plan(settings, read, peak),
        corpus=read,
        output=output,
        device=device,
        reporter=_reporter(run, output),
        sample_every=parse_duration(run.sample_every),
        write_sample=write_sample,
        stop=stop,
    )
    try:
        with _stopping_on_signals(stop):
            summary = session.run()
    finally:
        session.reporter.close()
    if run.json:
        typer.echo(json.dumps(dataclasses.asdict(summary)))
    if stop.signal is not None:
        raise typer.Exit(128 + stop.signal)


def _output(run: RunSettings, corpus: list[str]) -> Path:
    """The model file to write, checked before anything slow.

    Raises:
        TrainingError: if it is there already and not to be replaced, or cannot be written.
    """
    from charrnn.text.sources import corpus_name

    output = Path(run.output) if run.output else MODELS / f"{corpus_name(corpus[0])}.safetensors"
    if output.is_dir():
        raise TrainingError(f"{output} is a folder; name a file with -o FILE")
    if output.exists() and not run.overwrite:
        raise TrainingError(f"{output} exists already; replace it with --overwrite, or name another file with -o")
    if output.exists() and any(Path(name).exists() and output.samefile(name) for name in corpus):
        raise TrainingError(f"{output} is the corpus itself; name another file with -o")
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise TrainingError(f"{output} cannot be written: {folder} is not a folder; name another file with -o")
    if not os.access(folder, os.W_OK):
        raise TrainingError(f"{output} cannot be written: no permission in {folder}; name another file with -o")
    return output


def _reporter(run: RunSettings, output: Path) -> "Reporter":
    from charrnn.training.reporting import Reporter, Reporters

    reporters: list[Reporter] = []
    if run.tensorboard:
        from charrnn.training.tensorboard import TensorBoard

        reporters.append(TensorBoard(Path(run.logdir) if run.logdir else _fresh_folder(RUNS / output.stem)))
    if not run.quiet and sys.stderr.isatty():
        from charrnn.cli.terminal import TerminalReporter

        reporters.append(TerminalReporter())
    elif not run.quiet:
        from charrnn.cli.reports import PlainReporter

        reporters.append(PlainReporter())
    return Reporters(reporters)


def _fresh_folder(folder: Path) -> Path:
    """`folder`, or with a number behind it if an earlier run's events are there: curves of two runs do not mix."""
    number, chosen = 1, folder
    while chosen.exists():
        number += 1
        chosen = folder.with_name(f"{folder.name}-{number}")
    return chosen


def write_sample(header: "ModelHeader", tensors: "Tensors") -> str:
    """A short text from a network in training, by the same code that `charrnn generate` runs."""
    from charrnn.inference.api import Model
    from charrnn.inference.network import Network
    from charrnn.text.vocabulary import Vocabulary

    vocabulary = Vocabulary.from_json(header.vocabulary, header.config.vocab_size)
    model = Model(header, vocabulary, Network(header.config, tensors))
    return model.generate(length=SAMPLE_LENGTH, temperature=0.7, seed=1)


@contextmanager
def _stopping_on_signals(stop: "StopRequest") -> Iterator[None]:
    """Ctrl-C and SIGTERM ask for a stop; a second one quits at once."""

    def ask(number: int, _frame: object) -> None:
        if stop.signal is not None:
            os._exit(128 + number)
        stop.signal = number

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
