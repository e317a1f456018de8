"""CPU cores that work side by side.

PyTorch divides every matrix product among the cores, which wait for each other after each product. One worker for
each core, taking its share of the batch through a whole step, waits only at the end of the step (measurements:
docs/experiments/recipe.md).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")

COLUMNS_PER_WORKER = 4  # the kernel is as fast with 4 as with 8, with 2 a quarter slower


class Workers:
    """Threads that share the columns of a batch.

    Args:
        columns: B, the columns of a batch.
        threads: CPU threads in all; None leaves all parallelism to the device, with one worker.
    """

    def __init__(self, columns: int, threads: int | None) -> None:
        self.count = max(1, min(threads or 1, columns // COLUMNS_PER_WORKER))
        self._pool = ThreadPoolExecutor(self.count - 1) if self.count > 1 else None
        self._threads_before = torch.get_num_threads()
        if threads and self.count > 1:
            torch.set_num_threads(max(1, threads // self.count))

    def split(self, columns: int) -> list[slice]:
        """Contiguous shares of that many columns, one for each worker; none of them is empty."""
        bounds = [columns * k // self.count for k in range(self.count + 1)]
        return [slice(begin, end) for begin, end in pairwise(bounds) if end > begin]

    def map(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """The results of `work` for every part, in order; the calling thread takes the first part."""
        if self._pool is None:
            return [work(part) for part in parts]
        futures = [self._pool.submit(work, part) for part in parts[1:]]
        return [work(parts[0]), *(future.result() for future in futures)]

    def close(self) -> None:
        """End the threads and restore PyTorch's number of threads."""
        if self._pool is not None:
            self._pool.shutdown()
            torch.set_num_threads(self._threads_before)
