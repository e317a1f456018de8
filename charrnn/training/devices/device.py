"""Choosing a device, and its random states."""

from collections.abc import Mapping

import torch

from charrnn.errors import TrainingError


def choose_device(name: str, local_rank: int = 0, processes: int = 1) -> torch.device:
    """The device with this name; `auto` takes a GPU where there is one.

    Process `local_rank` of this machine gets the GPU of its number; several `processes` cannot share an mps device.

    Raises:
        TrainingError: if the device does not exist here.
    """
    mps = torch.backends.mps.is_available() and processes == 1
    available = {"cuda": torch.cuda.is_available(), "mps": mps, "cpu": True}
    if name == "auto":
        name = next(device for device, present in available.items() if present)
    if not available[name]:
        names = ", ".join(device for device, present in available.items() if present)
        raise TrainingError(f"there is no {name} device; found {names}. Leave out --device, or name one of these")
    if name != "cuda":
        return torch.device(name)
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise TrainingError(
            f"no GPU is left for process {local_rank + 1}: this machine has {count}; start no more processes "
            f"than that (torchrun --nproc-per-node {count})"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def get_random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """PyTorch's random states by device type."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Restore what `get_random_states` returned; a device type missing there keeps its state."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
