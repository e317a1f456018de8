"""Capturing work on a CUDA device as a graph: all of its kernels are then launched at once, by one call.

The work reads and writes tensors at fixed addresses, and no result of it may be needed on the host meanwhile.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

WARM_UP_CALLS = 3  # as PyTorch's documentation advises: libraries choose algorithms and allocate memory


def capture(compute: Callable[[], T], mutable: "Sequence[torch.Tensor]" = ()) -> "tuple[torch.cuda.CUDAGraph, T]":
    """The graph of a function's work, and the result, whose tensors each replay overwrites.

    Args:
        compute: is called a few times before it is captured.
        mutable: tensors that it changes, which are put back afterwards.

    Raises:
        RuntimeError: if the work cannot be captured.
    """
    import torch

    saved = [tensor.clone() for tensor in mutable]
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_CALLS):
            compute()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = compute()
    for tensor, before in zip(mutable, saved, strict=True):
        tensor.copy_(before)
    return graph, result
