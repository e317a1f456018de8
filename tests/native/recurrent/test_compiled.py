import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from charrnn.native.processor import Processor
from charrnn.native.recurrent import compiled


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and no kernel loaded yet; what a test has loaded, or failed to, no other test uses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled.load_kernel.cache_clear()
    yield tmp_path / "charrnn"
    compiled.load_kernel.cache_clear()


def test_a_kernel_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled.load_kernel("rnn") is not None
    (file,) = folder.iterdir()
    assert "recurrent-rnn" in file.name
    compiled.load_kernel.cache_clear()
    monkeypatch.setattr(compiled, "compile_kernel", lambda *_: pytest.fail("compiled again"))
    assert compiled.load_kernel("rnn") is not None


def test_without_llvmlite_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    assert compiled.load_kernel("gru") is None
    assert not compiled.has_bf16_products()


def test_paired_kernels_need_the_instruction(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Able(Processor):
        def __init__(self) -> None:
            super().__init__()
            self.has_bfloat16 = able

    monkeypatch.setattr(compiled, "Processor", Able)
    able = False
    assert not compiled.has_bf16_products()
    assert compiled.load_kernel("rnn", bf16=True) is None
    assert not folder.exists()
    able = True
    assert compiled.has_bf16_products()
