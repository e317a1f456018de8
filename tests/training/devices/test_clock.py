"""The clock of a run gives all processes the same values; nothing else in a session tells the time."""

import ast
import inspect
from collections.abc import Sequence

import pytest

from charrnn.training import session
from charrnn.training.devices import clock as module
from charrnn.training.devices.clock import Clock
from charrnn.training.devices.world import World
from charrnn.training.interruption import StopRequest


class TwoProcesses(World):
    """This process, and another one whose row is given."""

    size = 2

    def __init__(self, rank: int, other: Sequence[float]) -> None:
        self.rank = rank
        self._other = list(other)

    def all_gather(self, values: Sequence[float]) -> list[list[float]]:
        return [list(values), self._other] if self.rank == 0 else [self._other, list(values)]


class Now:
    """What the module `time` tells a clock."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    perf_counter = monotonic


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    time = Now()
    monkeypatch.setattr(module, "time", time)
    return time


def test_values_change_only_where_they_are_exchanged(now: Now) -> None:
    clock = Clock(World())
    with clock.measure_step():
        now.seconds += 2.0
    stop = StopRequest(15)
    assert (clock.seconds, clock.step_seconds, clock.stopped_by) == (0.0, 0.0, None)
    assert clock.synchronize(stop, [1.5]) == [1.5]
    assert (clock.seconds, clock.step_seconds, clock.stopped_by) == (2.0, 2.0, 15)


def test_times_are_those_of_the_first_process_and_a_stop_may_come_from_any(now: Now) -> None:
    clock = Clock(TwoProcesses(1, [7.0, 5.0, 0.0, 10.0]))
    now.seconds += 99.0
    assert clock.synchronize(StopRequest(2), [0.5]) == [10.5]
    assert (clock.seconds, clock.step_seconds, clock.stopped_by) == (7.0, 5.0, 2)


def test_a_resumed_run_counts_on_and_what_comes_before_the_start_does_not_count(now: Now) -> None:
    clock = Clock(World(), seconds=30.0, step_seconds=20.0)
    now.seconds += 50.0  # the graph is traced, a state is saved
    clock.start()
    now.seconds += 1.0
    clock.synchronize(StopRequest())
    assert (clock.seconds, clock.step_seconds) == (31.0, 20.0)


def test_a_session_has_no_other_clock_and_asks_for_no_signal() -> None:
    tree = ast.parse(inspect.getsource(session))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert "time" not in imported
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert "signal" not in attributes
