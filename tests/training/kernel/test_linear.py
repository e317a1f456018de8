import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.native.processor import Tiling
from charrnn.training.kernel.linear import apply_linear, gemm_tn, make_linear, pack
from tests.training.kernel.reference import TILINGS, build_kernel

SIZES = st.sampled_from([1, 2, 15, 16, 17, 33, 64]) | st.integers(1, 90)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 300), inputs=SIZES, outputs=SIZES, tiling=st.sampled_from(TILINGS))
def test_outputs_and_gradients_equal_pytorch_s(rows: int, inputs: int, outputs: int, tiling: Tiling) -> None:
    torch.manual_seed(rows)
    x, weight, bias = torch.randn(rows, inputs), torch.randn(outputs, inputs), torch.randn(outputs)
    grad_result = torch.randn(rows, outputs)
    parts = [part.requires_grad_() for part in (x, weight, bias)]
    result = apply_linear(make_linear(build_kernel("rnn", tiling), weight, bias), x)
    exact = [part.detach().double().requires_grad_() for part in parts]
    wanted = torch.nn.functional.linear(*exact)
    found = [result, *torch.autograd.grad(result, parts, grad_result)]
    for a, b in zip(found, [wanted, *torch.autograd.grad(wanted, exact, grad_result.double())], strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-5 * float(b.detach().abs().max()) + 1e-5)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 300), inputs=SIZES, outputs=SIZES, tiling=st.sampled_from(TILINGS), native=st.booleans())
def test_products_of_a_paired_kernel_are_those_of_rounded_numbers(
    rows: int, inputs: int, outputs: int, tiling: Tiling, native: bool
) -> None:
    torch.manual_seed(rows)
    x, weight, bias = torch.randn(rows, inputs), torch.randn(outputs, inputs), torch.randn(outputs)
    grad_result = torch.randn(rows, outputs)
    parts = [part.requires_grad_() for part in (x, weight, bias)]
    kernel = build_kernel("rnn", tiling, bf16=True, native=native)
    result = apply_linear(make_linear(kernel, weight, bias), x)
    grad_x, grad_weight, grad_bias = torch.autograd.grad(result, parts, grad_result)
    x, weight, rounded = (part.detach().bfloat16().double() for part in (x, weight, grad_result))
    wanted = [x @ weight.t() + bias.double(), rounded @ weight, rounded.t() @ x, grad_result.double().sum(dim=0)]
    for a, b in zip((result, grad_x, grad_weight, grad_bias), wanted, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-5 * float(b.detach().abs().max()) + 1e-5)


@pytest.mark.parametrize("native", [True, False])
def test_numbers_are_rounded_to_the_nearest_bfloat16_of_two_to_the_even_one(native: bool) -> None:
    kernel = build_kernel("rnn", bf16=True, native=native)
    step = 2.0**-7  # between bfloat16 numbers from 1 on
    numbers = torch.tensor([1 + step / 2, 1 + 3 * step / 2, 1 + 0.51 * step, -1 - 0.49 * step, 3e38, 1e-30, 0.0, -0.0])
    numbers = torch.cat([numbers, torch.tensor([torch.inf, -torch.inf, torch.nan])])
    by_row = apply_linear(make_linear(kernel, numbers[:, None], torch.zeros(len(numbers))), torch.ones(1, 1))[0]
    grad_input = apply_linear(make_linear(kernel, torch.ones(1, 1), torch.zeros(1)), numbers[:, None])[:, 0]
    for found in (by_row, grad_input):
        assert torch.equal(found.nan_to_num(0.125), numbers.bfloat16().float().nan_to_num(0.125))
        assert found[-1].isnan()


@pytest.mark.parametrize("terms", [1, 2, 7])
def test_a_packed_word_holds_two_terms(terms: int) -> None:
    matrix = torch.randn(32, terms)
    packed = pack(build_kernel("rnn", bf16=True), matrix)
    words = (terms + 1) // 2
    halves = packed[: words * 32].view(torch.bfloat16).view(words, 32, 2)
    wanted = torch.nn.functional.pad(matrix, (0, terms % 2)).bfloat16().view(32, words, 2).transpose(0, 1)
    assert torch.equal(halves, wanted)


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
    gemm_tn(build_kernel("rnn"), a, b, total)
    torch.testing.assert_close(total, a.t() @ b + 1, rtol=1e-4, atol=1e-4)
