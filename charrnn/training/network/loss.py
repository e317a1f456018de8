"""Cross-entropy of the output layer, for large vocabularies without a score for every character of a step at once.

    loss        sum over n of  ln sum_v exp(s_nv) - s_n,target(n)      s = hidden @ weight.T + bias     (N, V)
    dloss/ds    softmax(s) - onehot(target)

The gradient of each score needs nothing but the scores of its own row. So a piece of the rows at a time is
scored, turned into its gradient in place, and multiplied into the gradients of hidden, weight and bias: the
arithmetic is that of the plain way, the memory that of one piece.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812

PLAIN = 2**23  # scores (N * V) up to which all at once cost little memory
PIECE = 2**22  # scores at a time: smaller pieces add to the gradient of weight too often


def output_loss(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Summed nats of targets (N,) under the scores hidden (N, H) @ weight (V, H).T + bias (V,)."""
    if len(hidden) * len(weight) <= PLAIN:
        return F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction="sum")
    loss: Tensor = PiecewiseLoss.apply(hidden, weight, bias, targets, max(1, PIECE // len(weight)))  # type: ignore[no-untyped-call]
    return loss


class PiecewiseLoss(torch.autograd.Function):
    """The summed loss of `rows` rows at a time; their gradients are made on the way."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, rows: int) -> Tensor:  # noqa: D102
        precision = torch.promote_types(hidden.dtype, torch.float32)
        total = torch.zeros((), dtype=precision, device=hidden.device)
        by_hidden = torch.empty_like(hidden)
        by_weight, by_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        for begin in range(0, len(hidden), rows):
            piece, wanted = hidden[begin : begin + rows], targets[begin : begin + rows, None]
            scores = torch.addmm(bias, piece, weight.t()).to(precision)  # (n, V)
            totals = scores.logsumexp(dim=1, keepdim=True)
            total += (totals - scores.gather(1, wanted)).sum()
            slopes = scores.sub_(totals).exp_()
            slopes.scatter_add_(1, wanted, slopes.new_full((), -1.0).expand_as(wanted))
            by_hidden[begin : begin + rows] = slopes @ weight
            by_weight += slopes.t() @ piece
            by_bias += slopes.sum(dim=0)
        ctx.save_for_backward(by_hidden, by_weight, by_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102
        by_hidden, by_weight, by_bias = ctx.saved_tensors
        return gradient * by_hidden, gradient * by_weight, gradient * by_bias, None, None
