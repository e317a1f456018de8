"""From the kernel's LLVM code to functions: compiled once for each kind of processor, then read from a cache."""

from ctypes import CFUNCTYPE, POINTER, c_double, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from charrnn.inference.generation.kernel.structs import Batch, Job
from charrnn.native.cache import load_or_compile
from charrnn.native.processor import Processor, Tiling

RUN_JOB = CFUNCTYPE(None, POINTER(Job), c_int64, c_int64)
NETWORK = CFUNCTYPE(None, POINTER(Batch))
CHOOSE = CFUNCTYPE(c_int64, POINTER(Batch), c_void_p, c_void_p, c_double, c_void_p)
WRITE = CFUNCTYPE(c_int64, POINTER(Batch), c_int64, c_void_p, c_void_p, c_void_p)
FUNCTIONS = {"run_job": RUN_JOB, "network": NETWORK, "choose": CHOOSE, "write": WRITE}
HERE = Path(__file__).parent
SOURCES = (HERE, HERE.parents[2] / "native")


@dataclass(frozen=True)
class Kernel:
    """The kernel's functions, which release Python's global interpreter lock while they run; `alive` owns them."""

    tiling: Tiling
    run_job: Any
    network: Any
    choose: Any
    write: Any
    alive: Any


@cache
def load_kernel(cell: str) -> Kernel | None:
    """The kernel for a kind of cell, or None on a system where llvmlite cannot be loaded or make code that runs."""
    try:
        processor = Processor()
        code = load_or_compile(
            f"generation-{cell}", processor.name, SOURCES, lambda: compile_kernel(processor, cell, processor.tiling)
        )
        return link_kernel(processor, code, processor.tiling)
    except (ImportError, OSError, RuntimeError):
        return None


def compile_kernel(processor: Processor, cell: str, tiling: Tiling) -> bytes:
    """The kernel's object code."""
    from charrnn.inference.generation.kernel.program import emit_kernel

    return processor.compile(emit_kernel(tiling, cell))


def link_kernel(processor: Processor, code: bytes, tiling: Tiling) -> Kernel:
    """The kernel from its object code."""
    addresses, alive = processor.load(code, FUNCTIONS)
    functions = {name: kind(addresses[name]) for name, kind in FUNCTIONS.items()}
    return Kernel(tiling, **functions, alive=alive)
