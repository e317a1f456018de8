"""The clock of a run: the only source of whatever may differ between the processes of one run.

A decision that leads to a collective call (evaluating, saving, going back, ending) must be the same in all processes.
So a session reads neither a clock, nor a request to stop, nor a loss of its own: it decides by the values of this
class, which change in `synchronize` only, where all processes exchange them.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from charrnn.training.devices.world import World
from charrnn.training.interruption import StopRequest


class Clock:
    """Time, requests to stop, and sums over the processes, as of the last `synchronize`; a resumed run counts on.

    Attributes:
        seconds: duration of the run, by the clock of rank 0.
        step_seconds: the part of it that rank 0 spent in training steps.
        stopped_by: the signal that requested a stop in any process, None if there was none.
    """

    def __init__(self, world: World, seconds: float = 0.0, step_seconds: float = 0.0) -> None:
        self._world = world
        self.seconds = seconds
        self.step_seconds = self._own_step_seconds = step_seconds
        self.stopped_by: int | None = None
        self.start()

    def start(self) -> None:
        """Count seconds from now on; what has passed since the last `synchronize` is not counted."""
        self._begin = time.monotonic() - self.seconds

    @contextmanager
    def measure_step(self) -> Iterator[None]:
        """Count the block as part of a training step of this process."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._own_step_seconds += time.perf_counter() - begin

    def synchronize(self, stop: StopRequest, values: Sequence[float] = ()) -> list[float]:
        """Exchange clock, request to stop and `values` with the other processes; all of them must call it at once.

        Returns the sum of each value over all processes.
        """
        own = [time.monotonic() - self._begin, self._own_step_seconds, float(stop.signal or 0), *values]
        rows = self._world.all_gather(own)
        self.seconds, self.step_seconds = rows[0][:2]
        self.stopped_by = next((int(row[2]) for row in rows if row[2]), None)
        return [sum(column) for column in zip(*(row[3:] for row in rows), strict=True)]
