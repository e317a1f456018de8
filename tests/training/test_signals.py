"""The command line under signals, and under disks and memory that run out, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from charrnn.training.checkpoint.files import RunFiles
from tests.conftest import Charrnn
from tests.needs import linux, posix

SMALL = ("--hidden-size", 16, "--layers", 1, "--batch-size", 8, "--seq-len", 16, "--lr", 0.02, "--dropout", 0.2)
DEADLINE = 100  # seconds that any wait may take


@pytest.fixture
def charrnn(charrnn_in_process: Charrnn) -> Charrnn:
    return charrnn_in_process


@pytest.fixture
def text(tmp_path: Path, rhyme: str) -> Path:
    path = tmp_path / "rhyme.txt"
    path.write_text(rhyme)
    return path


# Whoever started the tests may ignore signals (a shell does in the background, nohup does), and children inherit that.
HEARING = """
import signal
from charrnn.cli.app import main
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
main()
"""


def start(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HEARING, "train", *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_step(process: subprocess.Popen[str], folder: RunFiles, step: int) -> None:
    """Until a state of that step or a later one is saved."""
    begin = time.monotonic()
    while time.monotonic() - begin < DEADLINE:
        assert process.poll() is None, process.communicate()
        if folder.has_states():
            saved, _ = folder.read_newest()
            if saved is not None and saved.state["trainer"]["steps"] >= step:
                return
        time.sleep(0.05)
    raise AssertionError("nothing was saved")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_saves_and_says_how_to_go_on(tmp_path: Path, text: Path, number: int, status: int) -> None:
    folder = RunFiles(tmp_path / "m.safetensors")
    process = start(tmp_path, text, "--steps", 10**6, *SMALL, "-o", "m.safetensors", "--no-tensorboard", "--json")
    wait_for_step(process, folder, 1)
    process.send_signal(number)
    out, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == status
    saved, complaints = folder.read_newest()
    assert saved is not None
    assert complaints == []
    steps = saved.state["trainer"]["steps"]
    name = signal.Signals(number).name
    assert said.splitlines()[-2:] == [
        f"stopped by {name}: step {steps} is saved in m.resume; the best model so far is m.safetensors",
        f"to continue, type: charrnn train {text} -o m.safetensors --resume",
    ]
    assert f"{name}: stopping after the current step, then saving (" in said
    assert json.loads(out)["steps"] == steps
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.resume", "m.safetensors", "rhyme.txt"]


def test_a_second_signal_quits_at_once_and_leaves_the_last_save_whole(tmp_path: Path, text: Path) -> None:
    folder = RunFiles(tmp_path / "m.safetensors")
    process = start(tmp_path, text, "--steps", 10**6, *SMALL, "-o", "m.safetensors", "--no-tensorboard")
    wait_for_step(process, folder, 0)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE)
    assert process.returncode in (130, 143)  # the second may come when the first has done all
    saved, complaints = folder.read_newest()
    assert saved is not None
    assert complaints == []
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name]


def test_a_killed_run_resumes_to_the_same_bits_and_one_curve(tmp_path: Path, text: Path, charrnn: Charrnn) -> None:
    command = ["train", text, "--steps", 400, *SMALL, "--seed", 3, "--quiet", "--sample-every", "1s"]
    whole = charrnn(*command, "-o", "whole.safetensors", "--logdir", "whole")
    assert whole.returncode == 0, whole.stderr
    for step in (50, 150, 250):
        process = start(tmp_path, *command[1:], "-o", "broken.safetensors", "--logdir", "broken", "--resume")
        wait_for_step(process, RunFiles(tmp_path / "broken.safetensors"), step)
        process.kill()
        process.communicate()
    done = charrnn(*command, "-o", "broken.safetensors", "--logdir", "broken", "--resume")
    assert done.returncode == 0, done.stderr
    first, second = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "broken.safetensors")
    for name, weight in first.items():
        np.testing.assert_array_equal(weight, second[name])
    curves = []
    for folder in ("whole", "broken"):
        events = EventAccumulator(str(tmp_path / folder), size_guidance={"scalars": 0})
        events.Reload()
        curves.append([(event.step, event.value) for event in events.Scalars("loss/valid")])
        steps = [event.step for event in events.Scalars("loss/train")]
        assert steps == sorted(set(steps))
    assert curves[0] == curves[1]
    assert [step for step, _ in curves[0]] == [50, 100, 150, 200, 250, 300, 350, 400]


def test_a_second_run_on_one_output_is_refused(tmp_path: Path, text: Path, charrnn: Charrnn) -> None:
    process = start(tmp_path, text, "--steps", 10**6, *SMALL, "-o", "m.safetensors", "--no-tensorboard")
    wait_for_step(process, RunFiles(tmp_path / "m.safetensors"), 0)
    for way in ("--resume", "--overwrite"):
        second = charrnn("train", text, "--steps", 2, "-o", "m.safetensors", way)
        assert second.returncode == 1
        assert f"another run is writing m.safetensors (process {process.pid})" in second.stderr
    process.kill()
    process.communicate()
    after = charrnn("train", text, "--steps", 2, *SMALL, "-o", "m.safetensors", "--overwrite", "--no-tensorboard")
    assert after.returncode == 0, after.stderr


FULL_DISK = """
import resource, sys
from charrnn.cli.app import main
from charrnn.training.checkpoint.checkpointer import Checkpointer
first = Checkpointer.save_first
def then_full(self, record, *, resumed):
    first(self, record, resumed=resumed)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
Checkpointer.save_first = then_full
main()
"""


@posix
def test_a_disk_that_fills_on_the_way_costs_no_file(tmp_path: Path, text: Path, charrnn: Charrnn) -> None:
    output = tmp_path / "m.safetensors"
    made = charrnn("train", text, "--steps", 60, *SMALL, "-o", "m.safetensors", "--quiet")
    assert made.returncode == 0, made.stderr
    before = output.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, "train", str(text), "--resume", "--steps", "120", "-o", str(output)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "could not be saved: File too large; the previous save is intact" in done.stderr
    assert "TensorBoard's events cannot be written" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("cannot be written: File too large; earlier saves are intact")
    assert output.read_bytes() == before
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name]
    resumed = charrnn("train", text, "--resume", "-o", "m.safetensors", "--json", "--no-tensorboard")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["steps"] == 120


LITTLE_MEMORY = """
import resource, torch
from charrnn.cli.app import main
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 400 * 2**20,) * 2)
main()
"""


@linux
def test_memory_that_runs_out_is_one_clear_line(tmp_path: Path, text: Path) -> None:
    sizes = ["--hidden-size", "512", "--layers", "1", "--batch-size", "512", "--seq-len", "512"]
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY, "train", str(text), "--steps", "2", *sizes, "--no-tensorboard"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "out of memory" in done.stderr.splitlines()[-1]
