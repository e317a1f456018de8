"""Kernels of every tiling that some processor has, made for this one, whatever the width of its vectors."""

from functools import cache

from charrnn.inference.generation.kernel.compiled import Kernel, Processor
from charrnn.native.products import Tiling

TILINGS = [Tiling(16, 2, 8, 4), Tiling(8, 3, 4, 4), Tiling(4, 2, 4, 4)]


@cache
def made(cell: str, tiling: Tiling) -> Kernel:
    processor = Processor()
    return processor.linked(processor.compiled(cell, tiling), tiling)
