import errno

import pytest

from charrnn.errors import is_out_of_memory, quote_value


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        RuntimeError("could not execute a primitive"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_memory_that_ran_out_has_many_names(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("out of memory"), OSError(5, "I/O")])
def test_other_errors_are_not_among_them(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_values_from_files_are_short() -> None:
    assert quote_value("a" * 3_000_000) == "'" + "a" * 59 + "..."
    assert quote_value(10**5000) == "an integer of thousands of digits"
