import pytest
import torch

from charrnn.model.config import ModelConfig
from charrnn.training.devices.world import World
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_objective import LanguageObjective
from charrnn.training.recipe import throughput
from charrnn.training.recipe.throughput import (
    HALF_SPEEDS,
    SHARE,
    Throughput,
    count_operations,
    estimate_throughput,
    fit_throughput,
    measure_throughput,
)
from tests.devices import on_devices

SMALL, MIDDLE, LARGE = (ModelConfig("lstm", 1, units, 64, 65) for units in (512, 1024, 2048))


@on_devices
def test_measuring_leaves_randomness_and_threads_as_they_were(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throughput, "SECONDS", 0.1)
    torch.manual_seed(5)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    measured = measure_throughput("lstm", device, World())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert measured.waiting == 0 or device.type != "cpu"
    small, large = (estimate_throughput(measured, ModelConfig("lstm", 1, units, 64, 65)) for units in (128, 2048))
    assert 0 < large < small


def test_measuring_computes_in_the_precision_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.dtype] = []

    def make(network: CharRNN, precision: torch.dtype) -> LanguageObjective:
        asked.append(precision)
        return LanguageObjective(network, torch.float32)  # not every processor computes in the other one

    monkeypatch.setattr(throughput, "SECONDS", 0.0)
    monkeypatch.setattr(throughput, "LanguageObjective", make)
    measure_throughput("rnn", torch.device("cpu"), World(), precision=torch.bfloat16)
    assert asked == [torch.bfloat16]
    halves = (measure_throughput("rnn", torch.device("cpu"), World(), kind).half_speed for kind in HALF_SPEEDS)
    assert list(halves) == [25, 50]


def test_two_sizes_give_the_law_of_a_gpu() -> None:
    """An H200's seconds for a million characters, 128 x 128, of 512 and 2048 units, predict those of 1024."""
    fitted = fit_throughput((count_operations(SMALL), 0.1794e-6), (count_operations(LARGE), 0.3929e-6))
    assert fitted.peak == pytest.approx(4.56e14, rel=0.01)
    assert fitted.waiting * 128 * 128 == pytest.approx(2.7e-3, rel=0.02)
    assert SHARE / estimate_throughput(fitted, MIDDLE) == pytest.approx(0.2306e-6, rel=0.05)


def test_a_gpu_too_fast_to_tell_waits_for_nothing() -> None:
    fitted = fit_throughput((1e7, 2e-7), (1e8, 1e-7))
    assert fitted == Throughput(1e15, 0.0, 0.0)


def test_a_layer_more_waits_as_long_again() -> None:
    waiting = Throughput(1e30, 0.0, waiting=1e-6)
    assert waiting.estimate(1.0, 100, layers=2) == pytest.approx(SHARE / 2e-6)


def test_a_small_layer_is_slower_on_a_cpu() -> None:
    machine = Throughput(2e11, half_speed=25)
    assert machine.estimate(1e6, 25) == pytest.approx(SHARE * 1e5)
    assert machine.estimate(1e6, 1000) == pytest.approx(SHARE * 2e5 / 1.025)


def test_processes_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Four(World):
        size = 4

        def all_reduce(self, value: float) -> float:
            return 4 * value

    monkeypatch.setattr(throughput, "measure_own_throughput", lambda *_, **__: Throughput(1e12, 0.0, 4e-6))
    assert measure_throughput("lstm", torch.device("cpu"), Four()) == Throughput(4e12, 0.0, 1e-6)
