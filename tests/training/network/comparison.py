"""Networks by the kernel against the same networks by PyTorch's layers."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from torch import Tensor

from charrnn.training.network import kernel_weights

LIMIT = 1e-5


@contextmanager
def without_kernel() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_weights, "load_kernel", lambda cell, **_: None)
        yield


def agree(found: list[Tensor], wanted: list[Tensor]) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert float((a - b).abs().max()) <= LIMIT * max(float(b.abs().max()), 1e-3)
