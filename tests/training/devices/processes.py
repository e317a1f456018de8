"""What each of several processes does in the tests of them, and a run of one to compare with."""

import json
import sys
from pathlib import Path

import torch

from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.training.checkpoint.files import RunFiles
from charrnn.training.devices import clock
from charrnn.training.devices.distributed import process_group
from charrnn.training.devices.world import World
from charrnn.training.interruption import StopRequest
from charrnn.training.recipe.language import LanguagePlan
from charrnn.training.reporting import Reporter
from charrnn.training.session import Session
from charrnn.training.tasks.language import LanguageTask
from charrnn.training.tasks.task import Resources
from charrnn.training.trainer import Trainer
from tests.training.runs import make_plan

CPU = torch.device("cpu")
LOSSES = 200  # steps
STOPPED, WHOLE = 60, 120  # steps of a run that is interrupted


class StopAt(StopRequest):
    """Asks for a stop after so many steps."""

    def __init__(self, session: Session, step: int) -> None:
        self._session, self._step = session, step

    @property
    def signal(self) -> int | None:
        return 2 if self._session.trainer.steps >= self._step else None

    @signal.setter
    def signal(self, number: int | None) -> None:
        pass


def make_corpus(text: str) -> Corpus:
    vocabulary = CharVocabulary.of_text(text)
    ids = vocabulary.encode(text)
    return Corpus("text", vocabulary, ids[: len(ids) * 9 // 10], ids[len(ids) * 9 // 10 :])


def make_run_plan(corpus: Corpus, cell: str, steps: int) -> LanguagePlan:
    sizes = {"cell": cell, "hidden_size": 24, "layers": 2, "embedding_size": 8, "dropout": 0.2}
    return make_plan(corpus, steps=steps, batch_size=7, seq_len=16, lr=0.01, **sizes)


def record_losses(corpus: Corpus, world: World) -> list[float]:
    """The mean loss of all readers at each step."""
    resources = Resources(CPU, world)
    trainer = Trainer(LanguageTask(make_run_plan(corpus, "lstm", LOSSES), corpus, resources), resources)
    found = []
    for step in range(LOSSES):
        trainer.step(0.01, step / LOSSES)
        learned = trainer.take_metrics()
        found.append(world.all_reduce(learned.nats) / learned.chars)
    return found


def run_session(corpus: Corpus, output: Path, world: World, until: int = WHOLE) -> Session:
    """A run that goes on from what is saved, up to a step."""
    saved = world.broadcast(lambda: RunFiles(output).read_newest()[0])
    resources = Resources(CPU, world)
    task = LanguageTask(make_run_plan(corpus, "gru", WHOLE), corpus, resources)
    run = Session(task, resources, output, Reporter(), resumed=saved)
    if until < WHOLE:
        run.stop = StopAt(run, until)
    run.run()
    return run


class OwnTime:
    """What the module `time` tells one process: rank 1 believes each of its steps to take three times as long."""

    def __init__(self, rank: int) -> None:
        self._now = 1000.0 * rank
        self._tick = 0.003 if rank else 0.001

    def monotonic(self) -> float:
        self._now += self._tick
        return self._now

    perf_counter = monotonic


def run_timed(corpus: Corpus, output: Path, world: World) -> list[int]:
    """The steps at which a run with a time budget is evaluated, the last one included, in this process."""
    clock.time = OwnTime(world.rank)  # type: ignore[assignment, attr-defined]
    sizes = {"hidden_size": 16, "embedding_size": 8, "batch_size": 7, "seq_len": 16}
    plan = make_plan(corpus, time="3s", lr=0.01, patience=3, **sizes)
    resources = Resources(CPU, world)
    run = Session(LanguageTask(plan, corpus, resources), resources, output, Reporter())
    run.run()
    return [evaluation.step for evaluation in run.state.history]


def main() -> None:
    """TEXT FOLDER: learn, begin `begun_by_two` and end `begun_by_one` there; or, with `timed`, a run of some time."""
    text, folder = Path(sys.argv[1]).read_text(), Path(sys.argv[2])
    corpus = make_corpus(text)
    with process_group("cpu") as world:
        if "timed" in sys.argv:
            steps = run_timed(make_corpus(text[:1000]), folder / "timed.safetensors", world)
            (folder / f"timed-{world.rank}.json").write_text(json.dumps(steps))
            return
        found = record_losses(corpus, world)
        run_session(corpus, folder / "begun_by_two.safetensors", world, STOPPED)
        run_session(corpus, folder / "begun_by_one.safetensors", world)
        if world.is_leader:
            (folder / "losses.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
