"""Kernels for the tilings of all processors, compiled for this one, whatever the width of its vectors."""

from functools import cache

from charrnn.inference.generation.kernel.compiled import Kernel, compile_kernel, link_kernel
from charrnn.native.processor import Processor, Tiling

TILINGS = [Tiling(16, 2, 8, 4), Tiling(8, 3, 4, 4), Tiling(4, 2, 4, 4)]


@cache
def build_kernel(cell: str, tiling: Tiling) -> Kernel:
    processor = Processor()
    return link_kernel(processor, compile_kernel(processor, cell, tiling), tiling)
