"""Linear layers by the kernel's products, as functions that PyTorch differentiates; and calls of the kernel."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.native.recurrent.call_list import CallList
from charrnn.native.recurrent.compiled import Kernel
from charrnn.native.recurrent.structs import scratch_size


@dataclass(frozen=True)
class Linear:
    """A linear layer's weights, packed once for all calls between two changes of them.

    Attributes:
        kernel: any; its products do not depend on the cell.
        weight: (R, K).
        bias: (R).
        packed: the weights as the forward pass reads them.
        packed_transpose: as the backward pass reads them; None if there will be none.
    """

    kernel: Kernel
    weight: Tensor
    bias: Tensor
    packed: Tensor
    packed_transpose: Tensor | None


def make_linear(kernel: Kernel, weight: Tensor, bias: Tensor) -> Linear:
    """Pack a linear layer's weights."""
    return Linear(kernel, weight, bias, *pack_both(kernel, weight))


def apply_linear(linear: Linear, x: Tensor) -> Tensor:
    """The layer's outputs (N, R) for inputs x (N, K)."""
    result: Tensor = _LinearFunction.apply(linear, x, linear.weight, linear.bias)  # type: ignore[no-untyped-call]
    return result


class _LinearFunction(torch.autograd.Function):
    """See `apply_linear`."""

    @staticmethod
    def forward(ctx: Any, linear: Linear, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.linear = linear
        x = x.contiguous()
        ctx.save_for_backward(x)
        return gemm_nt(linear.kernel, linear.packed, x, bias, x.new_empty(len(x), len(weight)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_result: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        linear, grad_result, grad_x = ctx.linear, grad_result.contiguous(), None
        if ctx.needs_input_grad[1]:
            grad_x = gemm_nt(
                linear.kernel, linear.packed_transpose, grad_result, x.new_zeros(x.shape[1]), torch.empty_like(x)
            )
        return None, grad_x, gemm_tn(linear.kernel, grad_result, x), grad_result.sum(dim=0)


@torch.no_grad()
def pack(kernel: Kernel, matrix: Tensor) -> Tensor:
    """A matrix (R, K), of any strides, as products read it: (R*K)."""
    packed = matrix.new_empty(matrix.numel())
    pack_into(kernel, matrix, packed)
    return packed


def pack_into(kernel: Kernel, matrix: Tensor, packed: Tensor) -> None:
    """Pack a matrix (R, K), of any strides, into given memory (R*K)."""
    kernel.pack(matrix.data_ptr(), *matrix.shape, *matrix.stride(), packed.data_ptr())


def pack_both(kernel: Kernel, matrix: Tensor) -> tuple[Tensor, Tensor | None]:
    """A matrix (R, K) packed, and its transpose packed, unless there are no gradients to compute with it."""
    return pack(kernel, matrix), pack(kernel, matrix.t()) if torch.is_grad_enabled() else None


def gemm_nt(kernel: Kernel, packed: Tensor, x: Tensor, initial: Tensor, out: Tensor) -> Tensor:
    """Set out (N, R) to initial + x (N, K) w.T, w (R, K) packed; `initial` may be one row (R) for all."""
    start = initial.data_ptr(), initial.stride(0) if initial.ndim > 1 else 0
    target = out.data_ptr(), out.stride(0)
    kernel.gemm_nt(packed.data_ptr(), out.shape[1], x.shape[1], x.data_ptr(), x.stride(0), *start, *target, len(x))
    return out


def gemm_tn(kernel: Kernel, a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """a.T @ b of a (N, R) and b (N, C), whose rows are contiguous; added to `out` (R, C) if given."""
    if out is None:
        out = a.new_empty(a.shape[1], b.shape[1])
        return gemm_tn_into(kernel, a, b, a.new_zeros(b.shape[1]), out, make_scratch(a))
    return gemm_tn_into(kernel, a, b, out, out, make_scratch(a))


def gemm_tn_into(kernel: Kernel, a: Tensor, b: Tensor, initial: Tensor, out: Tensor, scratch: Tensor) -> Tensor:
    """Set out (R, C) to initial + a.T @ b; `initial` may be one row (C) for all."""
    left, right = ((part.data_ptr(), part.stride(0), part.shape[1]) for part in (a, b))
    start = initial.data_ptr(), initial.stride(0) if initial.ndim > 1 else 0
    kernel.gemm_tn(*left, *right, *start, out.data_ptr(), out.stride(0), len(a), scratch.data_ptr())
    return out


def make_scratch(a: Tensor) -> Tensor:
    """The memory that `gemm_tn_into` works in, for a (N, R)."""
    return a.new_empty(scratch_size(a.shape[1]))


def add_rows(kernel: Kernel, rows: Tensor, symbols: Tensor, table: Tensor) -> Tensor:
    """Add the rows (N, W) of each symbol (N) to the table's row of that symbol (V, W), in their order."""
    sizes = rows.data_ptr(), rows.stride(0), symbols.data_ptr(), *rows.shape
    kernel.add_rows(*sizes, table.data_ptr(), table.stride(0))
    return table


def set_rows(kernel: Kernel, row: Tensor, out: Tensor) -> None:
    """Set every row of out (N, R) to `row` (R): a product without terms."""
    target = out.data_ptr(), out.stride(0)
    kernel.gemm_nt(target[0], out.shape[1], 0, target[0], 0, row.data_ptr(), 0, *target, len(out))


def record_sum(recording: CallList, rows: Tensor, total: Tensor) -> None:
    """Add the call that adds all rows (N, W) to `total` (W)."""
    add_rows(recording.kernel, rows, recording.keep(torch.zeros(len(rows), dtype=torch.int64)), total[None])


def scale_rows(kernel: Kernel, rows: Tensor, factors: Tensor, out: Tensor) -> None:
    """Set out to the rows (N, W) times factors (M, W), the same for every M rows; all contiguous."""
    if len(factors):
        kernel.scale_rows(rows.data_ptr(), *rows.shape, factors.data_ptr(), len(factors), out.data_ptr())


def check_range(indices: Tensor, count: int) -> None:
    """Make sure that indices are those of `count` rows: machine code would read any memory.

    Raises:
        IndexError: if one is not.
    """
    if indices.numel():
        least, most = (int(bound) for bound in torch.aminmax(indices))
        if least < 0 or most >= count:
            raise IndexError(f"index {least if least < 0 else most} is out of range: there are {count} rows")
