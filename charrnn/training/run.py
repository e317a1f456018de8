"""Putting a run together: from settings to a session, one way for the command line and for Python.

settings -> output and lock -> saved state -> corpus -> plan -> task -> session
"""

import os
import shlex
import signal
from collections.abc import Collection
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.errors import TrainingError, UsageError
from charrnn.settings import check_settings, parse_duration, raise_usage_errors
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.documents.corpus import LabelledCorpus, read_labelled
from charrnn.training.checkpoint.files import Checkpoint, RunFiles
from charrnn.training.checkpoint.lock import lock_output
from charrnn.training.checkpoint.resume import (
    check_corpus,
    describe_corpus,
    describe_finished,
    describe_position,
    merge_settings,
)
from charrnn.training.devices.memory import require_room_for_pytorch
from charrnn.training.devices.world import World, get_world_size
from charrnn.training.interruption import StopRequest, stop_on_signals
from charrnn.training.observer import OTHER_TEXT, Observer, Surroundings
from charrnn.training.output import choose_logdir, choose_output
from charrnn.training.settings import GROUPS, TrainSettings
from charrnn.training.tasks.transfer import Source

if TYPE_CHECKING:
    from charrnn.training.reporting import Reporter, Summary
    from charrnn.training.session import SampleWriter, Session


@dataclass(frozen=True)
class RunResult:
    """How a run ended: its model file and figures, the signal that stopped it, if one did, and whether to report it."""

    output: Path
    summary: "Summary"
    signal: int | None
    is_leader: bool


@dataclass(frozen=True)
class Request:
    """What is to be trained: corpora, settings, which of them the user gave, and who watches."""

    corpus: list[str]
    settings: TrainSettings
    given: Collection[str]
    observer: Observer
    write_sample: "SampleWriter | None"


def run_training(
    corpus: list[str],
    settings: TrainSettings,
    given: Collection[str] = (),
    *,
    observer: Observer | None = None,
    write_sample: "SampleWriter | None" = None,
    exits: bool = False,
) -> RunResult:
    """Train a model on a corpus and write the best one to a file.

    Args:
        corpus: files and folders; `-` is stdin.
        settings: of the run.
        given: names of the settings that the user gave, which a resumed run compares with the saved ones.
        observer: shows what happens.
        write_sample: writes a text with a model, for people who watch.
        exits: whether a second signal may end the process.

    Raises:
        CharrnnError: if the run cannot start or continue.
    """
    raise_usage_errors(check_settings(*(getattr(settings, name) for name in GROUPS)))
    request = Request(corpus, settings, given, observer or Observer(), write_sample)
    with _join_world(settings.run.device) as world, ExitStack() as stack:
        files = world.broadcast(lambda: choose_output(settings.run, corpus))
        world.broadcast(lambda: stack.enter_context(lock_output(files.output, files.folder)))
        if not world.is_leader:
            request = replace(request, observer=Observer(), write_sample=None)
        saved, notes = world.broadcast(files.read_newest) if settings.run.resume else (None, [])
        if saved is not None:
            request = replace(request, settings=merge_settings(settings, given, saved))
            notes.append(describe_position(saved))
        elif settings.run.resume:
            notes.append(f"nothing to resume in {files.folder}: starting")
        request.settings.check_task(given)
        session = _assemble(request, files, saved, world, stack)
        if saved is not None and session.ended:
            notes.append(describe_finished(session.plan.budget, saved))
        announce, several = session.reporter.on_stop, world.size > 1
        with stop_on_signals(session.stop, files.partials(), announce, exits=exits, several=several):
            summary = _run(session, notes, request)
        return RunResult(files.output, summary, session.stopped_by, world.is_leader)


def _run(session: "Session", notes: list[str], request: Request) -> "Summary":
    try:
        for note in notes:
            session.reporter.on_note(note)
        summary = session.run()
        if session.stopped_by is not None and not session.record.finished:
            session.reporter.on_note(_describe_stop(session.stopped_by, session, request))
        return summary
    finally:
        session.reporter.close()


def _join_world(device: str) -> AbstractContextManager[World]:
    if get_world_size() == 1:
        return nullcontext(World())
    from charrnn.training.devices.distributed import process_group

    return process_group(device)


