"""Several processes that train one model with torch.distributed: gloo between CPUs, NCCL between GPUs.

Decisions (clocks, stops, plans) are exchanged over gloo, so that no process has to wait for a GPU to make them.
Gradients are summed over the processes after the backward pass.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from charrnn.errors import CharrnnError, TrainingError
from charrnn.training.devices.world import FollowerError, ReportedElsewhereError, World

T = TypeVar("T")

PREPARATION_TIMEOUT = timedelta(days=1)  # reading 100 GB takes hours
STEP_TIMEOUT = timedelta(minutes=5)  # of a step, an evaluation or a save; a process that dies is noticed at once
REPORT_TIMEOUT = timedelta(seconds=2)  # for the leader to announce that it has reported an error
FAILED = "charrnn/leader-has-failed"


class ProcessWorld(World):
    """The world of one of several processes; all of them must make the same calls in the same order."""

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self.local_rank = int(os.environ.get("LOCAL_RANK", self.rank))
        self._step_group = dist.new_group(timeout=STEP_TIMEOUT)
        rows: list[Any] = [None] * self.size
        dist.all_gather_object(rows, int(os.environ.get("GROUP_RANK", "0")))
        for machine in sorted(set(rows)):
            members = [rank for rank, its in enumerate(rows) if its == machine]
            group = dist.new_group(members, timeout=PREPARATION_TIMEOUT, backend="gloo")
            if self.rank in members:
                self._machine, self._first_here = group, members[0]

    def broadcast(self, make: Callable[[], T]) -> T:  # noqa: D102
        return self._broadcast(0, None, make)

    def broadcast_on_machine(self, make: Callable[[], T]) -> T:  # noqa: D102
        return self._broadcast(self._first_here, self._machine, make)

    def _broadcast(self, source: int, group: dist.ProcessGroup | None, make: Callable[[], T]) -> T:
        """Call `make` in one process of a group and return its result in all; its error is raised there alone."""
        objects: list[Any] = [None, False]  # the result, and whether there is none
        error: CharrnnError | None = None
        if self.rank == source:
            try:
                objects[0] = make()
            except CharrnnError as failure:
                error, objects[1] = failure, True
        dist.broadcast_object_list(objects, source, group, device=torch.device("cpu"))
        if error is not None:
            raise error
        if objects[1]:
            raise ReportedElsewhereError
        result: T = objects[0]
        return result

    def all_gather(self, values: Sequence[float]) -> list[list[float]]:  # noqa: D102
        own = torch.tensor(values, dtype=torch.float64)
        rows = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(rows, own, group=self._step_group)
        return [row.tolist() for row in rows]

    def shard(self, columns: int) -> slice:  # noqa: D102
        return slice(columns * self.rank // self.size, columns * (self.rank + 1) // self.size)

    def gather_columns(self, shard: Tensor, columns: int) -> Tensor:  # noqa: D102
        whole = torch.zeros(shard.shape[0], columns, shard.shape[2])
        whole[:, self.shard(columns)] = shard.detach().cpu()
        dist.all_reduce(whole, group=self._step_group)
        return whole

    def sum_tensor(self, tensor: Tensor) -> None:  # noqa: D102
        dist.all_reduce(tensor, group=self._step_group)

    def copy_from_leader(self, tensor: Tensor) -> None:  # noqa: D102
        dist.broadcast(tensor, 0, group=self._step_group)


@contextmanager
def process_group(device: str) -> Iterator[ProcessWorld]:
    """Join the other processes at the rendezvous that `torchrun` names, to compute on `device`.

    Raises:
        TrainingError: on leaving, if another process has ended or cannot be reached.
    """
    gpus = device in ("auto", "cuda") and torch.cuda.is_available()
    store, rank, size = next(rendezvous("env://", timeout=PREPARATION_TIMEOUT))
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if gpus else "gloo", store=store, rank=rank, world_size=size, timeout=PREPARATION_TIMEOUT
    )
    try:
        yield ProcessWorld()
    except ReportedElsewhereError:
        raise
    except CharrnnError as error:
        if rank == 0:
            store.set(FAILED, "")
            raise
        if _leader_failed(store):
            raise ReportedElsewhereError from None
        raise _follower_error(rank, error) from None
    except RuntimeError as error:
        if not is_connection_error(error):
            raise
        if rank > 1 or (rank and _leader_failed(store)):
            raise ReportedElsewhereError from None  # ranks 0 and 1 report it: one of them is usually alive
        lost = TrainingError(
            f"another of the {size} processes has ended or cannot be reached; earlier saves are intact. "
            "Continue with the same command and --resume"
        )
        raise (lost if rank == 0 else _follower_error(rank, lost)) from None
    else:
        gpus = False  # all have come to this point, so NCCL waits for nobody
    finally:
        if not gpus:  # NCCL would wait for the others, which may be lost
            # gloo's threads must end before the interpreter does: what they find torn down makes them abort.
            with suppress(RuntimeError):
                dist.destroy_process_group()


def _follower_error(rank: int, error: CharrnnError) -> FollowerError:
    named = FollowerError(f"process {rank}: {error}")
    named.exit_code = error.exit_code
    return named


def _leader_failed(store: Any) -> bool:
    """Whether rank 0 reports an error of its own."""
    with suppress(RuntimeError):
        store.wait([FAILED], REPORT_TIMEOUT)
        return True
    return False


def is_connection_error(error: BaseException) -> bool:
    """Whether an error means that another process cannot be reached; gloo raises no type of its own for that."""
    words = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe", "timed out waiting")
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )
