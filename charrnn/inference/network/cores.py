"""The cores that this process may use, each at work on a share of its own.

NumPy lets go of Python's lock during large operations, so plain threads do. BLAS's own threads would split every
single product instead and spin while they wait for each other, so the command line gives BLAS one thread. Scoring
on two cores, in thousands of characters a second, BLAS's threads against ours: LSTM 1x256 99 and 127; LSTM 1x512
36 and 46, and with two busy programs beside 9 and 18.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


def available_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not every system tells
        return os.cpu_count() or 1


def on_all_cores(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """`work` done for every part, side by side; results in the order of the parts."""
    if len(parts) < 2 or available_cores() < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(min(len(parts), available_cores())) as pool:
        return list(pool.map(work, parts))
