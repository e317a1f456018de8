"""What each of several processes does in the tests of them, and a run of one to compare with."""

import json
import sys
from pathlib import Path

import torch

from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.training.checkpoint.state import CheckpointFolder
from charrnn.training.ranks import World, joined, total
from charrnn.training.recipe.language import Plan, plan
from charrnn.training.reporting import Reporter
from charrnn.training.session import Session, StopRequest
from charrnn.training.settings import LearningSettings, ModelSettings, RunSettings, TextSettings, TrainSettings
from charrnn.training.trainer import Trainer

CPU = torch.device("cpu")
LOSSES = 200  # steps
STOPPED, WHOLE = 60, 120  # steps of a run that is interrupted


class StopAt(StopRequest):
    """Asks for a stop after so many steps."""

    def __init__(self, session: Session, step: int) -> None:
        self._session, self._step, self._told = session, step, None

    @property
    def signal(self) -> int | None:
        return 2 if self._session.trainer.steps >= self._step else None

    @signal.setter
    def signal(self, number: int | None) -> None:
        pass


def corpus_of(text: str) -> Corpus:
    vocabulary = CharVocabulary.of_text(text)
    ids = vocabulary.encode(text)
    return Corpus("text", vocabulary, ids[: len(ids) * 9 // 10], ids[len(ids) * 9 // 10 :])


def planned(corpus: Corpus, cell: str, steps: int) -> Plan:
    settings = TrainSettings(
        TextSettings(),
        ModelSettings(cell=cell, hidden_size=24, layers=2, embedding_size=8, dropout=0.2),
        LearningSettings(steps=steps, batch_size=7, seq_len=16, lr=0.01),
        RunSettings(),
    )
    return plan(settings, corpus, peak=1e11)


def losses(corpus: Corpus, world: World) -> list[float]:
    """The mean loss of all readers at each step."""
    chosen = planned(corpus, "lstm", LOSSES)
    trainer = Trainer(chosen, corpus, CPU, world=world)
    found = []
    for step in range(LOSSES):
        trainer.step(0.01, step / LOSSES)
        learned = trainer.taken()
        found.append(total(world, learned.nats) / learned.chars)
    return found


def session(corpus: Corpus, output: Path, world: World, until: int = WHOLE) -> Session:
    """A run that goes on from what is saved, up to a step."""
    saved = world.lead(lambda: CheckpointFolder.of(output).newest()[0])
    chosen = planned(corpus, "gru", WHOLE)
    made = Session(chosen, corpus, output, CPU, Reporter(), resumed=saved, world=world)
    if until < WHOLE:
        made.stop = StopAt(made, until)
    made.run()
    return made


def main() -> None:
    """TEXT FOLDER: learn, begin `begun_by_two` and end `begun_by_one` there."""
    text, folder = Path(sys.argv[1]).read_text(), Path(sys.argv[2])
    corpus = corpus_of(text)
    with joined("cpu") as world:
        found = losses(corpus, world)
        session(corpus, folder / "begun_by_two.safetensors", world, STOPPED)
        session(corpus, folder / "begun_by_one.safetensors", world)
        if world.leads:
            (folder / "losses.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