def _assemble(request: Request, files: RunFiles, saved: Checkpoint | None, world: World, stack: ExitStack) -> "Session":
    """The session of a run whose output is locked; `stack` restores PyTorch's number of threads."""
    source = None
    if saved is None and request.settings.language.init_from is not None:
        source, request = _load_source(request)
    settings = request.settings
    run = settings.run
    corpus = _read(request, world)
    if saved is not None:
        check_corpus(corpus, saved)
    request.observer.show_loading()
    require_room_for_pytorch()
    import torch

    from charrnn.training.devices.device import choose_device
    from charrnn.training.network.precision import choose_precision
    from charrnn.training.reporting import Reporter
    from charrnn.training.session import Session
    from charrnn.training.tasks.factory import make_task
    from charrnn.training.tasks.task import Resources

    device = choose_device(run.device, world.local, world.size)
    stack.callback(torch.set_num_threads, torch.get_num_threads())
    if run.threads:
        torch.set_num_threads(run.threads)
    resources = Resources(device, world, choose_precision(settings.language.precision, device))
    description = {"settings": asdict(settings), "corpus": describe_corpus(corpus)}
    task = make_task(settings, request.given, corpus, resources, saved, source)
    logdir = world.broadcast(lambda: choose_logdir(run, files.output, saved))
    return Session(
        task=task,
        resources=resources,
        output=files.output,
        reporter=_make_reporter(request, logdir, saved) if world.is_leader else Reporter(),
        sample_interval=parse_duration(settings.language.sample_every),
        write_sample=request.write_sample if task.writes else None,
        stop=StopRequest(),
        resumed=saved,
        description={**description, "vocabulary": task.corpus.vocabulary.to_json(), "logdir": str(logdir)},
    )


def _load_source(request: Request) -> tuple[Source, Request]:
    """The model to start from, and the request with its sizes and kind of tokens in the settings, if those fit."""
    settings = request.settings
    if settings.language.labels:
        raise UsageError("--labels and --init-from cannot be combined: labels have to be learned from the start")
    source = Source.load(Path(str(settings.language.init_from)))
    text, model = source.settings(settings.text, settings.model, request.given)
    return source, replace(request, settings=replace(settings, text=text, model=model))


def _read(request: Request, world: World) -> Corpus | LabelledCorpus:
    """The corpus, equal in all processes; of several on one machine, the first reads it for all."""
    settings, names = request.settings, request.corpus
    labelled = settings.text.task == "classify" or settings.language.labels
    with request.observer.show_reading() as progress:

        def read() -> Corpus | LabelledCorpus:
            if labelled:
                return read_labelled(names, settings.text, progress, settings.columns.columns)
            return read_corpus(names, settings.text, progress)

        corpus = world.broadcast_on_machine(read)
    if world.broadcast(lambda: corpus.fingerprint) != corpus.fingerprint:
        raise TrainingError(
            f"{corpus.name} on this machine differs from the text on the first machine; copy it from there"
        )
    return corpus


def _make_reporter(request: Request, logdir: Path, saved: Checkpoint | None) -> "Reporter":
    """Everything that receives the reports of this run."""
    from charrnn.training.reporting import Reporters

    run, held_out = request.settings.run, request.settings.text.valid
    # Scoring the text that was learned says little, so a text to evaluate is named only if it was held out.
    surroundings = Surroundings(
        OTHER_TEXT if held_out in (None, "-") else str(held_out), logdir if run.tensorboard else None
    )
    shown = Reporters(request.observer.make_reporters(surroundings))
    if not run.tensorboard:
        return shown
    from charrnn.training.tensorboard import TensorBoard

    step = None if saved is None else int(saved.state["trainer"]["steps"])
    try:
        return Reporters([TensorBoard(logdir, shown.on_note, step), shown])
    except OSError as error:
        raise TrainingError(
            f"{logdir} cannot be written: {error.strerror or error}; name another folder with --logdir, "
            "or turn TensorBoard off with --no-tensorboard"
        ) from None


def _describe_stop(number: int, session: "Session", request: Request) -> str:
    """The files that an interrupted run leaves, and the command that continues it."""
    size = session.resources.world.size
    several = ["torchrun", "--nproc-per-node", os.environ.get("LOCAL_WORLD_SIZE", str(size)), "-m"]
    output = request.settings.run.output
    command = [
        *([] if size == 1 else several),
        *("charrnn", "train", *request.corpus),
        *(["-o", output] if output else []),
        "--resume",
    ]
    model = f"; the best model so far is {session.output}" if session.output.exists() else ""
    return (
        f"stopped by {signal.Signals(number).name}: step {session.trainer.steps} is saved in "
        f"{session.checkpointer.files.folder}{model}\nto continue, type: {shlex.join(command)}"
    )
