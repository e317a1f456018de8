"""Atomic writing of files: readers never see half of one, and a crash leaves the previous one intact.

Symbolic links are written through, and only regular files are replaced: devices and pipes stay what they are.
"""

import glob
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from charrnn.errors import OutputError

PATIENCE = 1.0  # seconds that the end of a process waits for a slow disk
_naming = threading.Lock()  # held while a temporary file is made or gets its final name


def models_folder() -> Path:
    """Where models lie: `models`, or what the environment variable CHARRNN_MODELS names."""
    return Path(os.environ.get("CHARRNN_MODELS") or "models")


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file next to `path`; on exit, flush it to disk and rename it to `path`.

    Each process has a temporary file of its own; those that killed processes left behind are removed by the next
    write. If the body raises, the temporary file is removed and `path` is untouched. The new file has the permissions
    of the one that it replaces.

    Raises:
        OutputError: if `path` is neither a regular file nor new.
        OSError: if the folder cannot be created or written, or the disk is full.
    """
    target = resolve_output(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)
    try:
        with ExitStack() as stack:
            with _naming:
                remove_partial(target)  # opening one that somebody else has put there could follow a link
                stream = stack.enter_context(partial.open("xb"))
                if target.exists():
                    partial.chmod(stat.S_IMODE(target.stat().st_mode))
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        with _naming:
            partial.replace(target)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def resolve_output(path: Path) -> Path:
    """The regular file, existing or not, that a symbolic link leads to; without links, the absolute path.

    Raises:
        OutputError: if it is a folder, a device, a pipe, or a link that leads to itself.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = path.stat().st_mode
    except OSError:  # nothing there yet; what else is wrong, opening it will tell
        if target.is_symlink():
            raise OutputError(f"{path} is a symbolic link to itself; name another file") from None
        return target
    if stat.S_ISDIR(mode):
        raise OutputError(f"{path} is a folder; name a file")
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
        kind = kinds.get(stat.S_IFMT(mode), "a special file")
        raise OutputError(f"{path} is {kind}, which cannot be replaced by a file; name a regular file")
    return target


def check_output(path: Path, inputs: Iterable[str | Path], *, overwrite: bool, option: str = "") -> None:
    """Refuse an output file that would replace an input or, unless `overwrite`, any file; call it before slow work.

    `inputs` are the files to read; `option` names the output in the message.

    Raises:
        OutputError: if it is no regular file, is one of the files to read, or exists and is not to be replaced.
    """
    resolve_output(path)
    if path.exists() and any(Path(name).exists() and path.samefile(name) for name in inputs):
        raise OutputError(f"{path} is also an input file; name another file to write")
    if path.exists() and not overwrite:
        how = f" with {option}" if option else ""
        raise OutputError(f"{path} already exists; replace it with --overwrite, or name another file{how}")


def partial_path(path: Path) -> Path:
    """This process's temporary file of `atomic_write` for `path`, beside the file that a symbolic link leads to."""
    target = Path(os.path.realpath(path))
    return target.with_name(f".{target.name}.{os.getpid()}.partial")


def remove_partial(path: Path) -> None:
    """Remove this process's temporary file for `path`, and those that killed processes left behind."""
    target = Path(os.path.realpath(path))
    for found in target.parent.glob(f".{glob.escape(target.name)}.*.partial"):
        process = found.name.split(".")[-2]
        if process.isdecimal() and (int(process) == os.getpid() or not _is_running(int(process))):
            with suppress(OSError):
                found.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    """Whether there is a process with this number; on Windows, where an open file cannot be removed, never."""
    if os.name == "nt":
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        pass
    return True


def end_writing(partials: Iterable[Path]) -> None:
    """Remove temporary files before the process ends at once; whichever thread writes files then waits for that end."""
    _naming.acquire(timeout=PATIENCE)
    for partial in partials:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, if the system can open folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
