"""One run for each output: a lock that the operating system lets go of when its process dies.

The lock is on an open file, not the file's existence, so one that a killed run left behind blocks nobody.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from charrnn.errors import TrainingError

ATTEMPTS = 100  # at opening a lock file that others keep removing


@contextmanager
def only_run(output: Path, folder: Path) -> Iterator[None]:
    """Hold the lock of `output`, which lies in `folder`; folders made for it that are empty in the end are removed.

    Raises:
        TrainingError: if another run that is alive holds it, or the folder cannot be written.
    """
    path = folder / "lock"
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        descriptor = _open_locked(path)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written: {error.strerror}; name another file with -o") from None
    if descriptor is None:
        raise TrainingError(
            f"another run is writing {output} (process {_owner(path)}); wait for it or stop it, "
            "or name another file with -o"
        )
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)  # before it is let go: nobody else can have locked it yet
        os.close(descriptor)
        with suppress(OSError):
            for empty in (folder, *made):
                if empty.exists():
                    empty.rmdir()


def _open_locked(path: Path) -> int | None:
    """The lock file, opened and locked, with this process's number in it; None if another process has it."""
    for _ in range(ATTEMPTS):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its last owner has just removed the empty folder
            continue
        if not _lock(descriptor):
            os.close(descriptor)
            return None
        if _is_still(path, descriptor):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            return descriptor
        os.close(descriptor)  # its last owner removed it between our opening and our locking
    return None


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _owner(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()[:20] or "unknown"
    except OSError:
        return "unknown"


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks: better to train unguarded than not at all
        return True
