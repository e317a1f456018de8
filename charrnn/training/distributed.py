"""Several processes that learn one model, joined by torch.distributed: gloo between CPUs, NCCL between GPUs.

What is decided (clocks, stops, plans) goes over gloo, from memory to memory, so that no GPU has to be waited for.
DistributedDataParallel averages the gradients while the backward pass still runs, bucket by bucket.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from charrnn.errors import CharrnnError, TrainingError
from charrnn.training.ranks import FollowerError, ToldElsewhereError, World

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

T = TypeVar("T")

PREPARING = timedelta(days=1)  # what one process may read before the others give it up: 100 GB take hours
STEPPING = timedelta(minutes=5)  # what a step, an evaluation or a save may take; one that dies is noticed at once
HEARING = timedelta(seconds=2)  # for the leader to say that it has told what went wrong
FAILED = "charrnn/leader-has-failed"


class Ranks(World):
    """The world of one of several processes; all of them have to ask the same, in the same order."""

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self.local = int(os.environ.get("LOCAL_RANK", self.rank))
        self._stepping = dist.new_group(timeout=STEPPING)
        rows: list[Any] = [None] * self.size
        dist.all_gather_object(rows, int(os.environ.get("GROUP_RANK", "0")))
        for machine in sorted(set(rows)):
            members = [rank for rank, its in enumerate(rows) if its == machine]
            group = dist.new_group(members, timeout=PREPARING, backend="gloo")
            if self.rank in members:
                self._machine, self._first_here = group, members[0]

    def lead(self, make: Callable[[], T]) -> T:  # noqa: D102
        return self._from(0, None, make)

    def on_machine(self, make: Callable[[], T]) -> T:  # noqa: D102
        return self._from(self._first_here, self._machine, make)

    def _from(self, source: int, group: dist.ProcessGroup | None, make: Callable[[], T]) -> T:
        """What `make` gives to one process of a group, for all of that."""
        sent: list[Any] = [make()] if self.rank == source else [None]
        dist.broadcast_object_list(sent, source, group, device=torch.device("cpu"))
        made: T = sent[0]
        return made

    def gathered(self, values: Sequence[float]) -> list[list[float]]:  # noqa: D102
        own = torch.tensor(values, dtype=torch.float64)
        rows = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(rows, own, group=self._stepping)
        return [row.tolist() for row in rows]

    def share(self, columns: int) -> slice:  # noqa: D102
        return slice(columns * self.rank // self.size, columns * (self.rank + 1) // self.size)

    def whole(self, part: Tensor, columns: int) -> Tensor:  # noqa: D102
        every = torch.zeros(part.shape[0], columns, part.shape[2])
        every[:, self.share(columns)] = part.detach().cpu()
        dist.all_reduce(every, group=self._stepping)
        return every

    def averaging(self, module: nn.Module) -> nn.Module:  # noqa: D102
        device = next(module.parameters()).device
        return DistributedDataParallel(
            module,
            device_ids=[device] if device.type == "cuda" else None,
            process_group=self._stepping,
            gradient_as_bucket_view=True,
        )


@contextmanager
def process_group(device: str) -> Iterator[Ranks]:
    """Meet the others where `torchrun` says; see `charrnn.training.ranks.joined`."""
    gpus = device in ("auto", "cuda") and torch.cuda.is_available()
    store, rank, size = next(rendezvous("env://", timeout=PREPARING))
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if gpus else "gloo", store=store, rank=rank, world_size=size, timeout=PREPARING
    )
    try:
        yield Ranks()
    except CharrnnError as error:
        if rank == 0:
            store.set(FAILED, "")
            raise
        if _leader_has_failed(store):
            raise ToldElsewhereError from None
        raise _of_follower(rank, error) from None
    except RuntimeError as error:
        if not is_lost(error):
            raise
        if rank > 1 or (rank and _leader_has_failed(store)):
            raise ToldElsewhereError from None  # two of many tell it: one of them is alive as a rule
        lost = TrainingError(
            f"another of the {size} processes has ended or cannot be reached; what was saved before is whole. "
            "Go on with the same command and --resume"
        )
        raise (lost if rank == 0 else _of_follower(rank, lost)) from None
    dist.destroy_process_group()


def _of_follower(rank: int, error: CharrnnError) -> FollowerError:
    told = FollowerError(f"process {rank}: {error}")
    told.exit_code = error.exit_code
    return told


def _leader_has_failed(store: "Store") -> bool:
    """Whether rank 0 has an error of its own to tell."""
    with suppress(RuntimeError):
        store.wait([FAILED], HEARING)
        return True
    return False


def is_lost(error: BaseException) -> bool:
    """Whether an error says that another process cannot be reached; gloo has no type of its own for that."""
    words = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe", "timed out waiting")
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )
