"""From the kernel's LLVM code to functions: compiled once for each kind of processor, then read from a cache."""

from ctypes import CFUNCTYPE, POINTER, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from charrnn.native.cache import load_or_compile
from charrnn.native.processor import Processor, Tiling
from charrnn.native.recurrent.records import Call, Sequence

PASS = CFUNCTYPE(None, POINTER(Sequence))
FUNCTIONS = {
    "pack": CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_int64, c_int64, c_void_p),
    "multiply": CFUNCTYPE(None, *[c_void_p, c_int64, c_int64], *[c_void_p, c_int64] * 3, c_int64),
    "outer": CFUNCTYPE(None, *[c_void_p, c_int64, c_int64] * 2, *[c_void_p, c_int64] * 2, c_int64, c_void_p),
    "forward": PASS,
    "backward": PASS,
    "softmax": CFUNCTYPE(None, c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_void_p, c_void_p),
    "add_rows": CFUNCTYPE(None, c_void_p, c_int64, c_void_p, c_int64, c_int64, c_void_p, c_int64),
    "scale_rows": CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_void_p, c_int64, c_void_p),
    "run": CFUNCTYPE(None, POINTER(Call), c_int64),
}
HERE = Path(__file__).parent
SOURCES = (HERE, HERE.parent)


@dataclass(frozen=True)
class Kernel:
    """The functions for one kind of cell; they release the global interpreter lock. `alive` owns their memory."""

    pack: Any
    multiply: Any
    outer: Any
    forward: Any
    backward: Any
    softmax: Any
    add_rows: Any
    scale_rows: Any
    run: Any
    alive: Any


@cache
def load_kernel(cell: str) -> Kernel | None:
    """The kernel for a kind of cell, or None on a system where llvmlite cannot be loaded or make code that runs."""
    try:
        processor = Processor()
        code = load_or_compile(
            f"recurrent-{cell}", processor.name, SOURCES, lambda: compile_kernel(processor, cell, processor.tiling)
        )
        return link_kernel(processor, code)
    except (ImportError, OSError, RuntimeError):
        return None


def compile_kernel(processor: Processor, cell: str, tiling: Tiling) -> bytes:
    """The kernel's object code."""
    from charrnn.native.recurrent.program import emit_kernel

    return processor.compile(emit_kernel(tiling, cell))


def link_kernel(processor: Processor, code: bytes) -> Kernel:
    """The kernel from its object code."""
    addresses, alive = processor.load(code, FUNCTIONS)
    return Kernel(**{name: kind(addresses[name]) for name, kind in FUNCTIONS.items()}, alive=alive)
