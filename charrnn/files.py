"""Atomic writing of files: readers never see half of one, and a crash leaves the previous one intact."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from charrnn.errors import OutputError


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file next to `path`; on exit, flush it to disk and rename it to `path`.

    The name of the temporary file is fixed, so that one left behind by a killed process is replaced by the next
    write. If the body raises, the temporary file is removed and `path` is untouched.

    Raises:
        OSError: if the folder cannot be created or written, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BaseException:
        remove_partial(path)
        raise
    _sync_folder(path.parent)


def check_output(path: Path, inputs: Iterable[str | Path], *, overwrite: bool, option: str = "") -> None:
    """Refuse an output file in whose place something would be lost; to be called before slow work.

    Args:
        path: the output file.
        inputs: the files to read.
        overwrite: whether an existing file may be replaced.
        option: the option that names the output, for the message.

    Raises:
        OutputError: if it is a folder, one of the files to read, or exists already and is not to be replaced.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file")
    if path.exists() and any(Path(name).exists() and path.samefile(name) for name in inputs):
        raise OutputError(f"{path} is one of the files to read; name another one to write")
    if path.exists() and not overwrite:
        how = f" with {option}" if option else ""
        raise OutputError(f"{path} exists already; replace it with --overwrite, or name another file{how}")


def partial_path(path: Path) -> Path:
    """The temporary file of `atomic_write` for `path`."""
    return path.with_name(f".{path.name}.partial")


def remove_partial(path: Path) -> None:
    """Remove the temporary file that a killed writer of `path` left behind; no other writer may be active."""
    with suppress(OSError):
        partial_path(path).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, if the system can open folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
