import math
from collections.abc import Callable, Sequence
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from charrnn.native.processor import Processor, Tiling
from charrnn.training.kernel.update import KernelUpdate, UpdateFunctions, compile_update, link_update
from tests.training.kernel.reference import TILINGS

SHAPES = [(100, 37), (65, 16), (5, 1, 3), (4097,), (1,)]
SHARE = 0.03


@cache
def build_functions(tiling: Tiling = TILINGS[0]) -> UpdateFunctions:
    processor = Processor()
    return link_update(processor, compile_update(processor, tiling))


def make_optimizer() -> tuple[list[nn.Parameter], torch.optim.AdamW]:
    torch.manual_seed(1)
    parameters = [nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    groups = [
        {"params": parameters[:2], "weight_decay": 0.1},
        {"params": parameters[2:], "weight_decay": 0.0},
    ]
    return parameters, torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.99))


def run_in_turn(work: Callable[[int], None], parts: Sequence[int]) -> None:
    for part in parts:
        work(part)


def averages_of(parameters: list[nn.Parameter]) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


def run_kernel(parts: int, tiling: Tiling = TILINGS[0], steps: int = 6) -> list[Tensor]:
    """Parameters and their averages after some steps."""
    parameters, optimizer = make_optimizer()
    averages = averages_of(parameters)
    update = KernelUpdate(build_functions(tiling), optimizer, dict(zip(parameters, averages, strict=True)))
    for step in range(steps):
        set_gradients(parameters, step)
        norm = update.measure_norm()
        update.apply(min(1.0, 1.0 / (norm + 1e-6)), SHARE, parts, run_in_turn)
    return [*(parameter.detach() for parameter in parameters), *averages]


def set_gradients(parameters: list[nn.Parameter], step: int) -> None:
    torch.manual_seed(step)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape) * 0.1


@pytest.mark.parametrize("tiling", TILINGS)
def test_weights_and_their_average_equal_pytorch_s(tiling: Tiling) -> None:
    parameters, optimizer = make_optimizer()
    averages = averages_of(parameters)
    for step in range(6):
        set_gradients(parameters, step)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        torch._foreach_lerp_(averages, [parameter.detach() for parameter in parameters], SHARE)
    wanted = [*(parameter.detach() for parameter in parameters), *averages]
    for found, exact in zip(run_kernel(1, tiling), wanted, strict=True):
        torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-6)


def test_the_result_does_not_depend_on_how_the_work_is_divided() -> None:
    for parts in (2, 3, 7):
        for a, b in zip(run_kernel(parts), run_kernel(1), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("tiling", TILINGS)
def test_the_norm_is_that_of_the_whole_gradient(tiling: Tiling) -> None:
    parameters, optimizer = make_optimizer()
    update = KernelUpdate(
        build_functions(tiling), optimizer, dict(zip(parameters, averages_of(parameters), strict=True))
    )
    set_gradients(parameters, 0)
    exact = math.sqrt(sum(float(p.grad.double().square().sum()) for p in parameters if p.grad is not None))
    assert update.measure_norm() == pytest.approx(exact, rel=1e-6)
    for bad in (math.nan, math.inf):
        set_gradients(parameters, 0)
        assert parameters[3].grad is not None
        parameters[3].grad[4096] = bad
        assert not math.isfinite(update.measure_norm())


def test_pytorch_can_continue_from_its_state_and_the_other_way_round() -> None:
    states = []
    for kernel_first in (True, False):
        parameters, optimizer = make_optimizer()
        averages = dict(zip(parameters, averages_of(parameters), strict=True))
        update = KernelUpdate(build_functions(), optimizer, averages)
        for step in range(4):
            set_gradients(parameters, step)
            if (step % 2 == 0) == kernel_first:
                update.measure_norm()
                update.apply(1.0, SHARE, 1, run_in_turn)
            else:
                optimizer.step()
        states.append([parameter.detach() for parameter in parameters])
    for a, b in zip(*states, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_a_gradient_of_any_strides_is_used() -> None:
    parameters, optimizer = make_optimizer()
    averages = dict(zip(parameters, averages_of(parameters), strict=True))
    set_gradients(parameters, 0)
    assert parameters[0].grad is not None
    wanted = float(parameters[0].grad.square().sum())
    parameters[0].grad = parameters[0].grad.t().contiguous().t()
    for parameter in parameters[1:]:
        parameter.grad = torch.zeros_like(parameter)
    update = KernelUpdate(build_functions(), optimizer, averages)
    assert update.measure_norm() == pytest.approx(math.sqrt(wanted), rel=1e-6)
