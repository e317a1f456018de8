"""The devices at hand. Tests that hold on each of them are marked for `pytest -m device`."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import torch

Test = TypeVar("Test", bound=Callable[..., Any])

CPU = torch.device("cpu")
DEVICES = [CPU, *([torch.device("cuda", 0)] if torch.cuda.is_available() else [])]


def on_devices(test: Test) -> Test:
    """Run a test with its argument `device` on every device of this machine."""
    marked: Test = pytest.mark.device(pytest.mark.parametrize("device", DEVICES, ids=str)(test))
    return marked


def on_gpu(test: Test) -> Test:
    """Run a test where there is a GPU; elsewhere it is left out."""
    marked: Test = pytest.mark.device(pytest.mark.gpu(test))
    return marked
