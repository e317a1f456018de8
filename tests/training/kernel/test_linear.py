import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.native.processor import Tiling
from charrnn.training.kernel.linear import apply_linear, make_linear, outer, pack
from tests.training.kernel.reference import TILINGS, build_kernel

SIZES = st.sampled_from([1, 2, 15, 16, 17, 33, 64]) | st.integers(1, 90)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 300), inputs=SIZES, outputs=SIZES, tiling=st.sampled_from(TILINGS))
def test_outputs_and_gradients_equal_pytorch_s(rows: int, inputs: int, outputs: int, tiling: Tiling) -> None:
    torch.manual_seed(rows)
    x, weight, bias = torch.randn(rows, inputs), torch.randn(outputs, inputs), torch.randn(outputs)
    by_result = torch.randn(rows, outputs)
    parts = [part.requires_grad_() for part in (x, weight, bias)]
    result = apply_linear(make_linear(build_kernel("rnn", tiling), weight, bias), x)
    exact = [part.detach().double().requires_grad_() for part in parts]
    wanted = torch.nn.functional.linear(*exact)
    found = [result, *torch.autograd.grad(result, parts, by_result)]
    for a, b in zip(found, [wanted, *torch.autograd.grad(wanted, exact, by_result.double())], strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-5 * float(b.detach().abs().max()) + 1e-5)


def test_gradients_of_inputs_that_need_none_are_left_out() -> None:
    weight, bias = torch.randn(3, 4, requires_grad=True), torch.randn(3)
    result = apply_linear(make_linear(build_kernel("rnn"), weight, bias), torch.randn(5, 4))
    (gradient,) = torch.autograd.grad(result.sum(), weight)
    assert gradient.shape == (3, 4)


@pytest.mark.parametrize("tiling", TILINGS)
def test_a_panel_holds_its_rows_side_by_side(tiling: Tiling) -> None:
    rows, inner = 2 * tiling.rows + 7, 3
    matrix = torch.arange(rows * inner, dtype=torch.float32).view(rows, inner)
    packed = pack(build_kernel("rnn", tiling), matrix)
    first = 0
    for width in (tiling.rows, tiling.rows, 4, 2, 1):
        panel = packed[first * inner : (first + width) * inner].view(inner, width)
        assert torch.equal(panel, matrix[first : first + width].t())
        first += width
    assert first == rows


def test_a_transposed_matrix_is_packed_as_a_copy_of_it_would_be() -> None:
    kernel, matrix = build_kernel("rnn"), torch.randn(50, 37)
    assert torch.equal(pack(kernel, matrix.t()), pack(kernel, matrix.t().contiguous()))
    part = torch.randn(50, 60)[:, 7:44]
    assert torch.equal(pack(kernel, part), pack(kernel, part.contiguous()))


def test_products_are_added_to_what_is_given() -> None:
    a, b, total = torch.randn(200, 9), torch.randn(200, 20), torch.ones(9, 20)
    outer(build_kernel("rnn"), a, b, total)
    torch.testing.assert_close(total, a.t() @ b + 1, rtol=1e-4, atol=1e-4)
