"""Which device to compute on."""

import torch

from charrnn.errors import TrainingError


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` takes a GPU where there is one.

    Raises:
        TrainingError: if a device is asked for that is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, present in there.items() if present)
    if not there[name]:
        found = ", ".join(device for device, present in there.items() if present)
        raise TrainingError(f"no {name} device here; found {found}. Leave out --device, or name one of these")
    return torch.device(name)
