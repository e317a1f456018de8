import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from charrnn.errors import TrainingError
from charrnn.training.checkpoint.lock import only_run
from charrnn.training.checkpoint.saver import Saver
from charrnn.training.checkpoint.state import EVALUATED, FORMAT, LATEST, Arrays, Checkpoint, CheckpointFolder
from charrnn.training.checkpoint.store import Store

BIG = 200_000  # numbers: more than the small disk has room for


def checkpoint(generation: int, numbers: int = 5) -> Checkpoint:
    tensors: Arrays = {
        "trainer.weight": np.arange(numbers, dtype=np.float32),
        "trainer.step": np.array(3.0, dtype=np.float32),
        "random.cpu": np.arange(16, dtype=np.uint8),
    }
    return Checkpoint({"format": FORMAT, "generation": generation, "loss": float("inf"), "x": 0.1}, tensors)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder.of(tmp_path / "model.safetensors")


def test_what_is_written_is_read(folder: CheckpointFolder) -> None:
    folder.write(LATEST, checkpoint(7))
    found = folder.read(LATEST)
    assert found is not None
    assert found.state == checkpoint(7).state
    assert found.generation == 7
    for name, array in checkpoint(7).tensors.items():
        np.testing.assert_array_equal(found.tensors[name], array)
        assert found.tensors[name].dtype == array.dtype
        assert found.tensors[name].shape == array.shape
    assert sorted(found.part("trainer")) == ["step", "weight"]


def test_each_output_has_a_folder_of_its_own(tmp_path: Path) -> None:
    names = ["a.safetensors", "a.b.safetensors", "a.bin", "a", "a.resume"]
    assert CheckpointFolder.of(tmp_path / "book.safetensors").path == tmp_path / "book.resume"
    folders = [CheckpointFolder.of(tmp_path / name).path for name in names[:3] + names[4:]]
    assert len({*folders}) == 4
    assert not {tmp_path / name for name in names} & {*folders} - {tmp_path / "a.resume"}


def test_the_newest_whole_state_is_found(folder: CheckpointFolder) -> None:
    assert folder.newest() == (None, [])
    assert not folder.has_any()
    folder.write(EVALUATED, checkpoint(4))
    folder.write(LATEST, checkpoint(3))
    newest, complaints = folder.newest()
    assert newest is not None
    assert (newest.generation, complaints) == (4, [])
    assert folder.last_generation() == 4


@pytest.mark.parametrize("place", [0, 9, 60, 300, -1])
def test_any_damage_is_noticed(folder: CheckpointFolder, place: int) -> None:
    folder.write(EVALUATED, checkpoint(1))
    folder.write(LATEST, checkpoint(2))
    path = folder.path / "latest.safetensors"
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)
    newest, complaints = folder.newest()
    assert newest is not None
    assert newest.generation == 1
    assert len(complaints) == 1
    assert f"{path} is damaged" in complaints[0]


def test_when_every_state_is_damaged_it_says_so(folder: CheckpointFolder) -> None:
    folder.write(LATEST, checkpoint(2))
    (folder.path / "latest.safetensors").write_bytes(b"torn")
    with pytest.raises(TrainingError, match=r"nothing to resume: .*latest.safetensors is damaged"):
        folder.newest()
    assert folder.last_generation() == 0


def test_a_state_of_another_format_is_refused(folder: CheckpointFolder) -> None:
    folder.write(LATEST, Checkpoint({"format": 99, "generation": 1}, {}))
    with pytest.raises(TrainingError, match="state format 99"):
        folder.read(LATEST)


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
    store = Store(output)
    store.write_state(LATEST, checkpoint(1))
    with pytest.raises(TrainingError, match=r"cannot be written: No space left on device; what was saved before is"):
        store.write_state(LATEST, checkpoint(2, BIG * 10))
    store.keep_state(LATEST, checkpoint(3, BIG * 10))
    store.wait()
    assert store.failures() == ["No space left on device"]
    assert store.failures() == []
    assert names_in(store.folder.path) == ["latest.safetensors"]
    found, complaints = store.folder.newest()
    assert found is not None
    assert (found.generation, complaints) == (1, [])
    store.write_state(LATEST, checkpoint(4))
    assert store.folder.last_generation() == 4


