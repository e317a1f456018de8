"""The loss for large vocabularies is the plain one."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from charrnn.training.network import loss
from charrnn.training.network.loss import PiecewiseLoss, output_loss
from tests.devices import on_devices


@on_devices
@pytest.mark.parametrize("rows", [1, 3, 10, 100])
def test_pieces_give_the_loss_and_gradients_of_the_whole(rows: int, device: torch.device) -> None:
    torch.manual_seed(1)
    shapes = [(10, 6), (30, 6), (30,)]
    values = [torch.randn(shape, dtype=torch.float64, device=device) for shape in shapes]
    targets = torch.randint(30, (10,), device=device)
    results = []
    for compute in (
        lambda h, w, b: F.cross_entropy(F.linear(h, w, b), targets, reduction="sum"),
        lambda h, w, b: PiecewiseLoss.apply(h, w, b, targets, rows),  # type: ignore[no-untyped-call]
    ):
        leaves = [value.clone().requires_grad_() for value in values]
        found = compute(*leaves)
        (found * 0.5).backward()
        results.append([found.detach(), *(leaf.grad for leaf in leaves)])
    for plain, piecewise in zip(*results, strict=True):
        torch.testing.assert_close(piecewise, plain, rtol=1e-9, atol=1e-9)


def test_large_vocabularies_go_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    hidden, weight, bias = torch.randn(40, 8), torch.randn(50, 8), torch.randn(50)
    targets = torch.randint(50, (40,))
    plain = output_loss(hidden, weight, bias, targets)
    monkeypatch.setattr(loss, "PLAIN", 40 * 50 - 1)
    monkeypatch.setattr(loss, "PIECE", 170)
    pieces = output_loss(hidden, weight.requires_grad_(), bias, targets)
    assert "PiecewiseLoss" in str(pieces.grad_fn)
    torch.testing.assert_close(pieces.detach(), plain, rtol=1e-6, atol=1e-5)
