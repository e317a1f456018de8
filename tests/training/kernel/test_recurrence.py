"""The proofs of the recurrent layers: naive reference, finite differences, PyTorch, chunks, odd values, same bits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from charrnn.model.config import GATES
from charrnn.native.processor import Tiling
from charrnn.training.kernel.recurrence import make_recurrence, run_recurrence
from tests.training.kernel.reference import TILINGS, Problem, build_kernel, relative_error

LIMIT = 1e-5


def agree(problem: Problem, tiling: Tiling) -> None:
    """Hold the kernel against the reference."""
    outputs, state = problem.forward()
    results, gradients = problem.run_kernel(build_kernel(problem.cell, tiling))
    for found, wanted in zip(results, [outputs, *state], strict=True):
        assert relative_error(found, wanted) < LIMIT
    for found, wanted in zip(gradients, problem.backward(), strict=True):
        assert relative_error(found, wanted) < LIMIT


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("cell", GATES)
def test_the_reference_s_gradients_are_finite_differences(cell: str, table: bool) -> None:
    problem = Problem.draw(cell, (3, 2, 3), table=table)
    problem.forward()
    step = 1e-6
    for part, gradient in zip(problem.parts, problem.backward(), strict=True):
        for place in np.ndindex(part.shape):
            before = part[place]
            part[place] = before + step
            above = problem.loss()
            part[place] = before - step
            below = problem.loss()
            part[place] = before
            assert gradient[place] == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(
    cell=st.sampled_from(list(GATES)),
    steps=st.integers(1, 9),
    samples=st.sampled_from([1, 2, 3, 7, 8, 9, 16, 23]) | st.integers(1, 40),
    units=st.sampled_from([1, 2, 15, 16, 17, 31, 48, 100]) | st.integers(1, 70),
    table=st.booleans(),
    tiling=st.sampled_from(TILINGS),
    seed=st.integers(0, 1000),
)
def test_the_kernel_equals_the_reference(
    cell: str, steps: int, samples: int, units: int, table: bool, tiling: Tiling, seed: int
) -> None:
    agree(Problem.draw(cell, (steps, samples, units), table=table, seed=seed), tiling)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 1, 17), (4, 1, 1), (20, 11, 128), (6, 8, 256)])
@pytest.mark.parametrize("cell", GATES)
def test_the_kernel_equals_the_reference_at_certain_sizes(cell: str, sizes: tuple[int, int, int]) -> None:
    for tiling in TILINGS:
        agree(Problem.draw(cell, sizes), tiling)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("cell", GATES)
def test_a_paired_kernel_is_near_the_reference(cell: str, native: bool) -> None:
    for tiling in TILINGS:
        kernel = build_kernel(cell, tiling, bf16=True, native=native)
        for sizes in ((5, 3, 33), (9, 10, 64)):
            problem = Problem.draw(cell, sizes)
            outputs, state = problem.forward()
            results, gradients = problem.run_kernel(kernel)
            pairs = zip([*results, *gradients], [outputs, *state, *problem.backward()], strict=True)
            errors = [relative_error(found, wanted) for found, wanted in pairs]
            assert 1e-5 < max(errors) < 0.02


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_a_sequence_in_chunks_equals_the_whole(cell: str, bf16: bool) -> None:
    torch.manual_seed(0)
    kernel, units, gates = build_kernel(cell, bf16=bf16), 20, GATES[cell]
    weight = torch.randn(gates * units, units) * 0.2
    recurrence = make_recurrence(kernel, weight, torch.randn(units) if cell == "gru" else None)
    inputs = torch.randn(12, 3, gates * units)
    start = tuple(torch.randn(3, units) for _ in range(2 if cell == "lstm" else 1))
    whole, end = run_recurrence(recurrence, inputs, None, start)
    state, parts = start, []
    for chunk in torch.split(inputs, [1, 4, 2, 5]):
        part, state = run_recurrence(recurrence, chunk, None, state)
        parts.append(part)
    assert torch.equal(torch.cat(parts), whole)
    for a, b in zip(state, end, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_a_sample_does_not_depend_on_the_others(cell: str, bf16: bool) -> None:
    problem, kernel = Problem.draw(cell, (5, 19, 37), table=False), build_kernel(cell, bf16=bf16)
    (outputs, *_), (grad_inputs, *_) = problem.run_kernel(kernel)
    for sample in (0, 7, 8, 18):
        alone = Problem(
            cell,
            problem.inputs[:, sample : sample + 1],
            None,
            problem.weight,
            problem.bias,
            [part[sample : sample + 1] for part in problem.state],
            problem.grad_outputs[:, sample : sample + 1],
            [part[sample : sample + 1] for part in problem.grad_state],
        )
        (outputs_alone, *_), (by_inputs_alone, *_) = alone.run_kernel(kernel)
        assert np.array_equal(outputs_alone[:, 0], outputs[:, sample])
        assert np.array_equal(by_inputs_alone[:, 0], grad_inputs[:, sample])


@pytest.mark.parametrize("cell", GATES)
def test_runs_are_the_same_bit_for_bit(cell: str) -> None:
    problem = Problem.draw(cell, (20, 13, 100))
    first, second = (problem.run_kernel(build_kernel(cell)) for _ in range(2))
    for a, b in zip([*first[0], *first[1]], [*second[0], *second[1]], strict=True):
        assert np.array_equal(a, b)


MODULES = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


def run_module(problem: Problem) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What PyTorch's layer makes of a problem with one input per gate, which passes through an identity matrix."""
    width, units = problem.weight.shape
    module = MODULES[problem.cell](width, units)
    parts = [torch.from_numpy(part.astype(np.float32)).requires_grad_() for part in problem.parts]
    inputs, weight, *others = parts
    bias = torch.zeros(width)
    if problem.bias is not None:
        bias = torch.cat([bias[: 2 * units], others.pop(0)])
    weights = {"weight_ih_l0": torch.eye(width), "weight_hh_l0": weight, "bias_ih_l0": torch.zeros(width)}
    state = tuple(part[None] for part in others)
    arguments = inputs, state if len(state) > 1 else state[0]
    outputs, last = torch.func.functional_call(module, {**weights, "bias_hh_l0": bias}, arguments)
    lasts = [part[0] for part in last] if isinstance(last, tuple) else [last[0]]
    gradients = [torch.from_numpy(part.astype(np.float32)) for part in (problem.grad_outputs, *problem.grad_state)]
    found = torch.autograd.grad([outputs, *lasts], parts, gradients)
    return [part.detach().numpy() for part in (outputs, *lasts)], [part.numpy() for part in found]


