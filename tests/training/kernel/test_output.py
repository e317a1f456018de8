import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from charrnn.native.processor import Tiling
from charrnn.native.recurrent.call_list import CallList
from charrnn.training.kernel import output
from charrnn.training.kernel.layer import PackedMatrix
from charrnn.training.kernel.output import OutputPass
from tests.training.kernel.reference import TILINGS, build_kernel

SCALE = 1 / 7


def run(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, tiling: Tiling = TILINGS[0]) -> list[Tensor]:
    """The loss, and the gradients of hidden, weight and bias by it times `SCALE`."""
    packed = PackedMatrix(weight)
    recording = CallList(build_kernel("rnn", tiling))
    packed.pack(recording.kernel, 0, 1)
    results, grad_hidden = torch.empty(2, len(targets)), torch.empty_like(hidden)
    layer = OutputPass(packed, bias, targets, results)
    layer.record(recording, hidden, grad_hidden, recording.keep(torch.tensor([SCALE])))
    recording.run()
    return [(results[0].log() - results[1]).sum(), grad_hidden, layer.grad_weight, layer.grad_bias]


def both(rows: int, units: int, symbols: int, tiling: Tiling) -> tuple[list[Tensor], list[Tensor]]:
    """The loss and its gradients by the kernel, and by PyTorch in float64; the second row of four is padding."""
    torch.manual_seed(rows + symbols)
    hidden, weight, bias = torch.randn(rows, units), torch.randn(symbols, units), torch.randn(symbols)
    targets = torch.randint(symbols, (rows,))
    targets[1::4] = -100
    exact = [part.double().requires_grad_() for part in (hidden, weight, bias)]
    wanted = F.cross_entropy(F.linear(*exact), targets, reduction="sum")
    return run(hidden, weight, bias, targets, tiling), [wanted, *torch.autograd.grad(wanted * SCALE, exact)]


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(1, 200),
    units=st.integers(1, 40),
    symbols=st.integers(1, 130),
    tiling=st.sampled_from(TILINGS),
)
def test_loss_and_gradients_equal_pytorch_s(rows: int, units: int, symbols: int, tiling: Tiling) -> None:
    for a, b in zip(*both(rows, units, symbols, tiling), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-5 * float(b.detach().abs().max()) + 1e-5)


def test_pieces_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = both(200, 20, 30, TILINGS[0])
    monkeypatch.setattr(output, "PIECE", 300)
    monkeypatch.setattr(output, "LEAST_ROWS", 7)
    for a, b in zip(whole, both(200, 20, 30, TILINGS[0])[0], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30, -1e30])
def test_scores_that_are_not_finite_make_the_loss_so_where_pytorch_s_do(value: float) -> None:
    hidden, weight, bias = torch.randn(3, 4), torch.randn(20, 4), torch.randn(20)
    bias[7] = value
    targets = torch.tensor([0, 7, 19])
    wanted = F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction="sum")
    torch.testing.assert_close(run(hidden, weight, bias, targets)[0], wanted, equal_nan=True)
