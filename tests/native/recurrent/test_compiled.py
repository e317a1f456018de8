import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
