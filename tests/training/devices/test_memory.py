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


def test_there_is_room_for_it_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    require_room_for_pytorch()
