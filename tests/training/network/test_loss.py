"""The loss, a piece of the scores at a time, is the plain one."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from charrnn.training.network import loss
from charrnn.training.network.loss import IGNORED, output_loss
from tests.devices import on_devices


@on_devices
@pytest.mark.parametrize("rows", [1, 3, 10, 100])
def test_pieces_give_the_loss_and_gradients_of_the_whole(
    rows: int, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    monkeypatch.setattr(loss, "PIECE", 30 * rows)
    shapes = [(10, 6), (30, 6), (30,)]
    values = [torch.randn(shape, dtype=torch.float64, device=device) for shape in shapes]
    targets = torch.randint(30, (10,), device=device)
    targets[4] = IGNORED
    results = []
    for compute in (
        lambda h, w, b: F.cross_entropy(F.linear(h, w, b), targets, reduction="sum", ignore_index=IGNORED),
        lambda h, w, b: output_loss(h, w, b, targets),
    ):
        leaves = [value.clone().requires_grad_() for value in values]
        found = compute(*leaves)  # type: ignore[no-untyped-call]
        (found * 0.5).backward()  # type: ignore[no-untyped-call]
        results.append([found.detach(), *(leaf.grad for leaf in leaves)])
    for plain, piecewise in zip(*results, strict=True):
        torch.testing.assert_close(piecewise, plain, rtol=1e-9, atol=1e-9)


def test_without_gradients_it_is_the_same() -> None:
    torch.manual_seed(1)
    hidden, weight, bias = torch.randn(40, 8), torch.randn(50, 8, requires_grad=True), torch.randn(50)
    targets = torch.randint(50, (40,))
    with torch.no_grad():
        found = output_loss(hidden, weight, bias, targets)
    assert torch.equal(found, output_loss(hidden, weight, bias, targets).detach())


def test_an_ignored_row_does_not_hide_a_loss_that_is_not_finite() -> None:
    hidden = torch.tensor([[1.0], [torch.nan]])
    weight, bias = torch.ones(3, 1, requires_grad=True), torch.zeros(3)
    found = output_loss(hidden, weight, bias, torch.tensor([IGNORED, 1]))
    found.backward()  # type: ignore[no-untyped-call]
    assert found.isnan()
    assert weight.grad is not None
    assert weight.grad.isnan().any()
