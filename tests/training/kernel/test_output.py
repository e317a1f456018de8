import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from charrnn.native.processor import Tiling
from charrnn.training.kernel import output
from charrnn.training.kernel.linear import make_linear
from charrnn.training.kernel.output import output_loss
from tests.training.kernel.reference import TILINGS, build_kernel


def both(rows: int, units: int, symbols: int, tiling: Tiling) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The loss and its gradients by the kernel, and by PyTorch in float64."""
    torch.manual_seed(rows + symbols)
    hidden, weight, bias = torch.randn(rows, units), torch.randn(symbols, units), torch.randn(symbols)
    targets = torch.randint(symbols, (rows,))
    parts = [part.requires_grad_() for part in (hidden, weight, bias)]
    loss = output_loss(make_linear(build_kernel("rnn", tiling), weight, bias), hidden, targets)
    exact = [part.detach().double().requires_grad_() for part in parts]
    wanted = F.cross_entropy(F.linear(*exact), targets, reduction="sum")
    found = [loss, *torch.autograd.grad(loss / 7, parts)]
    return found, [wanted, *torch.autograd.grad(wanted / 7, exact)]


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
    loss = output_loss(make_linear(build_kernel("rnn"), weight, bias), hidden, targets)
    wanted = F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction="sum")
    torch.testing.assert_close(loss, wanted, equal_nan=True)


def test_gradients_are_scaled_in_place_so_there_is_no_second_pass() -> None:
    weight = torch.randn(5, 4, requires_grad=True)
    loss = output_loss(
        make_linear(build_kernel("rnn"), weight, torch.zeros(5)), torch.randn(3, 4), torch.tensor([0] * 3)
    )
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="no second backward pass"):
        loss.backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("target", [-1, 5])
def test_a_target_without_a_score_is_an_error(target: int) -> None:
    linear = make_linear(build_kernel("rnn"), torch.randn(5, 4), torch.zeros(5))
    with pytest.raises(IndexError, match=f"index {target} is out of range: there are 5 rows"):
        output_loss(linear, torch.randn(2, 4), torch.tensor([0, target]))
