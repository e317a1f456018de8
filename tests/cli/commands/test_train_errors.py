"""What `charrnn train` refuses, and how it says so: the exact words, one line for each trouble."""

import json
from pathlib import Path

import pytest

from charrnn.model.file import load_model
from tests.conftest import Charrnn
from tests.needs import linux

SMALL = ("--hidden-size", 8, "--layers", 1, "--steps", 3, "--quiet", "--no-tensorboard")


@pytest.fixture
def charrnn(charrnn_in_process: Charrnn) -> Charrnn:
    return charrnn_in_process


@pytest.fixture
def text(tmp_path: Path, rhyme: str) -> Path:
    (tmp_path / "rhyme.txt").write_text(rhyme)
    return tmp_path / "rhyme.txt"


def test_resuming_from_start_to_finish_and_further(charrnn: Charrnn, text: Path) -> None:
    command = ("train", text, *SMALL[:-2], "--no-tensorboard", "--json", "--resume")
    begun = charrnn(*command)
    assert begun.returncode == 0, begun.stderr
    assert "nothing to resume in models/rhyme.resume: starting" in begun.stderr
    again = charrnn(*command)
    assert json.loads(again.stdout)["steps"] == 3
    assert "already finished at step 3, " in again.stderr
    assert "to train further, use --resume --steps 6 (the total" in again.stderr
    further = charrnn("train", text, "--resume", "--steps", 5, "--json")
    assert json.loads(further.stdout)["steps"] == 5
    assert "continuing at step 3" in further.stderr
    refused = charrnn("train", text, *SMALL)
    assert (refused.returncode, refused.stderr) == (
        1,
        (
            "charrnn: models/rhyme.safetensors already exists; train it further with --resume, "
            "replace it with --overwrite, or name another file with -o\n"
        ),
    )
    contradicted = charrnn("train", text, "--resume", "--hidden-size", 9, "--seed", 4, "--cell", "lstm")
    assert (contradicted.returncode, contradicted.stderr.splitlines()) == (
        2,
        [
            "charrnn: --hidden-size 9 differs from the saved run, which has --hidden-size 8; leave it out",
            "charrnn: --seed 4 differs from the saved run, which has --seed 1; leave it out",
            "charrnn: To train from the start instead, replace --resume with --overwrite",
        ],
    )
    text.write_text(text.read_text().replace("fox", "ox"))
    changed = charrnn("train", text, "--resume", "--steps", 9)
    assert changed.returncode == 1
    assert "rhyme is not the text of the saved run (rhyme, 4,480 characters): its content has changed" in changed.stderr
    anew = charrnn("train", text, *SMALL, "--overwrite", "--json")
    assert json.loads(anew.stdout)["steps"] == 3
    both = charrnn("train", text, "--resume", "--overwrite")
    assert (both.returncode, both.stderr) == (
        2,
        "charrnn: --resume and --overwrite cannot be combined: one continues a run, the other starts over\n",
    )


def test_starting_from_another_model_on_another_text(charrnn: Charrnn, text: Path, tmp_path: Path) -> None:
    assert charrnn("train", text, *SMALL, "--cell", "gru", "-o", "first.safetensors").returncode == 0
    (tmp_path / "other.txt").write_text("The Zebra waits; the zebra WAITS.\n" * 30)
    made = charrnn("train", "other.txt", "--init-from", "first.safetensors", *SMALL[4:], "-o", "second.safetensors")
    assert made.returncode == 0, made.stderr
    (first, _), (second, _) = load_model(tmp_path / "first.safetensors"), load_model(tmp_path / "second.safetensors")
    assert second.config.cell == "gru"
    assert second.config.hidden_size == 8
    symbols = {*first.vocabulary["symbols"], *"The Zebra waits; the zebra WAITS.\n"}
    assert second.vocabulary["symbols"] == "".join(sorted(symbols))
    resumed = charrnn("train", "other.txt", "--resume", "--steps", 5, "-o", "second.safetensors", "--json", "--quiet")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["vocab"] == len(symbols)
    refused = charrnn("train", "other.txt", "--init-from", "first", "--hidden-size", 9)
    assert "there is no model first" in refused.stderr
    refused = charrnn("train", "other.txt", "--init-from", "first.safetensors", "--hidden-size", 9)
    assert (refused.returncode, refused.stderr) == (
        2,
        "charrnn: --hidden-size 9 does not match first.safetensors, which has --hidden-size 8; leave it out\n",
    )


def test_a_model_without_a_saved_state_cannot_be_resumed(charrnn: Charrnn, text: Path, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(b"precious")
    done = charrnn("train", text, *SMALL, "--resume", "-o", "m.safetensors")
    assert (done.returncode, done.stderr) == (
        1,
        (
            "charrnn: m.safetensors already exists, and m.resume has nothing to resume; "
            "replace it with --overwrite, or name another file with -o\n"
        ),
    )
    assert (tmp_path / "m.safetensors").read_bytes() == b"precious"


def test_a_saved_run_without_a_model_is_not_overwritten_by_accident(
    charrnn: Charrnn, text: Path, tmp_path: Path
) -> None:
    assert charrnn("train", text, *SMALL, "-o", "m.safetensors").returncode == 0
    (tmp_path / "m.safetensors").unlink()
    done = charrnn("train", text, *SMALL, "-o", "m.safetensors")
    assert done.returncode == 1
    assert "m.resume contains an interrupted run; continue it with --resume, start over with --overwrite" in done.stderr
    back = charrnn("train", text, "--resume", "-o", "m.safetensors")
    assert back.returncode == 0, back.stderr
    load_model(tmp_path / "m.safetensors")


@linux
def test_folders_that_cannot_be_written(charrnn: Charrnn, text: Path) -> None:
    said = charrnn("train", text, *SMALL, "-o", "/proc/nowhere/m.safetensors")
    assert said.returncode == 1
    assert said.stderr.startswith("charrnn: /proc/nowhere")
    assert len(said.stderr.splitlines()) == 1
    said = charrnn("train", text, "--steps", 3, "--logdir", "/proc/nowhere", "-o", "m.safetensors", "--quiet")
    assert said.returncode == 1
    assert "/proc/nowhere cannot be written: " in said.stderr
    assert said.stderr.endswith("name another folder with --logdir, or turn TensorBoard off with --no-tensorboard\n")


def test_a_failed_start_leaves_nothing_behind(charrnn: Charrnn, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("a")
    assert charrnn("train", "short.txt", *SMALL, "-o", "deep/m.safetensors").returncode == 1
    assert not list(tmp_path.rglob("m*"))
