"""Tasks from settings."""

import pytest
import torch

from charrnn.text.corpus import Corpus
from charrnn.training.devices.world import World
from charrnn.training.recipe.throughput import Throughput
from charrnn.training.settings import TrainSettings
from charrnn.training.tasks import factory
from charrnn.training.tasks.factory import make_task
from charrnn.training.tasks.task import Resources


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_speed_of_the_machine_is_that_in_the_precision_of_the_run(
    corpus: Corpus, precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[torch.dtype] = []

    def measure(
        cell: str, device: torch.device, world: World, of_products: torch.dtype, *, uses_kernel: bool
    ) -> Throughput:
        assert uses_kernel
        asked.append(of_products)
        return Throughput(1e11)

    monkeypatch.setattr(factory, "measure_throughput", measure)
    settings = TrainSettings.from_options({"time": "9s", "hidden_size": 8})
    make_task(settings, (), corpus, Resources(torch.device("cpu"), World(), precision), None)
    assert asked == [precision]


@pytest.mark.parametrize(("precision", "words"), [(torch.float32, ", on cpu"), (torch.bfloat16, ", in bf16 on cpu")])
def test_a_run_says_what_it_computes_with(corpus: Corpus, precision: torch.dtype, words: str) -> None:
    settings = TrainSettings.from_options({"steps": 9, "hidden_size": 8})
    task = make_task(settings, (), corpus, Resources(torch.device("cpu"), World(), precision), None)
    assert dict(task.describe("cpu"))["network"].endswith(words)
