"""Putting a run together: from settings to a session, one way for the command line and for Python.

settings -> output and lock -> saved state -> corpus -> plan -> task -> session
"""

import os
import shlex
import signal
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.errors import TrainingError, UsageError
from charrnn.settings import check_settings, parse_duration, raise_usage_errors
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.documents.corpus import LabelledCorpus, read_labelled
from charrnn.training.checkpoint.files import Checkpoint
from charrnn.training.checkpoint.resume import (
    check_corpus,
    describe_corpus,
    describe_finished,
    describe_position,
    merge_settings,
)
from charrnn.training.devices.memory import require_room_for_pytorch
from charrnn.training.devices.world import World, get_world_size
from charrnn.training.interruption import stop_on_signals
from charrnn.training.output import choose_logdir, choose_output, lock_output
from charrnn.training.reporting import Reporter, Reporters, Summary
from charrnn.training.settings import GROUPS, TrainSettings
from charrnn.training.tasks.transfer import Source

if TYPE_CHECKING:
    from charrnn.training.session import SampleWriter, Session

OTHER_TEXT = "OTHER-TEXT"  # in place of the name of a text that was not learned


@dataclass(frozen=True)
class RunResult:
    """How a run ended: its model file and figures, the signal that stopped it, if one did, and whether to report it."""

    output: Path
    summary: Summary
    signal: int | None
    is_leader: bool


def run_training(
    corpus: list[str],
    settings: TrainSettings,
    given: Collection[str] = (),
    *,
    reporter: Reporter | None = None,
    write_sample: "SampleWriter | None" = None,
    exits: bool = False,
) -> RunResult:
    """Train a model on a corpus and write the best one to a file.

    Args:
        corpus: files and folders; `-` is stdin.
        settings: of the run.
        given: names of the settings that the user gave, which a resumed run compares with the saved ones.
        reporter: shows what happens.
        write_sample: writes a text with a model, for people who watch.
        exits: whether a second signal may end the process.

    Raises:
        CharrnnError: if the run cannot start or continue.
    """
    raise_usage_errors(check_settings(*(getattr(settings, name) for name in GROUPS)))
    with _join_world(settings.run.device) as world, ExitStack() as stack:
        files = world.broadcast(lambda: choose_output(settings.run, corpus))
        world.broadcast(lambda: stack.enter_context(lock_output(files.output, files.folder)))
        shown = reporter if reporter is not None and world.is_leader else Reporter()
        saved, notes = world.broadcast(files.read_newest) if settings.run.resume else (None, [])
        if saved is not None:
            settings = merge_settings(settings, given, saved)
            notes.append(describe_position(saved))
        elif settings.run.resume:
            notes.append(f"nothing to resume in {files.folder}: starting")
        settings.check_task(given)
        source = None if saved is not None else _load_source(settings)
        if source is not None:
            settings = source.merge_settings(settings, given)
        text = _read_corpus(corpus, settings, shown, world)
        if saved is not None:
            check_corpus(text, saved)
        shown.on_loading()
        require_room_for_pytorch()
        stack.callback(_set_threads(settings.run.threads))
        session = _make_session(text, settings, given, files.output, saved, source, world, shown)
        if saved is not None and session.ended:
            notes.append(describe_finished(session.plan.budget, saved))
        saved = None  # the session has what it needs of it
        if world.is_leader and session.task.writes:
            session.write_sample = write_sample
        announce, several = session.reporter.on_stop, world.size > 1
        with stop_on_signals(session.stop, files.partials(), announce, exits=exits, several=several):
            summary = _run(session, notes, corpus, settings)
        return RunResult(files.output, summary, session.stopped_by, world.is_leader)


def _run(session: "Session", notes: list[str], corpus: list[str], settings: TrainSettings) -> Summary:
    try:
        for note in notes:
            session.reporter.on_note(note)
        summary = session.run()
        if session.stopped_by is not None and not session.state.finished:
            session.reporter.on_note(_describe_stop(session.stopped_by, session, corpus, settings.run.output))
        return summary
    finally:
        session.reporter.close()


def _join_world(device: str) -> AbstractContextManager[World]:
    if get_world_size() == 1:
        return nullcontext(World())
    from charrnn.training.devices.distributed import process_group

    return process_group(device)


