"""A step's update of the weights, and their average, against PyTorch's optimizers parameter by parameter."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from charrnn.model.config import ModelConfig
from charrnn.native.recurrent.compiled import Kernel, load_kernel
from charrnn.text.corpus import Corpus
from charrnn.training import optimizer as optimizer_module
from charrnn.training.devices.workers import Workers
from charrnn.training.devices.world import World
from charrnn.training.network.language import CharRNN
from charrnn.training.optimizer import BETAS, HORIZON, FlatWeights, Optimizer, WeightAverage
from charrnn.training.recipe.language import LanguagePlan
from tests.devices import on_devices
from tests.training.runs import make_plan

ONE = Workers(1, None)


@pytest.fixture
def plan(corpus: Corpus) -> LanguagePlan:
    return dataclasses.replace(make_plan(corpus, steps=10), weight_decay=0.1, grad_clip=1.0)


def make_network(device: torch.device) -> CharRNN:
    torch.manual_seed(0)
    return CharRNN(ModelConfig("lstm", 1, 20, 6, 11)).to(device)


def set_gradients(network: CharRNN, seed: int) -> None:
    torch.manual_seed(seed)
    for _, parameter in network.named_weights():
        parameter.grad = torch.randn(parameter.shape).to(parameter.device)


def update(network: CharRNN, optimizer: Optimizer, seed: int) -> Tensor:
    set_gradients(network, seed)
    norm = optimizer.collect_gradient(World())
    optimizer.step(0.01, norm)
    return norm


def find_kernel(kind: str, device: torch.device) -> Kernel | None:
    """The kernel for the kind "kernel", which is AdamW by it; None for PyTorch's optimizers."""
    if kind != "kernel":
        return None
    kernel = load_kernel("lstm") if device.type == "cpu" else None
    return kernel or pytest.skip("no kernel for this device")


@on_devices
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("grad_clip", [1.0, 1e6])
@pytest.mark.parametrize("kind", ["adamw", "kernel", "sgd"])
def test_it_updates_as_pytorch_does(
    plan: LanguagePlan,
    grad_clip: float,
    kind: str,
    threads: int,
    device: torch.device,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(optimizer_module, "WORTH_DIVIDING", 1)
    workers = Workers(16, threads)
    request.addfinalizer(workers.close)
    ours, theirs = make_network(device), make_network(device)
    plan = dataclasses.replace(plan, grad_clip=grad_clip, optimizer="sgd" if kind == "sgd" else "adamw")
    made = Optimizer(FlatWeights(ours), plan, workers, find_kernel(kind, device))
    matrices = [p for name, p in theirs.named_weights() if p.ndim > 1 and "initial" not in name]
    others = [p for name, p in theirs.named_weights() if p.ndim == 1 or "initial" in name]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    if kind != "sgd":
        expected: torch.optim.Optimizer = torch.optim.AdamW(groups, lr=0.01, betas=BETAS)
    else:
        expected = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
    for step in range(5):
        norm = update(ours, made, step)
        set_gradients(theirs, step)
        torch.testing.assert_close(norm, torch.nn.utils.clip_grad_norm_(theirs.parameters(), grad_clip))
        expected.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    kept = made.state_tensors()
    for index, state in expected.state_dict()["state"].items():
        for key, value in state.items():
            torch.testing.assert_close(kept[f"{index}.{key}"].cpu(), torch.as_tensor(value).cpu(), rtol=1e-4, atol=1e-6)


@on_devices
@pytest.mark.parametrize("kind", ["adamw", "kernel", "sgd"])
def test_it_goes_on_from_a_saved_state(plan: LanguagePlan, kind: str, device: torch.device) -> None:
    plan = dataclasses.replace(plan, optimizer="sgd" if kind == "sgd" else "adamw")
    network, kernel = make_network(device), find_kernel(kind, device)
    optimizer = Optimizer(FlatWeights(network), plan, ONE, kernel)
    update(network, optimizer, 1)
    saved, weights = {name: t.clone() for name, t in optimizer.state_tensors().items()}, network.export()
    update(network, optimizer, 2)
    other = make_network(device)
    other.load(weights)
    restored = Optimizer(FlatWeights(other), plan, ONE, kernel)
    restored.load(saved)
    update(other, restored, 2)
    for a, b in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


@on_devices
@pytest.mark.parametrize("kind", ["adamw", "kernel", "sgd"])
def test_a_gradient_that_is_not_finite_changes_nothing(plan: LanguagePlan, kind: str, device: torch.device) -> None:
    network = make_network(device)
    plan = dataclasses.replace(plan, optimizer="sgd" if kind == "sgd" else "adamw")
    optimizer = Optimizer(FlatWeights(network), plan, ONE, find_kernel(kind, device))
    update(network, optimizer, 1)
    before = network.export(), {name: t.clone() for name, t in optimizer.state_tensors().items()}
    set_gradients(network, 2)
    assert network.decoder.bias.grad is not None
    network.decoder.bias.grad[3] = math.nan
    optimizer.step(0.01, optimizer.collect_gradient(World()))
    assert all((array == before[0][name]).all() for name, array in network.export().items())
    assert all(torch.equal(t, before[1][name]) for name, t in optimizer.state_tensors().items())


def set_bias(network: CharRNN, value: float) -> None:
    with torch.no_grad():
        network.decoder.bias.fill_(value)


def test_the_first_update_forgets_the_random_weights() -> None:
    network = CharRNN(ModelConfig("gru", 1, 4, 0, 3))
    average = WeightAverage(FlatWeights(network), ONE)
    set_bias(network, 7.0)
    average.update(steps=1, progress=0.01)
    assert (average.tensors()["decoder.bias"] == 7.0).all()


@on_devices
def test_it_is_the_exponential_average_over_a_share_of_the_run(device: torch.device) -> None:
    network = CharRNN(ModelConfig("gru", 1, 4, 0, 3)).to(device)
    set_bias(network, 0.0)
    average = WeightAverage(FlatWeights(network), ONE)
    total, expected = 1000, 0.0
    for step in range(900, total + 1):
        set_bias(network, float(step))
        average.update(step, step / total)
        expected += (step - expected) / (HORIZON * total)
    torch.testing.assert_close(average.tensors()["decoder.bias"], torch.full((3,), expected, device=device))


@on_devices
def test_the_network_has_the_average_within_the_block_only(device: torch.device) -> None:
    network = CharRNN(ModelConfig("lstm", 2, 4, 2, 3)).to(device)
    average = WeightAverage(FlatWeights(network), ONE)
    before = network.export()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    after = network.export()
    with average.apply():
        for name, tensor in network.export().items():
            assert (tensor == before[name]).all()
            assert (tensor == average.export()[name]).all()
    for name, tensor in network.export().items():
        assert (tensor == after[name]).all()


def test_a_restored_average_is_the_same() -> None:
    network = CharRNN(ModelConfig("rnn", 1, 4, 2, 3))
    one = WeightAverage(FlatWeights(network), ONE)
    set_bias(network, 3.0)
    one.update(10, 0.5)
    other = WeightAverage(FlatWeights(network), ONE)
    other.load({name: tensor.clone() for name, tensor in one.tensors().items()})
    assert all(torch.equal(tensor, other.tensors()[name]) for name, tensor in one.tensors().items())