@pytest.mark.parametrize("cell", GATES)
def test_gradients_equal_pytorch_s(cell: str) -> None:
    problem = Problem.draw(cell, (30, 9, 64), table=False)
    for found, wanted in zip(problem.run_kernel(build_kernel(cell)), run_module(problem), strict=True):
        for a, b in zip(found, wanted, strict=True):
            assert relative_error(a, b) < LIMIT


def run_equations(problem: Problem) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What PyTorch's operations make of a problem in float32, step by step, as its layers do."""
    parts = [torch.from_numpy(part.astype(np.float32)).requires_grad_() for part in problem.parts]
    inputs, weight, *others = parts
    bias = others.pop(0) if problem.bias is not None else None
    state, outputs = others, []
    for x in inputs:
        state = STEPS[problem.cell](x, state[0] @ weight.t(), bias, state)
        outputs.append(state[0])
    results = [torch.stack(outputs), *state]
    gradients = [torch.from_numpy(part.astype(np.float32)) for part in (problem.grad_outputs, *problem.grad_state)]
    found = torch.autograd.grad(results, parts, gradients)
    return [part.detach().numpy() for part in results], [part.numpy() for part in found]


def lstm_step(x: Tensor, projected: Tensor, bias: Tensor | None, state: list[Tensor]) -> list[Tensor]:
    i, f, g, o = (x + projected).chunk(4, dim=1)
    cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return [o.sigmoid() * cell.tanh(), cell]


def gru_step(x: Tensor, projected: Tensor, bias: Tensor | None, state: list[Tensor]) -> list[Tensor]:
    assert bias is not None
    (xr, xz, xn), (sr, sz, sn) = x.chunk(3, dim=1), projected.chunk(3, dim=1)
    n = (xn + (xr + sr).sigmoid() * (sn + bias)).tanh()
    return [n + (xz + sz).sigmoid() * (state[0] - n)]


def rnn_step(x: Tensor, projected: Tensor, bias: Tensor | None, state: list[Tensor]) -> list[Tensor]:
    return [(x + projected).tanh()]


STEPS = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, 1e-42])
@pytest.mark.parametrize("where", ["inputs", "weight", "state", "grad_outputs"])
@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_infinities_and_nan_spread_as_in_pytorch(cell: str, where: str, value: float, bf16: bool) -> None:
    problem = Problem.draw(cell, (4, 3, 20), table=False)
    part = problem.state[0] if where == "state" else getattr(problem, where)
    part[(1,) * part.ndim] = value
    for found, wanted in zip(problem.run_kernel(build_kernel(cell, bf16=bf16)), run_equations(problem), strict=True):
        for a, b in zip(found, wanted, strict=True):
            if (cell, where) == ("gru", "state"):  # an infinite state times a gate that is 0 there and 1e-38 here
                assert np.isfinite(a).all() == np.isfinite(b).all()
                continue
            assert np.array_equal(np.isfinite(a), np.isfinite(b))
            assert np.array_equal(np.isnan(a).any(), np.isnan(b).any())


def test_gradients_replace_what_they_come_from_so_there_is_no_second_pass() -> None:
    weight = torch.randn(12, 3, requires_grad=True)
    state = torch.zeros(2, 3), torch.zeros(2, 3)
    outputs, _ = run_recurrence(make_recurrence(build_kernel("lstm"), weight), torch.randn(4, 2, 12), None, state)
    outputs.sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="no second backward pass"):
        outputs.sum().backward()  # type: ignore[no-untyped-call]


def test_without_gradients_only_the_forward_pass_is_packed() -> None:
    with torch.no_grad():
        recurrence = make_recurrence(build_kernel("rnn"), torch.randn(5, 5))
        outputs, (last,) = run_recurrence(recurrence, torch.randn(7, 2, 5), None, (torch.zeros(2, 5),))
    assert recurrence.packed_transpose is None
    assert torch.equal(outputs[-1], last)


@pytest.mark.parametrize("symbol", [-1, 5])
def test_a_symbol_without_a_row_is_an_error(symbol: int) -> None:
    recurrence = make_recurrence(build_kernel("rnn"), torch.randn(3, 3))
    symbols = torch.tensor([[0], [symbol]])
    with pytest.raises(IndexError, match=f"index {symbol} is out of range: there are 5 rows"):
        run_recurrence(recurrence, torch.randn(5, 3), symbols, (torch.zeros(1, 3),))