FULL = """
import resource, signal, sys
from pathlib import Path
from tests.training.checkpoint.test_checkpoint import BIG, checkpoint
from charrnn.errors import TrainingError
from charrnn.training.checkpoint.store import Store
store = Store(Path(sys.argv[1]))
store.write_state("latest", checkpoint(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store.write_state("latest", checkpoint(2, BIG))
except TrainingError as error:
    print(error)
"""


def test_a_limit_on_file_sizes_leaves_the_state_before_whole(tmp_path: Path) -> None:
    output = tmp_path / "model.safetensors"
    done = subprocess.run([sys.executable, "-c", FULL, str(output)], capture_output=True, text=True, check=True)
    assert "cannot be written: File too large; what was saved before is whole" in done.stdout
    folder = CheckpointFolder.of(output)
    assert names_in(folder.path) == ["latest.safetensors"]
    assert folder.last_generation() == 1


def test_partials_of_a_killed_run_are_removed(folder: CheckpointFolder, tmp_path: Path) -> None:
    store = Store(tmp_path / "model.safetensors")
    folder.write(LATEST, checkpoint(1))
    for partial in store.partials():
        partial.write_bytes(b"half")
    store.remove_partials()
    assert names_in(folder.path) == ["latest.safetensors"]
    assert names_in(tmp_path) == ["model.resume"]


def test_the_saver_does_the_newest_job_of_each_file() -> None:
    saver, begun, go_on = Saver(), threading.Event(), threading.Event()
    done: list[str] = []

    def slow() -> None:
        begun.set()
        go_on.wait()
        done.append("a1")

    saver.submit("a", slow)
    begun.wait()
    for name in ("a2", "b1", "a3", "b2"):
        saver.submit(name[0], lambda name=name: done.append(name))  # type: ignore[misc]
    go_on.set()
    saver.wait()
    assert done == ["a1", "a3", "b2"]


def test_a_failed_job_is_told_once_and_does_not_stop_the_saver() -> None:
    saver, done = Saver(), []

    def fail() -> None:
        raise OSError(28, "No space left on device")

    saver.submit("a", fail)
    saver.wait()
    saver.submit("b", lambda: done.append(1))
    saver.wait()
    assert [str(error) for error in saver.failures()] == ["[Errno 28] No space left on device"]
    assert saver.failures() == []
    assert done == [1]


def test_a_bug_in_a_background_write_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    store = Store(tmp_path / "m.safetensors")
    store.keep_state(LATEST, Checkpoint({"generation": object()}, {}))
    store.wait()
    with pytest.raises(TypeError):
        store.failures()


def test_a_second_run_on_one_output_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    output, folder = tmp_path / "m.safetensors", tmp_path / "m.resume"
    with only_run(output, folder):
        refused = pytest.raises(TrainingError, match=rf"another run is writing .* \(process {os.getpid()}\)")
        with refused, only_run(output, folder):
            pass
        assert folder.exists()
    assert not folder.exists()
    with only_run(output, folder):
        pass


def test_the_lock_of_a_dead_run_blocks_nobody(tmp_path: Path) -> None:
    output, folder = tmp_path / "m.safetensors", tmp_path / "m.resume"
    die = "import os, sys; from pathlib import Path; from charrnn.training.checkpoint.lock import only_run\n"
    die += "with only_run(Path(sys.argv[1]), Path(sys.argv[2])): os.kill(os.getpid(), 9)"
    died = subprocess.run([sys.executable, "-c", die, str(output), str(folder)], check=False)
    assert died.returncode == -9
    assert names_in(folder) == ["lock"]
    with only_run(output, folder):
        assert (folder / "lock").read_text() == str(os.getpid())
    assert not folder.exists()


def test_a_lock_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused = pytest.raises(TrainingError, match=r"m.resume cannot be written: Not a directory; name another file with")
    with refused, only_run(tmp_path / "file" / "m.safetensors", tmp_path / "file" / "m.resume"):
        pass
