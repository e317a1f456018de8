"""The tables of the experiments, from invented answers of charrnn; only `novelty` is run."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from charrnn.corpora.midi import write_midi
from charrnn.corpora.score import Note, Piece
from scripts import experiments
from scripts.common import ScriptError
from scripts.experiment import brackets, headlines, music, workspace
from scripts.experiment.abc2midi import TuneCheck
from scripts.experiment.music import COUNTS, measure_overlap
from scripts.experiment.workspace import Workspace, require_programs

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven")
Pretend = Callable[[list[str]], list[list[str]]]
RUN = {"model": "m", "parameters": 1256, "seconds": 2.0, "valid_bpc": 1.5, "valid_loss": 1.04, "epochs": 0.5}


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "2s", 2)


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch, in_process: Any) -> Pretend:
    """Lets every `charrnn generate` of an experiment write the given texts; returns the list of commands."""

    def with_texts(texts: list[str]) -> list[list[str]]:
        commands: list[list[str]] = []

        def charrnn(arguments: Sequence[str]) -> str:
            commands.append(list(arguments))
            if arguments[0] == "train":
                return json.dumps(RUN)
            if arguments[0] == "generate":
                return "".join(json.dumps({"text": text, "prime": ""}) + "\n" for text in texts)
            status, out, err = in_process(*arguments)
            assert (status, err) == (0, "")
            return str(out)

        monkeypatch.setattr(workspace, "charrnn", charrnn)
        return commands

    return with_texts


def cells(printed: str) -> dict[str, list[str]]:
    """A printed table's rows by their first cells."""
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in printed.split("\n")]
    return {row[0]: row[1:] for row in rows}


def test_brackets(space: Workspace, pretend: Pretend) -> None:
    commands = pretend(["(1(22)1)", "(2)"])
    _, printed = brackets.run(space, 2000)
    rows = cells(printed)
    assert rows["the corpus"][0] == "100.0%"
    assert rows["T 0.5"][:4] == ["50.0%", "5.5", "8", "2"]
    assert [command[0] for command in commands] == ["train"] + ["generate"] * 5
    assert commands[0][2:4] == ["--time", "2s"]


def test_headlines(space: Workspace, pretend: Pretend, tmp_path: Path) -> None:
    lines = [f"Number {word} wins a very large cup in Rome" for word in NUMBERS]
    (tmp_path / "news.txt").write_text("\n".join([*lines, *lines, "Held out"]) + "\n")
    pretend([lines[0], "Numbre wins"])
    _, printed, examples = headlines.run(space, [str(tmp_path / "news.txt")])
    rows = cells(printed)
    assert rows["real, held out"][0] == "0.0%"
    assert rows["T 0.4"][:2] == ["90.9%", "50.0%"]
    assert cells(examples)["T 1.0"] == ["Numbre wins"]


def test_too_few_headlines(space: Workspace, tmp_path: Path) -> None:
    (tmp_path / "news.txt").write_text("One\n")
    with pytest.raises(ScriptError, match="1 headlines are too few"):
        list(headlines.run(space, [str(tmp_path / "news.txt")]))


def test_music_as_abc(space: Workspace, pretend: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.abc").write_text("".join(f"X:{n}\nT:{n}\nK:G\nGABc|\n\n" for n in range(20)))
    monkeypatch.setattr(music, "require_programs", lambda *_: None)
    monkeypatch.setattr(music, "check_tunes", lambda tunes: [TuneCheck(True, 4, 0), TuneCheck(False, 4, 2)])
    pretend(["X:1\nK:G\nabc|\n", "X:1\nK:G\nab?|\n"])
    _, printed = music.run(space, [str(tmp_path / "a.abc")])
    assert cells(printed)["T 0.5"] == ["50.0%", "50.0%", "75.0%", "4", "0.0%"]
    assert (tmp_path / "tunes_0.5.abc").read_text().count("X:1") == 2


def test_music_as_midi(space: Workspace, pretend: Pretend, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.mid").write_bytes(write_midi([Note(0, 60, 12), Note(12, 62, 12)])[0])
    pretend(["0 C4:12 mf\n12 D4:12\nrubbish\nhalf a li", "0 C4:12\n"])
    _, printed = music.run(space, [str(tmp_path)])
    rows = cells(printed)
    assert rows["real, held out"][:2] == ["0.00%", "2"]
    assert rows["T 0.5"][:2] == ["25.00%", "3"]
    assert (tmp_path / "piece_0.5.mid").read_bytes().startswith(b"MThd")


def test_overlap_of_histograms() -> None:
    assert measure_overlap(Counter({1: 2, 2: 2}), Counter({1: 1, 3: 3})) == pytest.approx(0.25)
    assert measure_overlap(Counter(), Counter({1: 1})) == 0.0
    piece = Piece([Note(0, 60, 6), Note(0, 64, 6), Note(12, 60, 3)])
    assert [count([piece]) for count in COUNTS] == [{60: 2, 64: 1}, {6: 2, 3: 1}, {12: 1}, {2: 1, 1: 1}]


def test_a_missing_program_names_its_package() -> None:
    with pytest.raises(ScriptError, match="this needs no-such-program; type: apt-get install its-package"):
        require_programs(["no-such-program", "python3"], "its-package")


def test_the_command_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert experiments.main(["headlines", "missing.txt", "--keep", str(tmp_path / "kept")]) == 1
    assert capfd.readouterr().err == "experiments.py: there is no file or folder missing.txt; check the name\n"
    for wrong in (["--time", "soon"], ["--samples", "0"]):
        with pytest.raises(SystemExit, match="2"):
            experiments.main(["brackets", *wrong])
        assert "must be a" in capfd.readouterr().err
