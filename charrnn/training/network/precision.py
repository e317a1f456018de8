"""The numbers that a step computes with: float32, or bfloat16 for its large products.

Weights, gradients, the optimizer's averages and the carried state stay float32; validation computes in float32, so
that its figure is the same on every device. bfloat16 has the range of float32, so the loss needs no scaling.

Autocast takes care of everything but the recurrent layers: PyTorch's autocast of cuDNN's kernels always means
float16 there, whatever type was asked for (ATen/cudnn/AutocastRNN.cpp), and float16 is too narrow for gradients of a
mean over thousands of characters. So `CharRNN.read` casts those itself.
"""

import torch

from charrnn.errors import TrainingError

CUDNN_BFLOAT16 = 91300  # the first cuDNN whose recurrent kernels take it; before, PyTorch goes step by step


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The type of that name; `auto` is bfloat16 where a GPU has fast kernels for it.

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
        able, fast = device.type == "cpu", False
    if name == "bf16" and not able:
        raise TrainingError(f"this {device.type} device does not compute in bf16; leave out --precision, or take fp32")
    return torch.bfloat16 if name == "bf16" or fast else torch.float32


def computing(precision: torch.dtype, device: torch.device) -> torch.autocast:
    """A context in which large products are computed in `precision`; each thread needs its own."""
    return torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32, cache_enabled=False)


def lower_precision(device: torch.device) -> torch.dtype | None:
    """What `computing` asks for around this, None if that is float32."""
    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None
