import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from charrnn.errors import TrainingError
from charrnn.training.checkpoint import files
from charrnn.training.checkpoint.checkpointer import BackgroundWriter, Checkpointer
from charrnn.training.checkpoint.files import EVALUATED, FORMAT, LATEST, Arrays, Checkpoint, RunFiles
from charrnn.training.devices.world import World
from charrnn.training.output import lock_output
from tests.needs import linux, posix

BIG = 200_000  # numbers: more than the small disk has room for


def checkpoint(generation: int, numbers: int = 5) -> Checkpoint:
    tensors: Arrays = {
        "trainer.weight": np.arange(numbers, dtype=np.float32),
        "trainer.step": np.array(3.0, dtype=np.float32),
        "random.cpu": np.arange(16, dtype=np.uint8),
    }
    return Checkpoint({"format": FORMAT, "generation": generation, "loss": float("inf"), "x": 0.1}, tensors)


def store_of(output: Path) -> Checkpointer:
    """What writes the files of a run; its trainer is not asked for anything here."""
    return Checkpointer(output, None, World(), {})  # type: ignore[arg-type]


def write(store: Checkpointer, state: Checkpoint) -> None:
    store._write(lambda: store.files.write(LATEST, state))


def submit(store: Checkpointer, state: Checkpoint) -> None:
    store._submit(LATEST, lambda: store.files.write(LATEST, state))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> RunFiles:
    return RunFiles(tmp_path / "model.safetensors")


def test_what_is_written_is_read(folder: RunFiles) -> None:
    folder.write(LATEST, checkpoint(7))
    found = folder.read(LATEST)
    assert found is not None
    assert found.state == checkpoint(7).state
    assert found.generation == 7
    for name, array in checkpoint(7).tensors.items():
        np.testing.assert_array_equal(found.tensors[name], array)
        assert found.tensors[name].dtype == array.dtype
        assert found.tensors[name].shape == array.shape
    assert sorted(found.select("trainer")) == ["step", "weight"]


def test_each_output_has_a_folder_of_its_own(tmp_path: Path) -> None:
    names = ["a.safetensors", "a.b.safetensors", "a.bin", "a", "a.resume"]
    assert RunFiles(tmp_path / "book.safetensors").folder == tmp_path / "book.resume"
    folders = [RunFiles(tmp_path / name).folder for name in names[:3] + names[4:]]
    assert len({*folders}) == 4
    assert not {tmp_path / name for name in names} & {*folders} - {tmp_path / "a.resume"}


def test_the_newest_whole_state_is_found(folder: RunFiles) -> None:
    assert folder.read_newest() == (None, [])
    assert not folder.has_states()
    folder.write(EVALUATED, checkpoint(4))
    folder.write(LATEST, checkpoint(3))
    newest, complaints = folder.read_newest()
    assert newest is not None
    assert (newest.generation, complaints) == (4, [])
    assert folder.read_last_generation() == 4


def test_the_last_generation_is_read_without_tensors(folder: RunFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder.read_last_generation() == 0
    folder.write(EVALUATED, checkpoint(3))
    folder.write(LATEST, checkpoint(4))

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(files, "read_tensor", refuse)
    monkeypatch.setattr(files, "_digest", refuse)
    assert folder.read_last_generation() == 4


@pytest.mark.parametrize("place", [0, 9, 60, 300, -1])
def test_any_damage_is_noticed(folder: RunFiles, place: int) -> None:
    folder.write(EVALUATED, checkpoint(1))
    folder.write(LATEST, checkpoint(2))
    path = folder.folder / "latest.safetensors"
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)
    newest, complaints = folder.read_newest()
    assert newest is not None
    assert newest.generation == 1
    assert len(complaints) == 1
    assert f"{path} is damaged" in complaints[0]


def test_when_every_state_is_damaged_it_says_so(folder: RunFiles) -> None:
    folder.write(LATEST, checkpoint(2))
    (folder.folder / "latest.safetensors").write_bytes(b"torn")
    with pytest.raises(TrainingError, match=r"nothing to resume: .*latest.safetensors is damaged"):
        folder.read_newest()
    assert folder.read_last_generation() == 0


def test_a_state_of_another_format_is_refused(folder: RunFiles) -> None:
    folder.write(LATEST, Checkpoint({"format": 99, "generation": 1}, {}))
    with pytest.raises(TrainingError, match="state format 99"):
        folder.read(LATEST)


