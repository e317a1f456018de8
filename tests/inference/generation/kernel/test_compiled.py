import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from charrnn.inference.generation.kernel import compiled
from charrnn.inference.generation.samples import Request
from charrnn.inference.generation.sampling import Sampler
from charrnn.native.processor import Processor, Tiling
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and no kernel loaded yet; what a test has loaded, or failed to, no other test uses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled.load_kernel.cache_clear()
    yield tmp_path / "charrnn"
    compiled.load_kernel.cache_clear()


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by a cell's name with each kernel that is compiled."""
    cells: list[str] = []
    compile_it = compiled.compile_kernel

    def count(processor: Processor, cell: str, tiling: Tiling) -> bytes:
        cells.append(cell)
        return compile_it(processor, cell, tiling)

    monkeypatch.setattr(compiled, "compile_kernel", count)
    return cells


def text() -> str:
    compiled.load_kernel.cache_clear()
    return make_model(CharVocabulary.of_text("abcdefgh")).generate(length=60, seed=1)


def test_a_kernel_is_compiled_once(folder: Path, compilations: list[str]) -> None:
    first = text()
    (file,) = folder.iterdir()
    before = file.stat().st_ino
    assert text() == first
    assert compilations == ["lstm"]
    assert file.stat().st_ino == before


def test_a_damaged_kernel_is_compiled_again(folder: Path, compilations: list[str]) -> None:
    first = text()
    (file,) = folder.iterdir()
    intact = file.read_bytes()
    file.write_bytes(intact[:-1] + bytes([intact[-1] ^ 1]))
    assert text() == first
    assert compilations == ["lstm", "lstm"]
    assert file.read_bytes() == intact


def test_without_a_place_for_the_cache_it_is_compiled_each_time(folder: Path, compilations: list[str]) -> None:
    folder.write_text("a file where the folder would be")
    assert text() == text()
    assert compilations == ["lstm", "lstm"]


def test_without_llvmlite_the_network_itself_writes(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    model = make_model(CharVocabulary.of_text("abcdefgh"), "gru", 2)
    request = Request(Sampler(0.0), 40, [b"abc"], loss=True)
    start = model.network.initial_state()
    with_kernel = list(model.samples(start, seeds=[1, 2], request=request))
    compiled.load_kernel.cache_clear()
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    without = list(model.samples(start, seeds=[1, 2], request=request))
    assert compiled.load_kernel("gru") is None
    assert [sample.text for sample in without] == [sample.text for sample in with_kernel]
    np.testing.assert_allclose([s.loss or 0 for s in without], [s.loss or 0 for s in with_kernel], rtol=1e-4)
    assert not np.isnan([s.loss or 0 for s in without]).any()
