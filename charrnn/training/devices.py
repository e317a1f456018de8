"""Which device to compute on, its random states, and its memory when there is too little."""

from collections.abc import Mapping

import torch

from charrnn.errors import TrainingError


def choose_device(name: str, local: int = 0, processes: int = 1) -> torch.device:
    """The device of that name; `auto` takes a GPU where there is one.

    Args:
        name: as the user gave it.
        local: number of this process on its machine, which is the GPU that it gets.
        processes: that learn together; several cannot share an mps device.

    Raises:
        TrainingError: if a device is asked for that is not there.
    """
    mps = torch.backends.mps.is_available() and processes == 1
    there = {"cuda": torch.cuda.is_available(), "mps": mps, "cpu": True}
    if name == "auto":
        name = next(device for device, present in there.items() if present)
    if not there[name]:
        found = ", ".join(device for device, present in there.items() if present)
        raise TrainingError(f"no {name} device here; found {found}. Leave out --device, or name one of these")
    if name != "cuda":
        return torch.device(name)
    count = torch.cuda.device_count()
    if local >= count:
        raise TrainingError(
            f"no GPU is left for process {local + 1} of this machine, which has {count}; start no more processes "
            f"than that (torchrun --nproc-per-node {count})"
        )
    torch.cuda.set_device(local)
    return torch.device("cuda", local)


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """PyTorch's random states, by the kind of device that they belong to."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random_states(states: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Draw on from what `random_states` gave; a device that had no part in it goes on from its own state."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def wait_for(device: torch.device) -> None:
    """Return when the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; PyTorch's CPU allocator has no type of its own for that."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = ("can't allocate memory", "not enough memory", "bad_alloc", "out of memory", "could not create a memory")
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
