"""Parallel work on all cores that this process may use.

NumPy releases Python's global interpreter lock during large operations, so threads suffice. BLAS's own threads would
split every single product and spin while they wait for each other, so the command line gives BLAS one thread. Scoring
on two cores, in thousands of characters per second, with BLAS's threads and with these: LSTM 1x256 99 and 127; LSTM
1x512 36 and 46, and beside two busy programs 9 and 18.
"""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


def available_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def map_parallel(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """The results of `work` for each part, computed in parallel, in the order of the parts."""
    if len(parts) < 2 or available_cores() < 2:
        return [work(part) for part in parts]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(parts), available_cores())) as pool:
        return list(pool.map(work, parts))
