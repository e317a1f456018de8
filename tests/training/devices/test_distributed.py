"""Two processes on the CPU, joined by gloo: they learn what one does, and end together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from charrnn.training.checkpoint.files import RunFiles
from charrnn.training.devices.distributed import is_connection_error
from charrnn.training.devices.world import World
from tests.conftest import Charrnn
from tests.needs import linux
from tests.training.devices import processes

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "charrnn"]
SMALL = ["--hidden-size", "16", "--batch-size", "8", "--seq-len", "16", "--lr", "0.02", "--no-tensorboard"]
HERE = Path(__file__).parents[3]
DEADLINE = 60  # seconds within which the other process has to end


def side_by_side(folder: Path, *command: object) -> list[tuple[int, str]]:
    """`python -m` a command in two processes that know of each other; the exit status and stderr of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(2):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", *map(str, command)],
                cwd=folder,
                env={**os.environ, **{name: str(value) for name, value in place.items()}},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        return [(process.returncode, said) for process in started for said in process.communicate(timeout=150)[1:]]
    finally:
        for process in started:
            process.kill()


def test_two_processes_learn_what_one_does_and_go_on_from_each_other(tmp_path: Path, rhyme: str) -> None:
    text, alone = tmp_path / "rhyme.txt", World()
    text.write_text(rhyme)
    corpus = processes.make_corpus(rhyme)
    processes.run_session(corpus, tmp_path / "whole.safetensors", alone)
    processes.run_session(corpus, tmp_path / "begun_by_one.safetensors", alone, processes.STOPPED)
    done = side_by_side(HERE, "tests.training.devices.processes", text, tmp_path)
    assert [status for status, _ in done] == [0, 0], done
    found = json.loads((tmp_path / "losses.json").read_text())
    np.testing.assert_allclose(found, processes.record_losses(corpus, alone), atol=1e-4)
    assert found[-1] < 0.7 * found[0]
    saved, _ = RunFiles(tmp_path / "begun_by_two.safetensors").read_newest()
    assert saved is not None
    assert saved.state["trainer"]["steps"] == processes.STOPPED
    processes.run_session(corpus, tmp_path / "begun_by_two.safetensors", alone)
    whole = load_file(tmp_path / "whole.safetensors")
    for name in ("begun_by_one", "begun_by_two"):
        for key, weights in load_file(tmp_path / f"{name}.safetensors").items():
            np.testing.assert_allclose(weights, whole[key], atol=1e-4, err_msg=f"{name} {key}")


def test_processes_whose_clocks_differ_evaluate_at_the_same_steps_and_end_together(tmp_path: Path, rhyme: str) -> None:
    text = tmp_path / "rhyme.txt"
    text.write_text(rhyme)
    done = side_by_side(HERE, "tests.training.devices.processes", text, tmp_path, "timed")
    assert [status for status, _ in done] == [0, 0], done
    first, second = (json.loads((tmp_path / f"timed-{rank}.json").read_text()) for rank in range(2))
    assert first == second
    assert len(first) > 5


def children(process: subprocess.Popen[str]) -> list[int]:
    """The processes that torchrun has started, first rank first."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sorted(int(child) for child in found)


@linux
def test_a_process_that_dies_ends_the_run_and_resume_goes_on(tmp_path: Path, rhyme: str, charrnn: Charrnn) -> None:
    (tmp_path / "rhyme.txt").write_text(rhyme)
    folder = RunFiles(tmp_path / "m.safetensors")
    run = ["train", "rhyme.txt", "-o", "m.safetensors", *SMALL]
    process = subprocess.Popen(
        [*TORCHRUN, *run, "--steps", "5000", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    begin = time.monotonic()
    while (saved := folder.read_newest()[0]) is None or saved.state["trainer"]["steps"] == 0:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - begin < 100
        time.sleep(0.1)
    os.kill(children(process)[-1], signal.SIGKILL)
    out, said = process.communicate(timeout=DEADLINE)
    assert process.returncode != 0
    assert out == ""
    lines = [line for line in said.splitlines() if line.startswith("charrnn: ")]
    assert len(lines) == 1, said
    assert "another of the 2 processes has ended or cannot be reached; earlier saves are intact" in lines[0]
    assert said.count("starting ...") == 1
    saved, complaints = folder.read_newest()
    assert saved is not None
    assert complaints == []
    steps = saved.state["trainer"]["steps"] + 5
    done = charrnn(*run, "--resume", "--steps", steps, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == steps


def test_an_error_of_the_user_is_reported_once(tmp_path: Path) -> None:
    done = side_by_side(tmp_path, "charrnn", "train", "nowhere.txt", *SMALL)
    assert [status for status, _ in done] == [1, 1]
    said = [line for _, lines in done for line in lines.splitlines() if "nowhere.txt" in line]
    assert said == ["charrnn: there is no file or folder nowhere.txt; check the name"]


def test_errors_of_lost_connections_are_told_from_bugs() -> None:
    assert is_connection_error(
        RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer")
    )
    assert not is_connection_error(RuntimeError("shape mismatch"))
    assert not is_connection_error(ValueError("gloo"))
