"""The command line from outside: exit statuses, messages, the main job as typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.notes import newest
from tests.conftest import Charrnn
from tests.needs import posix

SMALL = ("--hidden-size", 16, "--batch-size", 4, "--seq-len", 16)


@pytest.fixture
def text(tmp_path: Path, rhyme: str) -> Path:
    path = tmp_path / "rhyme.txt"
    path.write_text(rhyme)
    return path


def test_train_then_generate_then_evaluate_then_info_as_typed(charrnn: Charrnn, text: Path, tmp_path: Path) -> None:
    trained = charrnn("train", "rhyme.txt", "--steps", 100, *SMALL, "--json")
    assert trained.returncode == 0, trained.stderr
    summary = json.loads(trained.stdout)
    assert summary["model"] == "models/rhyme.safetensors"
    assert list((tmp_path / "runs" / "rhyme").glob("events*"))
    assert set(summary) == {
        *("model", "parameters", "vocab", "steps", "epochs", "chars", "seconds", "chars_per_second", "train_loss"),
        *("valid_loss", "valid_bpc", "valid_perplexity", "valid_unknown_share", "valid_charged_loss"),
        *("best_step", "device", "seed", "verdict"),
    }
    written = charrnn("generate", "--prime", "the ", "-t", "0.5", "-l", 50)
    assert written.returncode == 0, written.stderr
    assert written.stdout.startswith("the ")
    assert len(written.stdout.rstrip("\n")) in (53, 54)
    assert written.stderr.startswith(newest("rhyme") + "seed ")
    scored = charrnn("evaluate", "rhyme.txt", "--json")
    figures = json.loads(scored.stdout)
    assert set(figures) == {
        *("model", "chars", "unknown", "loss", "bpc", "perplexity", "seconds", "chars_per_second"),
        *("unknown_share", "charged_loss"),
    }
    assert figures["chars"] == len(text.read_text())
    described = json.loads(charrnn("info", "--json").stdout)
    assert described["format"] == 1
    assert described["parameters"] == summary["parameters"]
    assert described["valid_loss"] == summary["valid_loss"]
    assert described["cell"] == "lstm"


def test_progress_is_plain_lines_on_stderr_and_nothing_when_quiet(charrnn: Charrnn, text: Path) -> None:
    loud = charrnn("train", text, "--steps", 2, *SMALL)
    assert loud.stdout == ""
    assert "\x1b" not in loud.stderr
    assert "valid loss" in loud.stderr
    assert "models/rhyme.safetensors" in loud.stderr
    assert "next: charrnn evaluate -m models/rhyme.safetensors OTHER-TEXT\n" in loud.stderr  # not what was learned
    quiet = charrnn("train", text, "--steps", 2, *SMALL, "--quiet", "--overwrite")
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_all_bad_settings_are_reported_at_once(charrnn: Charrnn, text: Path, tmp_path: Path) -> None:
    done = charrnn("train", text, "--hidden-size", 0, "--lr", "nan", "--time", "soon", "--cell", "transformer")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "charrnn: --cell must be one of lstm, gru, rnn; found transformer",
        "charrnn: --hidden-size must be at least 1 and at most 16384; found 0",
        "charrnn: --time must be a duration like 30s, 5m or 1h; found soon",
        "charrnn: --lr must be a finite number; found nan",
    ]
    assert not (tmp_path / "models").exists()


def test_an_existing_model_is_not_overwritten_unless_asked(charrnn: Charrnn, text: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.safetensors"
    model.write_bytes(b"mine")
    refused = charrnn("train", text, "--steps", 1, *SMALL, "-o", model)
    assert refused.returncode == 1
    assert "already exists" in refused.stderr
    assert "--overwrite" in refused.stderr
    assert model.read_bytes() == b"mine"
    assert charrnn("train", text, "--steps", 1, *SMALL, "-o", model, "--overwrite").returncode == 0
    assert model.read_bytes() != b"mine"


@posix
def test_special_files_stay_what_they_are(charrnn: Charrnn, text: Path, tmp_path: Path) -> None:
    pipe, link, target = tmp_path / "pipe", tmp_path / "link.safetensors", tmp_path / "target.safetensors"
    os.mkfifo(pipe)
    refused = charrnn("train", text, "--steps", 1, *SMALL, "-o", pipe, "--overwrite")
    assert (refused.returncode, refused.stderr) == (
        1,
        f"charrnn: {pipe} is a pipe, which cannot be replaced by a file; name a regular file\n",
    )
    assert pipe.is_fifo()
    link.symlink_to(target)
    assert charrnn("train", text, "--steps", 1, *SMALL, "-o", link, "--quiet").returncode == 0
    assert link.is_symlink()
    page = charrnn("inspect", "-m", link, text, "--html", pipe, "--overwrite", "--quiet")
    assert (page.returncode, page.stderr) == (1, refused.stderr)
    assert json.loads(charrnn("info", target, "--json").stdout)["steps"] == 1


def test_a_corpus_that_is_not_there(charrnn: Charrnn) -> None:
    done = charrnn("train", "nowhere.txt")
    assert done.returncode == 1
    assert done.stderr == "charrnn: there is no file or folder nowhere.txt; check the name\n"


def test_a_mistyped_command_or_option_gets_a_suggestion(charrnn: Charrnn) -> None:
    command = charrnn("trian")
    assert command.returncode == 2
    assert "train" in command.stderr
    assert "Traceback" not in command.stderr
    option = charrnn("generate", "--tempratur", "1")
    assert option.returncode == 2
    assert "--temperature" in option.stderr


def test_a_mistyped_model_gets_a_suggestion(charrnn: Charrnn, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "shakespeare.safetensors").write_bytes(b"")
    done = charrnn("info", "shakespare")
    assert done.returncode == 1
    assert "did you mean models/shakespeare.safetensors?" in done.stderr


def test_help_and_version(charrnn: Charrnn) -> None:
    assert "train" in charrnn("--help").stdout
    assert charrnn("--version").stdout.startswith("charrnn 0")
    for command in ("train", "generate", "evaluate", "inspect", "info"):
        assert "Examples:" in charrnn(command, "--help").stdout


def test_the_traceback_is_there_for_who_asks(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Traceback" not in charrnn("train", "nowhere.txt").stderr
    monkeypatch.setenv("CHARRNN_TRACEBACK", "1")
    assert "Traceback" in charrnn("train", "nowhere.txt").stderr


def complete(folder: Path, line: str) -> list[str]:
    """What a shell is offered for the last word of `line`."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "_CHARRNN_COMPLETE": "complete_bash"}
    command = "import sys; from charrnn.cli.app import main; sys.argv[0] = 'charrnn'; main()"
    done = subprocess.run(
        [sys.executable, "-c", command],
        env={**os.environ, **words},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_a_shell_completes_commands_models_and_choices(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name in ("plays", "poems", "tunes"):
        (tmp_path / "models" / f"{name}.safetensors").write_bytes(b"")
    assert complete(tmp_path, "charrnn gen") == ["generate"]
    assert complete(tmp_path, "charrnn generate -m p") == ["plays", "poems"]
    assert complete(tmp_path, "charrnn info ") == ["plays", "poems", "tunes"]
    assert complete(tmp_path, "charrnn train x --cell g") == ["gru"]
    assert complete(tmp_path, "charrnn generate --tem") == ["--temperature"]
