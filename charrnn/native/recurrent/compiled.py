"""From the kernel's LLVM code to functions: compiled once for each kind of processor, then read from a cache."""

from ctypes import CFUNCTYPE, POINTER, c_double, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from charrnn.native.cache import load_or_compile
from charrnn.native.processor import Processor, Tiling
from charrnn.native.recurrent.structs import Call, Sequence

PASS = CFUNCTYPE(None, POINTER(Sequence))
FUNCTIONS = {
    "pack": CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_int64, c_int64, c_void_p),
    "gemm_nt": CFUNCTYPE(None, *[c_void_p, c_int64, c_int64], *[c_void_p, c_int64] * 3, c_int64),
    "gemm_tn": CFUNCTYPE(None, *[c_void_p, c_int64, c_int64] * 2, *[c_void_p, c_int64] * 2, c_int64, c_void_p),
    "forward": PASS,
    "backward": PASS,
    "softmax": CFUNCTYPE(None, c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_void_p, c_void_p),
    "add_rows": CFUNCTYPE(None, c_void_p, c_int64, c_void_p, c_int64, c_int64, c_void_p, c_int64),
    "scale_rows": CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_void_p, c_int64, c_void_p),
    "run": CFUNCTYPE(None, POINTER(Call), c_int64),
    "adamw": CFUNCTYPE(None, *[c_void_p] * 4, c_int64, *[c_double] * 7),
}
HERE = Path(__file__).parent
SOURCES = (HERE, HERE.parent)


@dataclass(frozen=True)
class Kernel:
    """The functions for one kind of cell; they release the global interpreter lock. `alive` owns their memory."""

    pack: Any
    gemm_nt: Any
    gemm_tn: Any
    forward: Any
    backward: Any
    softmax: Any
    add_rows: Any
    scale_rows: Any
    run: Any
    adamw: Any
    alive: Any


def has_bf16_products() -> bool:
    """Whether there are bf16 kernels on this machine."""
    try:
        return Processor().has_bfloat16 and find_spec("llvmlite") is not None
    except (ImportError, RuntimeError):
        return False


@cache
def load_kernel(cell: str, *, bf16: bool = False) -> Kernel | None:
    """The kernel for a kind of cell, or None on a system where llvmlite cannot be loaded or make code that runs.

    Products of a `bf16` kernel are of bfloat16 numbers (`charrnn.native.recurrent.terms`); it is None, too, where the
    processor has no instruction for them.
    """
    try:
        processor = Processor()
        if bf16 and not processor.has_bfloat16:
            return None
        code = load_or_compile(
            f"recurrent-{cell}{'-bf16' if bf16 else ''}",
            processor.name,
            SOURCES,
            lambda: compile_kernel(processor, cell, processor.tiling, bf16=bf16),
        )
        return link_kernel(processor, code)
    except (ImportError, OSError, RuntimeError):
        return None


def compile_kernel(processor: Processor, cell: str, tiling: Tiling, *, bf16: bool = False) -> bytes:
    """The kernel's object code."""
    from charrnn.native.recurrent.program import emit_kernel
    from charrnn.native.recurrent.terms import Terms

    return processor.compile(emit_kernel(tiling, cell, Terms(bf16, processor.has_bfloat16)))


def link_kernel(processor: Processor, code: bytes) -> Kernel:
    """The kernel from its object code."""
    addresses, alive = processor.load(code, FUNCTIONS)
    return Kernel(**{name: kind(addresses[name]) for name, kind in FUNCTIONS.items()}, alive=alive)
