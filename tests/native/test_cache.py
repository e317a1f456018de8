import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from charrnn.native import cache
from charrnn.native.cache import cache_path, load_or_compile
from tests.needs import posix

CODE = b"object code"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache, which does not exist yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "charrnn"


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "a.py").write_text("first")
    return [tmp_path / "sources"]


@pytest.fixture
def load(sources: list[Path]) -> Callable[[], bool]:
    """Loads the code; tells whether it had to be compiled."""

    def load_code() -> bool:
        compiled: list[bytes] = []

        def compile_code() -> bytes:
            compiled.append(CODE)
            return CODE

        assert load_or_compile("test", "processor", sources, compile_code) == CODE
        return bool(compiled)

    return load_code


def test_code_is_compiled_once(folder: Path, load: Callable[[], bool]) -> None:
    assert load()
    (file,) = folder.iterdir()
    before = file.stat().st_ino
    assert not load()
    assert file.stat().st_ino == before


@posix
def test_files_and_folder_are_the_user_s_alone(folder: Path, load: Callable[[], bool]) -> None:
    previous = os.umask(0)
    try:
        load()
    finally:
        os.umask(previous)
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


@posix
def test_a_folder_that_others_may_enter_is_closed_to_them(folder: Path, load: Callable[[], bool]) -> None:
    load()
    folder.chmod(0o777)
    assert not load()
    assert folder.stat().st_mode & 0o777 == 0o700


@posix
def test_a_link_in_the_place_of_the_folder_is_not_followed(
    folder: Path, tmp_path: Path, load: Callable[[], bool]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.parent.mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    assert load()
    assert load()
    assert not list((tmp_path / "elsewhere").iterdir())


@posix
def test_a_file_or_folder_of_another_user_is_not_trusted(
    folder: Path, load: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    load()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert load()
    monkeypatch.setattr(cache, "_prepare_folder", lambda _: True)
    assert load()


@pytest.mark.parametrize("content", [b"", b"x", None])
def test_a_damaged_file_is_replaced(folder: Path, load: Callable[[], bool], content: bytes | None) -> None:
    load()
    (file,) = folder.iterdir()
    intact = file.read_bytes()
    file.write_bytes(intact[:-1] + b"?" if content is None else content)
    assert load()
    assert file.read_bytes() == intact


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o664])
def test_a_file_that_others_may_write_is_replaced(folder: Path, load: Callable[[], bool], mode: int) -> None:
    load()
    (file,) = folder.iterdir()
    file.chmod(mode)
    assert load()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not load()


@posix
def test_a_link_is_not_followed_but_replaced(folder: Path, tmp_path: Path, load: Callable[[], bool]) -> None:
    load()
    (file,) = folder.iterdir()
    target = tmp_path / "target"
    file.rename(target)
    before = target.read_bytes()
    file.symlink_to(target)
    assert load()
    assert not file.is_symlink()
    assert target.read_bytes() == before


@posix
def test_a_pipe_is_not_waited_for(folder: Path, load: Callable[[], bool]) -> None:
    load()
    (file,) = folder.iterdir()
    file.unlink()
    os.mkfifo(file)
    loading = threading.Thread(target=load, daemon=True)
    loading.start()
    loading.join(timeout=30)
    assert not loading.is_alive()
    assert file.is_file()


@posix
def test_a_link_to_a_device_is_not_read(folder: Path, load: Callable[[], bool]) -> None:
    load()
    (file,) = folder.iterdir()
    file.unlink()
    file.symlink_to("/dev/zero")
    assert load()
    assert not load()


def test_a_file_of_absurd_size_is_not_read(folder: Path, load: Callable[[], bool]) -> None:
    load()
    (file,) = folder.iterdir()
    code = bytes(cache.LARGEST)
    file.write_bytes(hashlib.sha256(code).digest() + code)
    assert load()


def test_without_a_place_for_the_cache_it_is_compiled_each_time(folder: Path, load: Callable[[], bool]) -> None:
    folder.parent.mkdir()
    folder.write_text("a file where the folder would be")
    assert load()
    assert load()


def test_everything_that_the_code_depends_on_is_in_the_name_of_its_file(
    sources: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {
        cache_path("test", "one", sources),
        cache_path("other", "one", sources),
        cache_path("test", "two", sources),
    }
    with monkeypatch.context() as patched:
        patched.setattr(cache, "__version__", "9.9")
        paths.add(cache_path("test", "one", sources))
    (sources[0] / "a.py").write_text("second")
    paths.add(cache_path("test", "one", sources))
    assert len(paths) == 5


def test_files_of_other_versions_and_those_long_unused_are_removed(folder: Path, load: Callable[[], bool]) -> None:
    load()
    (file,) = folder.iterdir()
    other_version, unused, recent = (
        folder / name for name in ("0.0.1-test-1.code", f"{file.name[:5]}-a.code", f"{file.name[:5]}-b.code")
    )
    for path in (other_version, unused, recent):
        path.write_bytes(b"")
    long_ago = time.time() - cache.MAX_AGE - 60
    os.utime(unused, (long_ago, long_ago))
    file.unlink()
    assert load()
    assert sorted(folder.iterdir()) == sorted([file, recent])


def test_files_that_are_no_code_stay(folder: Path, load: Callable[[], bool]) -> None:
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")
    assert load()
    assert (folder / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "variables", [{"XDG_CACHE_HOME": ".", "HOME": "/nowhere"}, {"XDG_CACHE_HOME": "", "HOME": "/nowhere"}]
)
def test_a_folder_that_is_not_absolute_is_no_place(
    sources: list[Path], monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_path("test", "one", sources).parent == Path("/nowhere/.cache/charrnn")
    monkeypatch.setenv("HOME", "home")
    monkeypatch.chdir(sources[0])
    before = sorted(sources[0].iterdir())
    assert load_or_compile("test", "one", sources, lambda: b"code") == b"code"
    assert sorted(sources[0].iterdir()) == before


def test_reading_marks_a_file_as_used(folder: Path, load: Callable[[], bool]) -> None:
    load()
    (file,) = folder.iterdir()
    os.utime(file, (1e9, 1e9))
    assert not load()
    assert file.stat().st_mtime > time.time() - 3600
