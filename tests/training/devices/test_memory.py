import mmap
import sys

import pytest

from charrnn.errors import TrainingError
from charrnn.training.devices import memory
from charrnn.training.devices.memory import require_room_for_pytorch


def test_without_room_for_pytorch_it_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PYTORCH", 2**60)
    monkeypatch.setitem(sys.modules, "torch", None)
    require_room_for_pytorch()  # it is loaded already
    monkeypatch.delitem(sys.modules, "torch")
    with pytest.raises(TrainingError, match="out of memory: PyTorch, which training needs, takes about"):
        require_room_for_pytorch()


def test_where_there_is_room_the_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    reserved: list[int] = []
    closed: list[bool] = []

    class Reservation:
        def __init__(self, descriptor: int, size: int) -> None:
            assert descriptor == -1  # memory, no file
            reserved.append(size)

        def close(self) -> None:
            closed.append(True)

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(mmap, "mmap", Reservation)
    require_room_for_pytorch()
    assert reserved == [memory.PYTORCH]
    assert closed == [True]
