"""One run for each model file: a lock that the operating system releases when its process dies."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from charrnn.errors import TrainingError

WAIT = 0.2  # seconds: another run may just be removing its lock file


@contextmanager
def lock_output(output: Path, folder: Path) -> Iterator[None]:
    """Hold the lock of `output`, which lies in `folder`; folders made for it that stay empty are removed.

    Raises:
        TrainingError: if another running process holds it, or the folder cannot be written.
    """
    path = folder / "lock"
    created = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    lock = FileLock(path, timeout=WAIT, mode=0o644)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(poll_interval=WAIT / 4)
        path.write_text(str(os.getpid()), encoding="ascii")
    except Timeout:
        raise TrainingError(
            f"another run is writing {output} (process {_read_owner(path)}); wait for it or stop it, "
            "or name another file with -o"
        ) from None
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written: {error.strerror}; name another file with -o") from None
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)  # while it is locked, so that nobody else can have locked it
        lock.release()
        with suppress(OSError):
            for empty in (folder, *created):
                if empty.exists():
                    empty.rmdir()


def _read_owner(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()[:20] or "unknown"
    except OSError:
        return "unknown"
