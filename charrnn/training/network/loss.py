"""Cross-entropy of the output layer, without a score for every symbol of a step at once.

    loss        sum over n of  ln sum_v exp(s_nv) - s_n,target(n)      s = hidden @ weight.T + bias     (N, V)
    dloss/ds    softmax(s) - onehot(target)

The gradient of each score needs nothing but the scores of its own row. So a piece of the rows at a time is
scored, turned into its gradient in place, and multiplied into the gradients of hidden, weight and bias: the
arithmetic is that of the plain way, the memory that of one piece.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

IGNORED = -1  # a target that counts for nothing
PIECE = 2**22  # scores at a time: smaller pieces add to the gradient of weight too often


def output_loss(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Summed nats of targets (N,) under the scores hidden (N, H) @ weight (V, H).T + bias (V,).

    Rows whose target is negative are left out. Large vocabularies are scored `PIECE` numbers at a time.
    """
    rows = max(1, PIECE // len(weight))
    loss: Tensor = _OutputLoss.apply(hidden, weight, bias, targets, rows, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return loss


class _OutputLoss(torch.autograd.Function):
    """See `output_loss`; the gradients are computed on the way."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, rows: int, differentiate: bool
    ) -> Tensor:
        precision = torch.promote_types(hidden.dtype, torch.float32)
        total = torch.zeros((), dtype=precision, device=hidden.device)
        grad_hidden, grad_weight, grad_bias = (
            torch.zeros_like(part) if differentiate else None for part in (hidden, weight, bias)
        )
        for begin in range(0, len(hidden), rows):
            piece, wanted = hidden[begin : begin + rows], targets[begin : begin + rows, None]
            counted, place = wanted >= 0, wanted.clamp(min=0)
            scores = torch.addmm(bias, piece, weight.t()).to(precision)  # (n, V)
            totals = scores.logsumexp(dim=1, keepdim=True)
            total += torch.where(counted, totals - scores.gather(1, place), 0.0).sum()
            if grad_hidden is None or grad_weight is None or grad_bias is None:
                continue
            slopes = scores.sub_(totals.masked_fill(~counted, math.inf)).exp_()  # rows of zeros where nothing counts
            slopes.scatter_add_(1, place, -counted.to(precision))
            grad_hidden[begin : begin + rows] = slopes @ weight
            grad_weight += slopes.t() @ piece
            grad_bias += slopes.sum(dim=0)
        if differentiate:
            ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        return gradient * grad_hidden, gradient * grad_weight, gradient * grad_bias, None, None, None