@linux
def test_a_disk_that_fills_during_a_save_leaves_the_state_before_whole(tmp_path: Path) -> None:
    """On a disk of one megabyte, where it can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    try:
        fill_a_disk(disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def fill_a_disk(disk: Path) -> None:
    output = disk / "model.safetensors"
    store = store_of(output)
    write(store, checkpoint(1))
    with pytest.raises(TrainingError, match=r"cannot be written: No space left on device; earlier saves are"):
        write(store, checkpoint(2, BIG * 10))
    submit(store, checkpoint(3, BIG * 10))
    store.wait()
    assert store.take_failures() == ["No space left on device"]
    assert store.take_failures() == []
    assert names_in(store.files.folder) == ["latest.safetensors"]
    found, complaints = store.files.read_newest()
    assert found is not None
    assert (found.generation, complaints) == (1, [])
    write(store, checkpoint(4))
    assert store.files.read_last_generation() == 4


FULL = """
import resource, signal, sys
from pathlib import Path
from tests.training.checkpoint.test_checkpoint import BIG, checkpoint, store_of, write
from charrnn.errors import TrainingError
store = store_of(Path(sys.argv[1]))
write(store, checkpoint(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write(store, checkpoint(2, BIG))
except TrainingError as error:
    print(error)
"""


@posix
def test_a_limit_on_file_sizes_leaves_the_state_before_whole(tmp_path: Path) -> None:
    output = tmp_path / "model.safetensors"
    done = subprocess.run([sys.executable, "-c", FULL, str(output)], capture_output=True, text=True, check=True)
    assert "cannot be written: File too large; earlier saves are intact" in done.stdout
    folder = RunFiles(output)
    assert names_in(folder.folder) == ["latest.safetensors"]
    assert folder.read_last_generation() == 1


def test_partials_of_a_killed_run_are_removed(folder: RunFiles, tmp_path: Path) -> None:
    folder.write(LATEST, checkpoint(1))
    for partial in folder.partials():
        partial.write_bytes(b"half")
    folder.remove_partials()
    assert names_in(folder.folder) == ["latest.safetensors"]
    assert names_in(tmp_path) == ["model.resume"]


def test_the_writer_does_the_newest_job_of_each_file() -> None:
    writer, begun, go_on = BackgroundWriter(), threading.Event(), threading.Event()
    done: list[str] = []

    def slow() -> None:
        begun.set()
        go_on.wait()
        done.append("a1")

    writer.submit("a", slow)
    begun.wait()
    for name in ("a2", "b1", "a3", "b2"):
        writer.submit(name[0], lambda name=name: done.append(name))  # type: ignore[misc]
    go_on.set()
    writer.wait()
    assert done == ["a1", "a3", "b2"]


def test_a_failed_job_is_told_once_and_does_not_stop_the_writer() -> None:
    writer, done = BackgroundWriter(), []

    def fail() -> None:
        raise OSError(28, "No space left on device")

    writer.submit("a", fail)
    writer.wait()
    writer.submit("b", lambda: done.append(1))
    writer.wait()
    assert [str(error) for error in writer.take_failures()] == ["[Errno 28] No space left on device"]
    assert writer.take_failures() == []
    assert done == [1]


def test_a_bug_in_a_background_write_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    store = store_of(tmp_path / "m.safetensors")
    submit(store, Checkpoint({"generation": object()}, {}))
    store.wait()
    with pytest.raises(TypeError):
        store.take_failures()


def test_a_second_run_on_one_output_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    output, folder = tmp_path / "m.safetensors", tmp_path / "m.resume"
    with lock_output(output, folder):
        refused = pytest.raises(TrainingError, match=rf"another run is writing .* \(process {os.getpid()}\)")
        with refused, lock_output(output, folder):
            pass
        assert folder.exists()
    assert not folder.exists()
    with lock_output(output, folder):
        pass


def test_the_lock_of_a_dead_run_blocks_nobody(tmp_path: Path) -> None:
    output, folder = tmp_path / "m.safetensors", tmp_path / "m.resume"
    die = "import os, sys; from pathlib import Path; from charrnn.training.output import lock_output\n"
    die += "with lock_output(Path(sys.argv[1]), Path(sys.argv[2])): os.kill(os.getpid(), 9)"
    died = subprocess.run([sys.executable, "-c", die, str(output), str(folder)], check=False)
    assert died.returncode == -9
    assert names_in(folder) == ["lock"]
    with lock_output(output, folder):
        assert (folder / "lock").read_text() == str(os.getpid())
    assert not folder.exists()


def test_a_lock_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused = pytest.raises(TrainingError, match=r"m.resume cannot be written: Not a directory; name another file with")
    with refused, lock_output(tmp_path / "file" / "m.safetensors", tmp_path / "file" / "m.resume"):
        pass
