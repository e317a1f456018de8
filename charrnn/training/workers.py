"""CPU cores put to work side by side.

PyTorch splits every matrix product over the cores and lets them wait for each other after each. One worker for
each core, going through a whole step with its own share of the readers, waits only at the step's end:

    LSTM 2x100, batch 100, sequence 200, two idle cores     86 against 71 thousand characters/s
    LSTM 1x128 to 1x512, batch 16, two idle cores           the same to 4 %
    LSTM 1x256, batch 16, cores shared with other programs  7.3 against 0.3 thousand characters/s
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")

COLUMNS_PER_WORKER = 8  # fewer leave a matrix product too little to do


class Workers:
    """Threads of work for `columns` parallel streams.

    Args:
        columns: B, the streams that are to be shared out.
        threads: CPU threads in all; None leaves everything to the device, with one worker.
    """

    def __init__(self, columns: int, threads: int | None) -> None:
        self.count = max(1, min(threads or 1, columns // COLUMNS_PER_WORKER))
        self._pool = ThreadPoolExecutor(self.count - 1) if self.count > 1 else None
        if threads and self.count > 1:
            torch.set_num_threads(max(1, threads // self.count))

    def shares(self, columns: int) -> list[slice]:
        """Contiguous shares of that many columns, one for each worker."""
        return [slice(a, b) for a, b in pairwise(columns * k // self.count for k in range(self.count + 1))]

    def map(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """`work` done for every part, in their order; the caller's own thread takes the first."""
        if self._pool is None:
            return [work(part) for part in parts]
        waiting = [self._pool.submit(work, part) for part in parts[1:]]
        return [work(parts[0]), *(future.result() for future in waiting)]
