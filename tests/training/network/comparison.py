"""Networks by the kernel against the same networks by PyTorch's layers."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from charrnn.training.network.base import RecurrentNetwork

LIMIT = 1e-5


@contextmanager
def without_kernel(network: RecurrentNetwork) -> Iterator[None]:
    network.choose_kernel("torch")
    yield
    network.choose_kernel("auto")


def agree(found: list[Tensor], wanted: list[Tensor]) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert float((a - b).abs().max()) <= LIMIT * max(float(b.abs().max()), 1e-3)
