"""Where a run writes, checked and locked before anything slow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from charrnn.errors import TrainingError, UsageError
from charrnn.files import models_folder, resolve_output
from charrnn.text.sources import corpus_name
from charrnn.training.checkpoint.files import Checkpoint, RunFiles
from charrnn.training.settings import RunSettings

RUNS = Path("runs")
SUFFIX = ".safetensors"
LOCK_WAIT = 0.2  # seconds: another run may just be removing its lock file


def choose_output(run: RunSettings, corpus: list[str]) -> RunFiles:
    """The files of the run; a name without a suffix gets that of model files.

    Raises:
        TrainingError: if the model file exists and is not to be replaced, or cannot be written.
        OutputError: if it is a device, a pipe, or a symbolic link that leads to itself.
        UsageError: if --resume and --overwrite are given together.
    """
    output = Path(run.output) if run.output else models_folder() / f"{corpus_name(corpus[0])}{SUFFIX}"
    if not output.suffix and not output.exists():
        output = output.with_suffix(SUFFIX)
    files = RunFiles(output)
    if run.resume and run.overwrite:
        raise UsageError("--resume and --overwrite cannot be combined: one continues a run, the other starts over")
    if output.is_dir():
        raise TrainingError(f"{output} is a folder; name a file with -o FILE")
    if output.exists() and any(Path(name).exists() and output.samefile(name) for name in corpus):
        raise TrainingError(f"{output} is the corpus itself; name another file with -o")
    if output.exists() and not (run.overwrite or (run.resume and files.has_states())):
        go_on = "" if not files.has_states() else "train it further with --resume, "
        missing = f", and {files.folder} has nothing to resume" if run.resume else ""
        raise TrainingError(
            f"{output} already exists{missing}; {go_on}replace it with --overwrite, or name another file with -o"
        )
    if files.has_states() and not (run.overwrite or run.resume):
        raise TrainingError(
            f"{files.folder} contains an interrupted run; continue it with --resume, start over with --overwrite, "
            "or name another file with -o"
        )
    _check_writable(resolve_output(output))
    return files


def _check_writable(output: Path) -> None:
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise TrainingError(f"{output} cannot be written: {folder} is not a folder; name another file with -o")
    if not os.access(folder, os.W_OK):
        raise TrainingError(f"{output} cannot be written: no write permission for {folder}; name another file with -o")


def choose_logdir(run: RunSettings, output: Path, saved: Checkpoint | None) -> Path:
    """TensorBoard's folder: a resumed run continues in its own, a new one gets one for itself."""
    if run.logdir is not None:
        return Path(run.logdir)
    if saved is not None:
        return Path(saved.state["logdir"])
    number, folder = 1, RUNS / output.stem
    while folder.exists():  # curves of two runs do not mix
        number += 1
        folder = folder.with_name(f"{output.stem}-{number}")
    return folder


@contextmanager
def lock_output(output: Path, folder: Path) -> Iterator[None]:
    """Hold the lock of the model file `output` in `folder`; folders made for it that stay empty are removed.

    Raises:
        TrainingError: if another running process holds it, or the folder cannot be written.
    """
    path = folder / "lock"
    created = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    lock = FileLock(path, timeout=LOCK_WAIT, mode=0o644)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(poll_interval=LOCK_WAIT / 4)
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