def _load_source(settings: TrainSettings) -> Source | None:
    """The model to start from, if one is given."""
    if settings.language.init_from is None:
        return None
    if settings.language.labels:
        raise UsageError("--labels and --init-from cannot be combined: labels have to be learned from the start")
    return Source.load(Path(settings.language.init_from))


def _read_corpus(
    names: list[str], settings: TrainSettings, reporter: Reporter, world: World
) -> Corpus | LabelledCorpus:
    """The corpus, equal in all processes; of several on one machine, the first reads it for all."""
    with reporter.show_reading() as progress:

        def read() -> Corpus | LabelledCorpus:
            if settings.text.task == "classify" or settings.language.labels:
                return read_labelled(names, settings.text, progress, settings.columns.columns)
            return read_corpus(names, settings.text, progress)

        corpus = world.broadcast_on_machine(read)
    if world.broadcast(lambda: corpus.fingerprint) != corpus.fingerprint:
        raise TrainingError(
            f"{corpus.name} on this machine differs from the text on the first machine; copy it from there"
        )
    return corpus


def _set_threads(threads: int | None) -> Callable[[], None]:
    """Have PyTorch use so many threads, if a number is given; returns a function that restores the present number."""
    import torch

    before = torch.get_num_threads()
    if threads:
        torch.set_num_threads(threads)
    return lambda: torch.set_num_threads(before)


def _make_session(
    corpus: Corpus | LabelledCorpus,
    settings: TrainSettings,
    given: Collection[str],
    output: Path,
    saved: Checkpoint | None,
    source: Source | None,
    world: World,
    reporter: Reporter,
) -> "Session":
    """The session of a run, new or resumed, whose output is locked."""
    from charrnn.training.devices.device import choose_device
    from charrnn.training.network.precision import choose_precision
    from charrnn.training.session import Session
    from charrnn.training.tasks.factory import make_task
    from charrnn.training.tasks.task import Resources

    run = settings.run
    device = choose_device(run.device, world.local_rank, world.size)
    resources = Resources(device, world, choose_precision(settings.language.precision, device), run.kernel)
    description = {"settings": asdict(settings), "corpus": describe_corpus(corpus)}
    task = make_task(settings, given, corpus, resources, saved, source)
    logdir = world.broadcast(lambda: choose_logdir(run, output, saved))
    # Scoring the text that was learned says little, so a text to evaluate is named only if it was held out.
    held_out = OTHER_TEXT if settings.text.valid in (None, "-") else str(settings.text.valid)
    commands = task.suggest(str(output), held_out)
    if run.tensorboard:
        commands.append(["tensorboard", "--logdir", str(logdir)])
        if world.is_leader:
            reporter = _add_tensorboard(reporter, logdir, saved)
    return Session(
        task=task,
        resources=resources,
        output=output,
        reporter=reporter,
        next_commands=commands,
        sample_interval=parse_duration(settings.language.sample_every),
        resumed=saved,
        description={**description, "vocabulary": task.corpus.vocabulary.to_json(), "logdir": str(logdir)},
    )


def _add_tensorboard(reporter: Reporter, logdir: Path, saved: Checkpoint | None) -> Reporter:
    """The reporter, with one beside it that writes TensorBoard events to `logdir`."""
    from charrnn.training.tensorboard import TensorBoard

    step = None if saved is None else int(saved.state["trainer"]["steps"])
    try:
        return Reporters([TensorBoard(logdir, reporter.on_note, step), reporter])
    except OSError as error:
        raise TrainingError(
            f"{logdir} cannot be written: {error.strerror or error}; name another folder with --logdir, "
            "or turn TensorBoard off with --no-tensorboard"
        ) from None


def _describe_stop(number: int, session: "Session", corpus: list[str], output: str | None) -> str:
    """The files that an interrupted run leaves, and the command that continues it."""
    size = session.resources.world.size
    several = ["torchrun", "--nproc-per-node", os.environ.get("LOCAL_WORLD_SIZE", str(size)), "-m"]
    command = [
        *([] if size == 1 else several),
        *("charrnn", "train", *corpus),
        *(["-o", output] if output else []),
        "--resume",
    ]
    model = f"; the best model so far is {session.output}" if session.output.exists() else ""
    return (
        f"stopped by {signal.Signals(number).name}: step {session.trainer.steps} is saved in "
        f"{session.checkpointer.files.folder}{model}\nto continue, type: {shlex.join(command)}"
    )
