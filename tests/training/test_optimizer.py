"""A step's update of the weights: by the kernel and by PyTorch."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from charrnn.model.config import ModelConfig
from charrnn.training import optimizer as module
from charrnn.training.averaging import WeightAverage
from charrnn.training.devices.workers import Workers
from charrnn.training.network.language import CharRNN
from charrnn.training.optimizer import BETAS, WeightUpdate

STEPS = 5


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(16, 2)
    yield made
    made.close()


def update_weights(workers: Workers, grad_clip: float, kind: str) -> list[Tensor]:
    """Norms, weights and averages of some steps."""
    torch.manual_seed(0)
    network = CharRNN(ModelConfig("lstm", 1, 20, 6, 11))
    optimizer: torch.optim.Optimizer
    if kind == "adamw":
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, betas=BETAS)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    average = WeightAverage(network)
    update = WeightUpdate(network, optimizer, average, workers, grad_clip)
    norms = []
    for step in range(STEPS):
        for parameter in network.parameters():
            parameter.grad = torch.randn_like(parameter)
        norms.append(update.measure_norm())
        update.apply(step + 1, 0.1)
    return [*norms, *(p.detach() for p in network.parameters()), *average.tensors().values()]


@pytest.mark.parametrize("grad_clip", [1.0, 1e6])
def test_the_kernel_updates_as_pytorch_does(
    workers: Workers, grad_clip: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_kernel = update_weights(workers, grad_clip, "adamw")
    monkeypatch.setattr(module, "load_update_functions", lambda: None)
    by_pytorch = update_weights(workers, grad_clip, "adamw")
    for a, b in zip(by_kernel, by_pytorch, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_other_optimizers_stay_with_pytorch(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_update_functions", lambda: pytest.fail("not for this optimizer"))
    norm, *_ = update_weights(workers, 1.0, "sgd")
    assert float(norm) > 1.0
