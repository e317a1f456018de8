"""The output layer and its cross-entropy in a step that is lists of calls.

    loss        sum over n of  ln sum_v exp(s_nv) - s_n,target(n)      s = hidden @ weight.T + bias     (N, V)
    dloss/ds    softmax(s) - onehot(target)

The gradient of each score needs nothing but the scores of its own row. So a piece of the rows at a time is scored,
turned into its gradient in place, and multiplied into the gradients of hidden, weight and bias, while it is in the
cache.
"""

import torch
from torch import Tensor

from charrnn.native.recurrent.call_list import CallList
from charrnn.training.kernel.layer import PackedMatrix
from charrnn.training.kernel.linear import gemm_nt, gemm_tn_into, make_scratch, record_sum

PIECE = 2**16  # scores at a time
LEAST_ROWS = 64  # at a time: the gradient of a large output layer does not stay in the cache between pieces


class OutputPass:
    """Loss and gradients of N rows.

    Args:
        packed: the weights (V, H).
        bias: (V).
        targets: (N); negative where there is no loss.
        results: (2, N); the loss of a row will be the logarithm of its first number minus the second.

    Attributes:
        grad_weight, grad_bias: their gradients; `grad_bias` has to be zero before.
    """

    def __init__(self, packed: PackedMatrix, bias: Tensor, targets: Tensor, results: Tensor) -> None:
        self._packed, self._bias, self._targets = packed, bias, targets
        self._totals, self._differences = results
        self.grad_weight, self.grad_bias = torch.empty_like(packed.matrix), torch.zeros_like(bias)

    def record(self, recording: CallList, hidden: Tensor, grad_hidden: Tensor, scale: Tensor) -> None:
        """Add the calls that compute the loss of hidden (N, H), and the gradients of `scale` (1) times the loss."""
        kernel, count, symbols = recording.kernel, len(hidden), len(self._bias)
        rows = min(count, max(LEAST_ROWS, PIECE // symbols))
        scores = recording.keep(hidden.new_empty(rows, symbols))
        zeros = recording.keep(hidden.new_zeros(hidden.shape[1]))
        scratch, initial = recording.keep(make_scratch(scores)), zeros
        for begin in range(0, count, rows):
            piece = slice(begin, min(begin + rows, count))
            part = scores[: piece.stop - begin]
            gemm_nt(kernel, self._packed.forward, hidden[piece], self._bias, part)
            arrays = self._targets[piece], self._totals[piece], self._differences[piece], scale
            targets, *others = (array.data_ptr() for array in arrays)
            kernel.softmax(part.data_ptr(), symbols, targets, len(part), *others)
            gemm_nt(kernel, self._packed.backward, part, zeros, grad_hidden[piece])
            gemm_tn_into(kernel, part, hidden[piece], initial, self.grad_weight, scratch)
            record_sum(recording, part, self.grad_bias)
            initial = self.grad_weight
