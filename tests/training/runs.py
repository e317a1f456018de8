"""Small runs that several tests share."""

from pathlib import Path
from typing import Any

from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.checkpoint.files import Checkpoint
from charrnn.training.devices.workers import Workers
from charrnn.training.devices.world import World
from charrnn.training.network.language import CharRNN
from charrnn.training.recipe.language import LanguagePlan, make_language_plan
from charrnn.training.recipe.throughput import Throughput
from charrnn.training.reporting import Reporter
from charrnn.training.session import Session
from charrnn.training.settings import TrainSettings
from charrnn.training.tasks.language import LanguageTask
from charrnn.training.tasks.language_validation import DocumentValidation, Validation
from charrnn.training.tasks.task import InitialWeights, Resources
from charrnn.training.trainer import Trainer
from tests.devices import CPU

RESOURCES = Resources(CPU, World())


class OneOfTwo(World):
    """One of two processes, which are not joined: sums are its own."""

    size = 2

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def shard(self, columns: int) -> slice:
        return slice(columns * self.rank // 2, columns * (self.rank + 1) // 2)

    def all_reduce(self, value: float) -> float:
        return value


def measure_in_two(validation: Validation | DocumentValidation, network: CharRNN) -> tuple[float, list[float]]:
    """A validation by two processes: its loss, and the shares that it reports at once in both."""
    first: list[float] = []
    second: list[float] = []
    worlds = zip(map(OneOfTwo, range(2)), (first, second), strict=True)
    loss = sum(validation.measure(network, Workers(1, None), world, told.append) for world, told in worlds)
    assert first == second
    return loss, first


def make_plan(corpus: Corpus | LabelledCorpus, **options: Any) -> LanguagePlan:
    """The plan of these options on a machine of a fixed speed."""
    return make_language_plan(TrainSettings.from_options(options), corpus, throughput=Throughput(1e11))


def make_trainer(
    plan: LanguagePlan,
    corpus: Corpus | LabelledCorpus,
    start: InitialWeights | None = None,
    resources: Resources = RESOURCES,
) -> Trainer:
    """A trainer of a language model, on a CPU unless others are named."""
    return Trainer(LanguageTask(plan, corpus, resources, start), resources)


def make_session(
    plan: LanguagePlan,
    corpus: Corpus | LabelledCorpus,
    output: Path,
    reporter: Reporter | None = None,
    resumed: Checkpoint | None = None,
    description: dict[str, Any] | None = None,
    resources: Resources = RESOURCES,
) -> Session:
    """A run of a language model, on a CPU unless others are named."""
    task = LanguageTask(plan, corpus, resources)
    return Session(task, resources, output, reporter or Reporter(), resumed=resumed, description=description or {})
