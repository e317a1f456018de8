"""The processes of a run, seen from one of them.

`torchrun --nproc-per-node N -m charrnn train ...` starts N processes. All of them know the plan, draw the same random
numbers and hold the same weights; each reads its own columns of the batch. Whatever decides how the run continues has
to be equal in all of them: losses are summed over all processes, and decisions and clocks are those of rank 0, which
also writes the files and the messages.

This module loads no PyTorch. A run of one process has a `World` of one, for which all of this costs nothing.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from charrnn.errors import CharrnnError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class FollowerError(CharrnnError):
    """An error that occurred in a process other than rank 0, and only there."""


class ReportedElsewhereError(CharrnnError):
    """An error that another process has already reported; this process ends silently."""

    def __init__(self) -> None:
        super().__init__("")


def get_rank() -> int:
    """The number of this process as `torchrun` gives it; 0 is the leader."""
    return int(os.environ.get("RANK", "0")) if get_world_size() > 1 else 0


def get_world_size() -> int:
    """The number of processes of the run, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


class World:
    """A run of one process.

    Attributes:
        rank: number of this process; 0 is the leader.
        size: number of processes.
        local_rank: number of this process on its machine.
    """

    rank = 0
    size = 1
    local_rank = 0

    @property
    def is_leader(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def broadcast(self, make: Callable[[], T]) -> T:
        """Call `make` in rank 0 and return its result in every process; an error there ends all of them."""
        return make()

    def broadcast_on_machine(self, make: Callable[[], T]) -> T:
        """Call `make` in the first process of each machine and return its result in all processes there."""
        return make()

    def all_gather(self, values: Sequence[float]) -> list[list[float]]:
        """The values of every process, in order of rank."""
        return [list(values)]

    def all_reduce(self, value: float) -> float:
        """The sum of every process's value, equal to the last bit in all of them."""
        return sum(row[0] for row in self.all_gather([value]))

    def shard(self, columns: int) -> slice:
        """The contiguous part of so many columns that belongs to this process."""
        return slice(0, columns)

    def gather_columns(self, shard: "Tensor", columns: int) -> "Tensor":  # noqa: ARG002
        """The whole tensor (L, columns, H) of which every process holds its shard (L, b, H)."""
        return shard

    def sum_tensor(self, tensor: "Tensor") -> None:
        """Replace a tensor by its sum over all processes."""

    def copy_from_leader(self, tensor: "Tensor") -> None:
        """Replace a tensor by that of rank 0."""

    def describe(self, device: Any) -> str:
        """The device for people: `cpu`, or for several processes `2 x cpu`."""
        return str(device) if self.size == 1 else f"{self.size} x {device.type}"
