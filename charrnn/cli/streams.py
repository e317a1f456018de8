"""The standard streams, made safe to use however the program was started.

A result that cannot be written to stdout is an error, reported once. Messages on stderr have no such weight: a full or
closed stderr loses them, and the work goes on. Characters that an encoding lacks are written as escapes.
"""

import io
import os
import select
import sys
from contextlib import suppress
from typing import Any, TextIO

from charrnn.cli.display.escape import visible
from charrnn.errors import OutputError


class ReaderGoneError(Exception):
    """The reader of stdout has closed it, as `head` does. Not an OSError, at which typer would exit with status 1."""


def prepare_streams() -> None:
    """Replace `sys.stdin`, `sys.stdout` and `sys.stderr`, also those that were closed; to be called first."""
    # /dev/null is opened the wrong way round, so that using a closed stdin or stdout fails as it should.
    for descriptor, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        _reserve_descriptor(descriptor, flags)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the program ends
    sys.stdout = _rebuild(sys.stdout, 1, _Results)
    sys.stderr = _rebuild(sys.stderr, 2, _Messages)


def flush_stdout() -> None:
    """Write what stdout still holds; an error, then, is no longer reported."""
    with suppress(ReaderGoneError, OutputError):
        sys.stdout.flush()


def write_line(text: str, *, to_stderr: bool = False) -> None:
    """Write a line for people, in the encoding of the stream."""
    (sys.stderr if to_stderr else sys.stdout).write(text + "\n")


def write_text(text: str) -> None:
    """Write text that was read or generated to stdout, as UTF-8; a terminal gets control characters as escapes.

    Surrogates that stand for bytes (PEP 383) are written as these bytes.
    """
    write_data((visible(text) if sys.stdout.isatty() else text).encode("utf-8", "surrogateescape"))


def write_data(data: bytes) -> None:
    """Write bytes to stdout as they are, behind what was written before."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def _reserve_descriptor(descriptor: int, flags: int) -> None:
    """Open a descriptor that is closed, so that no other file gets its number."""
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, flags)
        if opened == descriptor:
            os.set_inheritable(opened, True)
            return
        os.dup2(opened, descriptor)
        os.close(opened)


def _rebuild(stream: TextIO | None, descriptor: int, kind: "type[_Output]") -> TextIO:
    """The stream rebuilt on an `_Output`."""
    if stream is None:
        raw: Any = io.FileIO(descriptor, "w", closefd=False)
        return io.TextIOWrapper(io.BufferedWriter(kind(raw)), "utf-8", "backslashreplace", line_buffering=True)
    raw = getattr(stream.buffer, "raw", None)
    buffer: Any = kind(stream.buffer) if raw is None else io.BufferedWriter(kind(raw))  # python -u has no buffer
    lines, through = bool(stream.line_buffering), raw is None
    return io.TextIOWrapper(buffer, stream.encoding, "backslashreplace", line_buffering=lines, write_through=through)


class _Output(io.RawIOBase):
    """Writes to a raw stream until that fails; what comes later is dropped, so that no error occurs twice."""

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw = raw
        self._failed = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        descriptor: int = self._raw.fileno()
        return descriptor

    def isatty(self) -> bool:
        terminal: bool = self._raw.isatty()
        return terminal

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if self._failed:
            return size
        try:
            while (written := self._raw.write(data)) is None:  # a descriptor that does not block, and is not ready
                select.select([], [self._raw], [])
        except OSError as error:
            self._failed = True
            self._report(error)
            return size
        return int(written)

    def _report(self, error: OSError) -> None:
        raise NotImplementedError


class _Results(_Output):
    """Stdout."""

    def _report(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise ReaderGoneError from None
        raise OutputError(f"stdout cannot be written: {error.strerror or error}") from None


class _Messages(_Output):
    """Stderr: there is nobody to report to."""

    def _report(self, error: OSError) -> None:
        pass
