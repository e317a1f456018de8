"""Capturing, with a device that is made up where there is none: what is called in which order."""

from contextlib import contextmanager
from typing import Any

import pytest
import torch

from charrnn.native.cuda_graph import WARM_UP_CALLS, capture
from tests.devices import on_gpu


class _Stream:
    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def wait_stream(self, other: "_Stream") -> None:
        self.log.append(f"{self.name} waits for {other.name}")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was called of a made-up device."""
    log: list[str] = []
    current, side = _Stream("current", log), _Stream("side", log)

    @contextmanager
    def within(thing: Any) -> Any:
        log.append(f"begin {getattr(thing, 'name', 'graph')}")
        yield
        log.append(f"end {getattr(thing, 'name', 'graph')}")

    monkeypatch.setattr(torch.cuda, "Stream", lambda: side)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: current)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "stream", within)
    monkeypatch.setattr(torch.cuda, "graph", within)
    return log


def test_it_warms_up_on_a_stream_of_its_own_and_puts_tensors_back(log: list[str]) -> None:
    value = torch.tensor(5)

    def compute() -> torch.Tensor:
        log.append("compute")
        return value.add_(1).clone()

    graph, result = capture(compute, [value])
    before = ["side waits for current", "begin side", *["compute"] * WARM_UP_CALLS, "end side"]
    assert log == [*before, "current waits for side", "begin graph", "compute", "end graph"]
    assert type(graph) is object
    assert (value.item(), result.item()) == (5, 5 + WARM_UP_CALLS + 1)


@on_gpu
def test_a_replay_computes_anew() -> None:
    value = torch.ones(3, device="cuda")
    graph, doubled = capture(lambda: value * 2)
    value.fill_(4.0)
    graph.replay()
    assert doubled.tolist() == [8.0] * 3
