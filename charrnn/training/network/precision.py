"""The numbers that a step computes with: float32, or bfloat16 for its large products.

Weights, gradients, the optimizer's averages and the carried state stay float32; validation computes in float32, so
that its figure is the same on every device. bfloat16 has the range of float32, so the loss needs no scaling.

float32 means float32: recent GPUs would round the factors of products to TF32, which keeps 10 of the 23 bits, in
cuDNN even where PyTorch is not asked to. `full_precision` turns that off; those who want speed take bf16.

On a CPU the kernel's products take bfloat16 numbers, if the processor can (`charrnn.native.recurrent.terms`).

Elsewhere autocast takes care of everything but the recurrent layers: PyTorch's autocast of cuDNN's kernels always means
float16 there, whatever type was asked for (ATen/cudnn/AutocastRNN.cpp), and float16 is too narrow for gradients of a
mean over thousands of characters. So `CharRNN.read` casts those itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from charrnn.errors import TrainingError
from charrnn.native.recurrent.compiled import has_bf16_products

CPU_FEATURES = ("avx512_bf16", "amx_bf16", "bf16")  # as Linux names them; the last one is ARM's
CUDNN_BFLOAT16 = 91300  # the first cuDNN whose recurrent kernels take it; before, PyTorch goes step by step


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The type of that name; `auto` is bfloat16 where a GPU, or the kernel on a CPU, is fast with it.

    Raises:
        TrainingError: if bfloat16 is asked for on a device that cannot compute with it.
    """
    if name == "fp32":
        return torch.float32
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
        version = torch.backends.cudnn.version() or 0  # type: ignore[no-untyped-call]
        fast = able and version >= CUDNN_BFLOAT16
    else:
        able = device.type == "cpu" and cpu_has_bfloat16()
        fast = able and has_bf16_products()
    if name == "bf16" and not able:
        reason = ""
        if device.type == "cpu":
            reason = f": it has none of {', '.join(CPU_FEATURES)}, without which bf16 is many times slower than fp32"
        raise TrainingError(
            f"this {device.type} device does not support bf16{reason}; leave out --precision, or use fp32"
        )
    return torch.bfloat16 if name == "bf16" or fast else torch.float32


def cpu_has_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16 (x86 and ARM; unknown processors have none)."""
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 - the only way where Linux does not tell
    return not words.isdisjoint(CPU_FEATURES)


@contextmanager
def full_precision() -> Iterator[None]:
    """Within the block, products of float32 on a GPU are not rounded to TF32."""
    backends: tuple[Any, ...] = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [backend.allow_tf32 for backend in backends]
    for backend in backends:
        backend.allow_tf32 = False
    try:
        yield
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed


def use_precision(precision: torch.dtype, device: torch.device) -> torch.autocast:
    """A context in which large products are computed in `precision`; each thread needs its own."""
    return torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32, cache_enabled=False)


def lower_precision(device: torch.device) -> torch.dtype | None:
    """The type that an enclosing `use_precision` asks for, None if that is float32."""
    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None
