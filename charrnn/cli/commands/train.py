"""`charrnn train`: a text goes in, a model comes out."""

import dataclasses
import json
import math
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.commands.train_classifier import check_task, classifier_session, finish, read_texts
from charrnn.cli.display.progress import Progress
from charrnn.cli.options import command, examples
from charrnn.errors import TrainingError, UsageError
from charrnn.inference.locating import find_model
from charrnn.settings import parse_duration
from charrnn.text.settings import TextSettings
from charrnn.training.ranks import World, joined
from charrnn.training.settings import LearningSettings, ModelSettings, RunSettings, TrainSettings

if TYPE_CHECKING:
    from charrnn.model.config import Tensors
    from charrnn.model.header import ModelHeader
    from charrnn.text.corpus import Corpus
    from charrnn.text.documents.corpus import LabelledCorpus
    from charrnn.training.checkpoint.state import Checkpoint, CheckpointFolder
    from charrnn.training.reporting import Reporter
    from charrnn.training.session import Session, StopRequest
    from charrnn.training.transfer import Source

MODELS, RUNS = Path("models"), Path("runs")
SAMPLE_LENGTH, SAMPLED_LABELS = 300, 6
STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(
        app,
        "train",
        epilog=examples(
            "charrnn train book.txt",
            "charrnn train book.txt --resume --time 30m",
            "charrnn train src/ notes.txt -o models/mine.safetensors",
            "charrnn train titles.txt --cell gru --hidden-size 128 --epochs 10",
            "zcat log.gz | charrnn train - -o models/log.safetensors",
        ),
    )(train)


