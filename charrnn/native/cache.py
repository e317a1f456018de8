"""Compiled code, cached on disk: compiling takes some 70 ms or more, reading the result one or two.

The cache holds machine code, so only a file is trusted that this user wrote and nobody else could have: a regular file
of mode 0600 in a folder of mode 0700, both the user's own, whose checksum holds. Anything else is ignored and
compiled again, as it is where there is no place for a cache.
"""

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from charrnn import __version__

CHECKSUM = hashlib.sha256().digest_size
LARGEST = 2**24  # bytes; compiled code has some 10 to 200 thousand
MAX_AGE = 60 * 86400  # seconds without use after which a file is removed
SUFFIX = ".code"


def load_or_compile(name: str, processor: str, sources: Iterable[Path], compile_code: Callable[[], bytes]) -> bytes:
    """Object code from the cache, or else from `compile_code`, then cached.

    Args:
        name: the name of the code, unique within charrnn and valid in a file name.
        processor: the name of the processor that it is for.
        sources: folders of the Python files that emit it; a change in any of them means new code.
        compile_code: returns the object code; called if the cache has none.
    """
    path = cache_path(name, processor, sources)
    folder_usable = _prepare_folder(path.parent)
    if folder_usable:
        code = _read(path)
        if code is not None:
            return code
    code = compile_code()
    if folder_usable:
        with suppress(OSError):
            _write(path, code)
            _remove_old(path)
    return code


def cache_path(name: str, processor: str, sources: Iterable[Path]) -> Path:
    """The file for some code: its name has charrnn's version and a hash of everything that the code depends on."""
    from llvmlite import __version__ as llvmlite_version

    depends_on = (name, processor, __version__, llvmlite_version, _source_hash(sources))
    digest = hashlib.sha256(repr(depends_on).encode()).hexdigest()[:24]
    return _cache_folder() / f"{__version__}-{name}-{digest}{SUFFIX}"


def _source_hash(folders: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _cache_folder() -> Path:
    """The folder in the user's cache, by the XDG Base Directory Specification, which ignores relative paths."""
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (home if home.is_absolute() else Path(os.path.expanduser("~/.cache"))) / "charrnn"  # noqa: PTH111 - never fails


def _prepare_folder(folder: Path) -> bool:
    """Make the folder if it is missing; returns whether it exists and belongs to this user alone."""
    if not folder.is_absolute():  # the user has no home
        return False
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or not _is_own(status):
            return False
        if os.name == "posix" and stat.S_IMODE(status.st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError:
        return False
    return True


def _is_own(status: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def _read(path: Path) -> bytes | None:
    """The code in a file of the cache, or None if there is none that can be trusted."""
    # Neither a link is followed nor a pipe waited for.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or not CHECKSUM < status.st_size <= LARGEST:
                return None
            if os.name == "posix" and (not _is_own(status) or status.st_mode & 0o022):
                return None
            content = stream.read(LARGEST)
            with suppress(OSError):
                os.utime(path)  # `_remove_old` takes the modification time as the time of last use
    except OSError:
        return None
    code = content[CHECKSUM:]
    return code if hashlib.sha256(code).digest() == content[:CHECKSUM] else None


def _write(path: Path, code: bytes) -> None:
    """Write a file of mode 0600, whole or not at all."""
    descriptor, partial = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(hashlib.sha256(code).digest() + code)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _remove_old(used: Path) -> None:
    """Remove code that other versions left beside a file just written, and what was not used for long."""
    for path in used.parent.glob(f"*{SUFFIX}*"):
        other_version = not path.name.startswith(f"{__version__}-")
        if path != used and (other_version or time.time() - path.lstat().st_mtime > MAX_AGE):
            with suppress(OSError):
                path.unlink()
