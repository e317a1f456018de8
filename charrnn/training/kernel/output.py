"""Cross-entropy of the output layer by the kernel, as a function that PyTorch differentiates.

    loss        sum over n of  ln sum_v exp(s_nv) - s_n,target(n)      s = hidden @ weight.T + bias     (N, V)
    dloss/ds    softmax(s) - onehot(target)

The gradient of each score needs nothing but the scores of its own row. So a piece of the rows at a time is scored,
turned into its gradient in place, and multiplied into the gradients of hidden, weight and bias, while it is in the
cache. What a backward pass is left to do is to scale them.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.training.kernel.linear import Linear, check_range, multiply, outer

PIECE = 2**16  # scores at a time
LEAST_ROWS = 64  # at a time: the gradient of a large output layer does not stay in the cache between pieces


def output_loss(linear: Linear, hidden: Tensor, targets: Tensor) -> Tensor:
    """Summed nats of targets (N,) under the scores of an output layer, given hidden (N, H).

    Raises:
        IndexError: if a target has no score.
    """
    check_range(targets, len(linear.weight))
    loss: Tensor = _OutputLoss.apply(linear, hidden, linear.weight, linear.bias, targets)  # type: ignore[no-untyped-call]
    return loss


class _OutputLoss(torch.autograd.Function):
    """See `output_loss`."""

    @staticmethod
    def forward(ctx: Any, linear: Linear, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        kernel, hidden, targets = linear.kernel, hidden.contiguous(), targets.contiguous()
        count, symbols = len(hidden), len(weight)
        rows = max(LEAST_ROWS, PIECE // symbols)
        scores = hidden.new_empty(min(rows, count), symbols)
        totals, differences = hidden.new_empty(count), hidden.new_empty(count)
        learning = any(ctx.needs_input_grad)
        by_hidden, by_weight, by_bias = torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias)
        zeros = hidden.new_zeros(hidden.shape[1])
        for begin in range(0, count, rows):
            piece, wanted = hidden[begin : begin + rows], targets[begin : begin + rows]
            part = scores[: len(piece)]
            multiply(kernel, linear.packed, piece, bias, part)
            addresses = totals[begin:].data_ptr(), differences[begin:].data_ptr()
            kernel.softmax(part.data_ptr(), symbols, wanted.data_ptr(), len(piece), *addresses)
            if learning:
                assert linear.packed_transpose is not None  # noqa: S101 - there is one where gradients are computed
                multiply(kernel, linear.packed_transpose, part, zeros, by_hidden[begin : begin + rows])
                outer(kernel, part, piece, by_weight)
                by_bias += part.sum(dim=0)
        ctx.gradients = by_hidden, by_weight, by_bias
        return (totals.log() - differences).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.gradients is None:
            raise RuntimeError("the output layer's gradients are scaled in place: no second backward pass")
        by_hidden, by_weight, by_bias = (part.mul_(gradient) for part in ctx.gradients)
        ctx.gradients = None
        return None, by_hidden, by_weight, by_bias, None
