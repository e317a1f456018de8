"""The processes of a run, seen from one of them: who it is, and what all have to agree on.

`torchrun --nproc-per-node N -m charrnn train ...` starts N of them. Each knows the whole plan, draws the same random
numbers and keeps the same weights; each reads its own share of the B readers. So whatever decides how the run goes on
has to be the same everywhere: a figure is added up over all, a decision or a clock is that of rank 0, which also is
the one that writes files and talks. No PyTorch in here: a run of one process is a `World` of one, where all this is
nothing.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from charrnn.errors import CharrnnError

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")


class FollowerError(CharrnnError):
    """What went wrong in a process that is not the first, and in that one only."""


class ToldElsewhereError(CharrnnError):
    """What another process has told the user already: this one ends without a word."""

    def __init__(self) -> None:
        super().__init__("")


def rank() -> int:
    """Which process this is, as `torchrun` says; 0 leads."""
    return int(os.environ.get("RANK", "0")) if world_size() > 1 else 0


def world_size() -> int:
    """How many processes the run has, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


class World:
    """A run of one process.

    Attributes:
        rank: this process's number; 0 leads.
        size: how many there are.
        local: this process's number on its machine.
    """

    rank = 0
    size = 1
    local = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def lead(self, make: Callable[[], T]) -> T:
        """What `make` gives to rank 0, for all; if it raises an error there, all end."""
        return make()

    def on_machine(self, make: Callable[[], T]) -> T:
        """What `make` gives to the first process of each machine, for the others there."""
        return make()

    def gathered(self, values: Sequence[float]) -> list[list[float]]:
        """The values of every process, in the order of ranks."""
        return [list(values)]

    def share(self, columns: int) -> slice:
        """This process's contiguous part of that many columns."""
        return slice(0, columns)

    def whole(self, part: "Tensor", columns: int) -> "Tensor":  # noqa: ARG002
        """All columns (L, columns, H) of a tensor of which every process has its share (L, b, H)."""
        return part

    def averaging(self, module: "nn.Module") -> "nn.Module":
        """The module, its parameters' gradients averaged over all processes by every backward pass."""
        return module


@contextmanager
def joined(device: str) -> "Iterator[World]":
    """This process's world, met with all others if there are any.

    Args:
        device: where the user wants to compute.

    Raises:
        charrnn.errors.TrainingError: on leaving, if another process has ended or cannot be reached.
    """
    if world_size() == 1:
        yield World()
        return
    from charrnn.training.distributed import process_group

    with process_group(device) as world:
        yield world


def total(world: World, value: float) -> float:
    """The sum of every process's value, the same to the bit for all."""
    return sum(row[0] for row in world.gathered([value]))


def described(world: World, device: Any) -> str:
    """The device in a word: `cpu`, or for several processes `2 x cpu`."""
    return str(device) if world.size == 1 else f"{world.size} x {device.type}"
