import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load, save

from charrnn.model.file import TYPES, read_tensor, write_tensors


def write(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    write_tensors(stream, tensors, metadata)
    return stream.getvalue()


@pytest.mark.parametrize("dtype", sorted(TYPES))
def test_the_library_reads_every_type(dtype: str) -> None:
    tensors = {
        "odd": np.arange(3).astype(dtype),
        "b.c": np.arange(12).reshape(3, 4).astype(dtype),
        "scalar": np.array(1, dtype=dtype),
        "none": np.zeros((2, 0), dtype=dtype),
    }
    loaded = load(write(tensors, {}))
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert loaded[name].shape == tensor.shape
        assert (loaded[name] == tensor).all()


def test_it_is_what_the_library_writes() -> None:
    tensors: dict[str, NDArray[Any]] = {
        "a": np.ones(3, dtype=np.uint8),
        "b": np.ones((2, 2), dtype=np.float32),
        "c": np.ones(1, dtype=np.float64),
        "d": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    }
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    assert write(tensors, {"k": 'e "\n'}) == save(contiguous, metadata={"k": 'e "\n'})


def test_a_tensor_for_which_there_is_no_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(write({"a": np.arange(5)}, {}))
    with safe_open(tmp_path / "file", framework="numpy") as file:
        assert read_tensor(file, "a").tolist() == [0, 1, 2, 3, 4]

    class Huge:
        """A file that would need more memory than there can be."""

        def get_slice(self, _name: str) -> "Huge":
            return self

        def get_shape(self) -> list[int]:
            return [2**30, 2**25]

    with pytest.raises(MemoryError):
        read_tensor(Huge(), "a")


def test_metadata_and_order_of_bytes(tmp_path: Path) -> None:
    data = write({"a": np.arange(5, dtype=">f4")}, {"charrnn": "\u2603"})
    assert load(data)["a"].tolist() == [0, 1, 2, 3, 4]
    (tmp_path / "file").write_bytes(data)
    with safe_open(tmp_path / "file", framework="numpy") as file:
        assert file.metadata() == {"charrnn": "\u2603"}