def train(
    ctx: typer.Context,
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
    from charrnn.training.checkpoint.lock import only_run

    with joined(run.device) as world, ExitStack() as locked:
        output, folder = world.lead(lambda: _output(run, corpus))
        world.lead(lambda: locked.enter_context(only_run(output, folder.path)))
        if not world.leads:
            run = dataclasses.replace(run, quiet=True, json=False)
        stopped_by = _train(corpus, output, folder, TrainSettings(text, model, learning, run), _typed(ctx), world)
    if stopped_by is not None:
        raise typer.Exit(128 + stopped_by)


def _typed(ctx: typer.Context) -> set[str]:
    """The names of the settings that were given on the command line."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def _train(
    names: list[str],
    output: Path,
    folder: "CheckpointFolder",
    settings: TrainSettings,
    typed: set[str],
    world: World,
) -> int | None:
    """A run whose output nobody else writes; the signal that has stopped it, if one has."""
    saved, notes = world.lead(folder.newest) if settings.run.resume else (None, [])
    source = None
    if saved is not None:
        from charrnn.training.checkpoint.resume import taken_over, told

        settings = taken_over(settings, typed, saved)
        notes.append(told(saved))
    else:
        notes += [f"nothing to resume in {folder.path}: starting"] if settings.run.resume else []
    check_task(settings, typed)
    if settings.text.task == "classify":
        if world.size > 1:
            raise UsageError("--task classify learns in one process; start it without torchrun")
        _train_classifier(names, output, settings, typed, saved, notes)
        return None
    if saved is None:
        source, settings = _source(settings, typed)
    read = _read(names, settings, world)
    session = _session(names, read, output, settings, typed, saved, source, world)
    stop = session.stop
    try:
        with _stopping_on_signals(stop, session.keeper.store.partials()):
            for note in notes:
                session.reporter.noted(note)
            summary = session.run()
            if stop.signal is not None and not session.record.finished:
                session.reporter.noted(_how_to_go_on(stop.signal, session, names, settings.run))
    finally:
        session.reporter.close()
    if settings.run.json:
        figures = dataclasses.asdict(summary)
        typer.echo(json.dumps({name: None if _unknown(value) else value for name, value in figures.items()}))
    return stop.signal


def _read(names: list[str], settings: TrainSettings, world: World) -> "Corpus | LabelledCorpus":
    """What is to be learned; of several processes on one machine, the first reads it for all.

    Raises:
        TrainingError: if another machine has another text.
        UsageError: if settings exclude each other.
    """
    from charrnn.text.corpus import read_corpus
    from charrnn.text.documents.corpus import read_labelled

    if settings.text.labels and settings.run.init_from is not None:
        raise UsageError("--labels and --init-from exclude each other: labels are learned from the start")
    read_one = read_labelled if settings.text.labels else read_corpus
    with Progress("reading", unit="bytes", quiet=settings.run.quiet) as progress:
        read = world.on_machine(lambda: read_one(names, settings.text, progress))
    if world.lead(lambda: read.fingerprint) != read.fingerprint:
        raise TrainingError(f"{read.name} on this machine is not the text that the first one has; copy it from there")
    return read


def _train_classifier(
    names: list[str],
    output: Path,
    settings: TrainSettings,
    typed: set[str],
    saved: "Checkpoint | None",
    notes: list[str],
) -> None:
    """The same for a model that tells labelled texts apart."""
    corpus = read_texts(names, settings)
    from charrnn.training.session import StopRequest

    stop, logdir = StopRequest(), _logdir(settings.run, output, saved)
    session = classifier_session(corpus, output, settings, typed, saved, logdir, stop)
    with _stopping_on_signals(stop, session.keeper.store.partials()):
        finish(session, notes, names, settings.run)
    if stop.signal is not None:
        raise typer.Exit(128 + stop.signal)


def _source(settings: TrainSettings, typed: set[str]) -> tuple["Source | None", TrainSettings]:
    """The model to start from, if one is named, and the settings with its sizes in them."""
    if settings.run.init_from is None:
        return None, settings
    from charrnn.training.transfer import Source

    source = Source.load(find_model(settings.run.init_from))
    text, model = source.settings(settings.text, settings.model, typed)
    return source, dataclasses.replace(settings, text=text, model=model)


def _session(
    names: list[str],
    read: "Corpus | LabelledCorpus",
    output: Path,
    settings: TrainSettings,
    typed: set[str],
    saved: "Checkpoint | None",
    source: "Source | None",
    world: World,
) -> "Session":
    """The run, ready to go."""
    run = settings.run
    if not run.quiet:
        print("starting ...", file=sys.stderr, flush=True)  # noqa: T201 - loading PyTorch takes seconds
    import torch

    from charrnn.text.corpus import Corpus
    from charrnn.training.checkpoint.resume import corpus_described, saved_plan, with_saved_symbols
    from charrnn.training.devices import choose_device
    from charrnn.training.network.precision import choose_precision
    from charrnn.training.ranks import total
    from charrnn.training.recipe.language import ON_CPU, measuring_helps, plan
    from charrnn.training.recipe.shape import shape_for
    from charrnn.training.recipe.speed import measure_peak
    from charrnn.training.reporting import Reporter
    from charrnn.training.session import Session, StopRequest
    from charrnn.training.transfer import transferred, united

    device = choose_device(run.device, world.local, world.size)
    precision = choose_precision(run.precision, device)
    if run.threads:
        torch.set_num_threads(run.threads)
    described = {"settings": dataclasses.asdict(settings), "corpus": corpus_described(read)}
    if saved is not None:
        read = with_saved_symbols(read, saved)
        chosen = saved_plan(settings.learning, typed, saved)
    else:
        if source is not None and isinstance(read, Corpus):
            read = united(read, source.vocabulary)
        shape, peak = shape_for(device.type, world.size, ON_CPU), 1.0
        if measuring_helps(settings):
            peak = total(world, measure_peak(settings.model.cell, device, shape.half_speed))
        chosen = plan(settings, read, peak, shape)
    chosen = world.lead(lambda: chosen)
    if chosen.batch_size < world.size:
        raise UsageError(
            f"--batch-size {chosen.batch_size} is too few for {world.size} processes: each needs a reader of its own"
        )
    logdir = world.lead(lambda: _logdir(run, output, saved))
    return Session(
        plan=chosen,
        corpus=read,
        output=output,
        device=device,
        reporter=_reporter(run, logdir, saved, settings.text.valid or names[0]) if world.leads else Reporter(),
        sample_every=parse_duration(run.sample_every),
        write_sample=write_sample if world.leads else None,
        stop=StopRequest(),
        resumed=saved,
        start=None if source is None else lambda fresh: transferred(fresh, read.vocabulary, source),
        described={**described, "vocabulary": read.vocabulary.to_json(), "logdir": str(logdir)},
        world=world,
        precision=precision,
    )


def _output(run: RunSettings, corpus: list[str]) -> tuple[Path, "CheckpointFolder"]:
    """The model file to write, checked before anything slow.

    Raises:
        TrainingError: if it is there already and not to be replaced, or cannot be written.
    """
    from charrnn.text.sources import corpus_name
    from charrnn.training.checkpoint.state import CheckpointFolder

    output = Path(run.output) if run.output else MODELS / f"{corpus_name(corpus[0])}.safetensors"
    states = CheckpointFolder.of(output)
    if run.resume and run.overwrite:
        raise UsageError("--resume and --overwrite exclude each other: one goes on, the other starts anew")
    if output.is_dir():
        raise TrainingError(f"{output} is a folder; name a file with -o FILE")
    if output.exists() and any(Path(name).exists() and output.samefile(name) for name in corpus):
        raise TrainingError(f"{output} is the corpus itself; name another file with -o")
    if output.exists() and not (run.overwrite or (run.resume and states.has_any())):
        go_on = "" if not states.has_any() else "train it further with --resume, "
        lost = f", and nothing to resume beside it in {states.path}" if run.resume else ""
        raise TrainingError(
            f"{output} exists already{lost}; {go_on}replace it with --overwrite, or name another file with -o"
        )
    if states.has_any() and not (run.overwrite or run.resume):
        raise TrainingError(
            f"{states.path} holds a run that was interrupted; go on with --resume, start anew with --overwrite, "
            "or name another file with -o"
        )
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise TrainingError(f"{output} cannot be written: {folder} is not a folder; name another file with -o")
    if not os.access(folder, os.W_OK):
        raise TrainingError(f"{output} cannot be written: no permission in {folder}; name another file with -o")
    return output, states


def _logdir(run: RunSettings, output: Path, saved: "Checkpoint | None") -> Path:
    """TensorBoard's folder: a resumed run goes on in its own, a new one has one for itself."""
    if run.logdir is not None:
        return Path(run.logdir)
    return Path(saved.state["logdir"]) if saved is not None else _fresh_folder(RUNS / output.stem)


def _reporter(run: RunSettings, logdir: Path, saved: "Checkpoint | None", text: str) -> "Reporter":
    """Whoever listens to this run; `text` is one to evaluate the model on.

    Raises:
        TrainingError: if TensorBoard's folder cannot be written.
    """
    from charrnn.training.reporting import Reporters

    told = Reporters(_watchers(run, logdir, text))
    if not run.tensorboard:
        return told
    from charrnn.training.tensorboard import TensorBoard

    step = None if saved is None else int(saved.state["trainer"]["steps"])
    try:
        return Reporters([TensorBoard(logdir, told.noted, step), told])
    except OSError as error:
        raise TrainingError(
            f"{logdir} cannot be written: {error.strerror or error}; name another folder with --logdir, "
            "or leave TensorBoard out with --no-tensorboard"
        ) from None


def _watchers(run: RunSettings, logdir: Path, text: str) -> list["Reporter"]:
    if run.quiet:
        return []
    from charrnn.cli.display.plain import PlainReporter, Surroundings

    surroundings = Surroundings("TEXT" if text == "-" else text, logdir if run.tensorboard else None)
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from charrnn.cli.display.terminal import TerminalReporter

        return [TerminalReporter(surroundings)]
    return [PlainReporter(surroundings)]


def _fresh_folder(folder: Path) -> Path:
    """`folder`, or with a number behind it if an earlier run's events are there: curves of two runs do not mix."""
    number, chosen = 1, folder
    while chosen.exists():
        number += 1
        chosen = folder.with_name(f"{folder.name}-{number}")
    return chosen


def write_sample(header: "ModelHeader", tensors: "Tensors") -> str:
    """A short text from a network in training, by the same code that `charrnn generate` runs."""
    from charrnn.inference.labelled import LabelledModel
    from charrnn.inference.loading import build_language_model

    model = build_language_model(header, tensors)
    if isinstance(model, LabelledModel):
        return "\n".join(
            f"{label}\t{model.generate(label=label, length=SAMPLE_LENGTH, temperature=0.7, seed=1)}"
            for label in model.labels[:SAMPLED_LABELS]
        )
    return model.generate(length=SAMPLE_LENGTH, temperature=0.7, seed=1)


def _unknown(value: object) -> bool:
    """Whether a figure is none yet: JSON has no word for infinity."""
    return isinstance(value, float) and not math.isfinite(value)


def _how_to_go_on(number: int, session: "Session", names: list[str], run: RunSettings) -> str:
    """What an interrupted run leaves, and what to type."""
    several = ["torchrun", "--nproc-per-node", os.environ.get("LOCAL_WORLD_SIZE", str(session.world.size)), "-m"]
    begin = [] if session.world.size == 1 else several
    again = [*begin, "charrnn", "train", *names, *(["-o", run.output] if run.output else []), "--resume"]
    model = f"; the best model so far is {session.output}" if session.output.exists() else ""
    folder = session.keeper.store.folder.path
    return (
        f"stopped by {signal.Signals(number).name}: step {session.trainer.steps} is saved in {folder}{model}"
        f"\ngo on: {shlex.join(again)}"
    )


@contextmanager
def _stopping_on_signals(stop: "StopRequest", partials: list[Path]) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal ask for a stop; a second signal quits at once.

    Half-written files in `partials` go then; what was saved before is whole.
    """

    def ask(number: int, _frame: object) -> None:
        if stop.signal is None:
            stop.signal = number
            return
        for partial in partials:
            partial.unlink(missing_ok=True)
        if sys.stderr.isatty():
            os.write(2, b"\x1b[?7h\n")  # a live view that was being drawn has stopped lines from wrapping
        os._exit(128 + number)

    before = {}
    for name in STOP_SIGNALS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it
            before[number] = signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
