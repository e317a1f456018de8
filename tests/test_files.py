import os
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn.errors import OutputError
from charrnn.files import atomic_write, check_output, partial_path, remove_partial, resolve_output
from tests.needs import linux, posix


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_write(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_folders_are_made(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a" / "b" / "file") as stream:
        stream.write(b"x")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"x"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("bug")])
def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half() -> None:
        with atomic_write(path) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_it_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "file", []
    fsync = os.fsync

    def sync_and_record(descriptor: int) -> None:
        synced.append(path.exists())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sync_and_record)
    with atomic_write(path) as stream:
        stream.write(b"x")
    assert synced == [False, True]  # the file before it is renamed, its folder after


def test_a_disk_that_fails_to_sync_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"), atomic_write(path) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"old"
    assert not partial_path(path).exists()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    partial_path(path).write_bytes(b"half")
    remove_partial(path)
    remove_partial(path)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_that_write_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    code = """if True:
        import sys
        from pathlib import Path
        from charrnn.files import atomic_write
        with atomic_write(Path(sys.argv[1])) as stream:
            stream.write(b"theirs")
    """
    with atomic_write(path) as stream:
        stream.write(b"mine")
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        assert path.read_bytes() == b"theirs"
    assert path.read_bytes() == b"mine"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


@posix
def test_what_another_process_left_is_removed_unless_it_is_running(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, active = (tmp_path / f".file.{process}.partial" for process in (ended.pid, os.getppid()))
    for partial in (left, active):
        partial.write_bytes(b"half")
    with atomic_write(tmp_path / "file") as stream:
        stream.write(b"x")
    assert sorted(found.name for found in tmp_path.iterdir()) == [active.name, "file"]


def test_an_output_in_whose_place_something_would_be_lost_is_refused(tmp_path: Path) -> None:
    new, existing, folder = tmp_path / "new", tmp_path / "existing", tmp_path / "folder"
    existing.write_bytes(b"mine")
    folder.mkdir()
    check_output(new, [existing], overwrite=False)
    check_output(existing, [new, "-"], overwrite=True)
    with pytest.raises(OutputError, match="existing already exists; replace it with --overwrite, or name another file"):
        check_output(existing, [], overwrite=False)
    with pytest.raises(OutputError, match=r"or name another file with -o$"):
        check_output(existing, [], overwrite=False, option="-o")
    with pytest.raises(OutputError, match="existing is also an input file; name another file to write"):
        check_output(tmp_path / "folder" / ".." / "existing", [existing], overwrite=True)
    with pytest.raises(OutputError, match="folder is a folder; name a file"):
        check_output(folder, [], overwrite=True)


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    folder, link = tmp_path / "elsewhere", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder / "file")
    for content in (b"new", b"newer"):  # first the link leads to nothing
        with atomic_write(link) as stream:
            stream.write(content)
            assert partial_path(link).parent == folder
        assert link.is_symlink()
        assert (folder / "file").read_bytes() == content
    assert [each.name for each in folder.iterdir()] == ["file"]


@posix
@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_not_replaced(tmp_path: Path, *, linked: bool) -> None:
    pipe = path = tmp_path / "pipe"
    os.mkfifo(pipe)
    if linked:
        path = tmp_path / "link"
        path.symlink_to(pipe)
    with pytest.raises(OutputError, match="is a pipe, which cannot be replaced by a file; name a regular file"):
        check_output(path, [], overwrite=True)
    with pytest.raises(OutputError, match="is a pipe"), atomic_write(path):
        pass
    assert pipe.is_fifo()


@linux
@pytest.mark.parametrize("device", ["/dev/null", "/dev/full"])
def test_a_device_is_not_replaced(device: str) -> None:
    with pytest.raises(OutputError, match=f"{device} is a device, which cannot be replaced by a file"):
        resolve_output(Path(device))


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(OutputError, match="is a symbolic link to itself"), atomic_write(link):
        pass
    assert link.is_symlink()


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    path, precious = tmp_path / "file", tmp_path / "precious"
    precious.write_bytes(b"mine")
    partial_path(path).symlink_to(precious)
    with atomic_write(path) as stream:
        stream.write(b"new")
    assert precious.read_bytes() == b"mine"
    assert path.read_bytes() == b"new"


def test_permissions_are_those_of_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with atomic_write(path) as stream:
        stream.write(b"new")
    assert path.stat().st_mode & 0o777 == 0o600


WRITE_AND_END = """
import sys, threading, time
from pathlib import Path
from charrnn.files import atomic_write, end_writing, partial_path

path = Path(sys.argv[1])

def write():
    while True:
        with atomic_write(path) as stream:
            stream.write(b"x" * 1000)

threading.Thread(target=write, daemon=True).start()
while not path.exists():
    time.sleep(0.001)
end_writing([partial_path(path)])
time.sleep(0.05)
print(*sorted(entry.name for entry in path.parent.iterdir()), flush=True)
"""


def test_no_temporary_file_appears_once_writing_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for _ in range(3):
        run = subprocess.run([sys.executable, "-c", WRITE_AND_END, path], capture_output=True, text=True, check=True)
        assert (run.stdout, run.stderr) == ("file\n", "")
        assert path.read_bytes() == b"x" * 1000
