"""`charrnn train --task classify`: labelled texts go in, a classifier comes out."""

import dataclasses
import json
import shlex
import signal
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from charrnn.cli.display.progress import Progress
from charrnn.errors import TrainingError, UsageError
from charrnn.settings import get_flag
from charrnn.training.settings import LearningSettings, ModelSettings, RunSettings, TextSettings, TrainSettings

if TYPE_CHECKING:
    from charrnn.text.documents.corpus import LabelledCorpus
    from charrnn.training.checkpoint.state import Checkpoint
    from charrnn.training.session import StopRequest
    from charrnn.training.tasks.classifier_reporting import ClassifierReporter
    from charrnn.training.tasks.classifier_session import ClassifierSession

LANGUAGE_ONLY = ("labels", "init_from", "sample_every", "weight_dropout", "precision")
CLASSIFY_ONLY = ("columns", "bidirectional", "pool", "class_weights", "optimizer")


def check_task(settings: TrainSettings, typed: Collection[str]) -> None:
    """Refuse options that the task has no use for.

    Raises:
        UsageError: naming them all.
    """
    classify = settings.text.task == "classify"
    wrong = set(LANGUAGE_ONLY if classify else CLASSIFY_ONLY) - ({"columns"} if settings.text.labels else set())
    groups = (TextSettings, ModelSettings, LearningSettings, RunSettings)
    declared = [each for group in groups for each in dataclasses.fields(group)]
    flags = [get_flag(each) for each in declared if each.name in wrong and each.name in typed]
    if flags:
        way = "is for language models; leave it out" if classify else "works with --task classify only"
        raise UsageError("\n".join(f"{flag} {way}" for flag in flags))


def read_texts(names: list[str], settings: TrainSettings) -> "LabelledCorpus":
    """The labelled corpus."""
    from charrnn.text.documents.corpus import read_labelled

    with Progress("reading", unit="bytes", quiet=settings.run.quiet) as progress:
        return read_labelled(names, settings.text, progress)


def classifier_session(
    corpus: "LabelledCorpus",
    output: Path,
    settings: TrainSettings,
    typed: Collection[str],
    saved: "Checkpoint | None",
    logdir: Path,
    stop: "StopRequest",
) -> "ClassifierSession":
    """The run, ready to go."""
    run = settings.run
    if not run.quiet:
        print("starting ...", file=sys.stderr, flush=True)  # noqa: T201 - loading PyTorch takes seconds
    import torch

    from charrnn.training.checkpoint.resume import new_budget, rebuilt
    from charrnn.training.devices import choose_device
    from charrnn.training.recipe.classifier import ClassifierPlan, plan_classifier
    from charrnn.training.recipe.speed import measure_peak
    from charrnn.training.tasks.classifier_session import ClassifierSession

    device = choose_device(run.device)
    if run.threads:
        torch.set_num_threads(run.threads)
    if saved is None:
        plan = plan_classifier(settings, corpus, measure_peak(settings.model.cell, device))
    else:
        _check_same(corpus, saved)
        plan = rebuilt(ClassifierPlan, saved.state["plan"])
        budget = new_budget(settings.learning, typed, saved)
        plan = plan if budget is None else dataclasses.replace(plan, budget=budget)
    described = {
        "settings": dataclasses.asdict(settings),
        "corpus": {"name": corpus.name, "texts": sum(corpus.counts), "fingerprint": corpus.fingerprint},
        "logdir": str(logdir),
    }
    return ClassifierSession(plan, corpus, output, device, _reporter(run, logdir, saved), stop, saved, described)


def _check_same(corpus: "LabelledCorpus", saved: "Checkpoint") -> None:
    before = saved.state["corpus"]
    if corpus.fingerprint != before["fingerprint"]:
        raise TrainingError(
            f"{corpus.name} is not the corpus of the saved run ({before['name']}, {before['texts']:,} texts): its "
            "content has changed. Give the texts as they were, or train from the start with --overwrite"
        )


def _reporter(run: RunSettings, logdir: Path, saved: "Checkpoint | None") -> "ClassifierReporter":
    """Whoever listens to this run.

    Raises:
        TrainingError: if TensorBoard's folder cannot be written.
    """
    from charrnn.cli.display.classifier_reports import ClassifierLines
    from charrnn.training.tasks.classifier_reporting import ClassifierReporters

    told = ClassifierReporters([] if run.quiet else [ClassifierLines()])
    if not run.tensorboard:
        return told
    from charrnn.training.tasks.classifier_tensorboard import ClassifierBoard

    step = None if saved is None else int(saved.state["trainer"]["steps"])
    try:
        return ClassifierReporters([ClassifierBoard(logdir, told.noted, step), told])
    except OSError as error:
        raise TrainingError(
            f"{logdir} cannot be written: {error.strerror or error}; name another folder with --logdir, "
            "or leave TensorBoard out with --no-tensorboard"
        ) from None


def finish(session: "ClassifierSession", notes: list[str], names: list[str], run: RunSettings) -> None:
    """Run it, tell its figures, and what an interrupted run leaves."""
    try:
        for note in notes:
            session.reporter.noted(note)
        summary = session.run()
        number = session.stop.signal
        if number is not None and not session.record.finished:
            again = ["charrnn", "train", *names, *(["-o", run.output] if run.output else []), "--resume"]
            model = f"; the best model so far is {session.output}" if session.output.exists() else ""
            session.reporter.noted(
                f"stopped by {signal.Signals(number).name}: step {session.trainer.steps} is saved in "
                f"{session.keeper.store.folder.path}{model}\ngo on: {shlex.join(again)}"
            )
    finally:
        session.reporter.close()
    if run.json:
        figures = dataclasses.asdict(summary)
        unknown = {name for name, value in figures.items() if isinstance(value, float) and not abs(value) < 1e308}
        typer.echo(json.dumps({name: None if name in unknown else value for name, value in figures.items()}))
