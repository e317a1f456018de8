"""`charrnn inspect`: drawing, ranking, files, refusals."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.cli.display.colours import background
from charrnn.inference.settings import SpanSettings
from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary
from tests.cli.notes import without_note
from tests.models import make_model

SENTENCE = 'A "word" (or 2)\n'


@pytest.fixture
def charrnn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: Any) -> Any:
    """Runs a command in a folder with an LSTM `m`, a GRU `g` and a text; gives its status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    for name in ("CHARRNN_TRACEBACK", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, cell in (("m", "lstm"), ("g", "gru")):
        made = make_model(CharVocabulary.of_text(SENTENCE), cell, layers=2, hidden_size=6)
        save_model(tmp_path / "models" / f"{name}.safetensors", made.header, made.network.tensors)
    os.utime(tmp_path / "models" / "g.safetensors", (1, 1))  # m is the newest
    (tmp_path / "text.txt").write_text(SENTENCE * 40)

    return without_note(in_process, "m")


def states(name: str, text: str, kind: str = "hidden") -> Any:
    """The states that the model computes, (L, T, H)."""
    from charrnn.inference.inspection.tracing import read_text, trace_network
    from charrnn.inference.loading import load_language_model

    model = load_language_model(Path("models", f"{name}.safetensors"))
    read = read_text(model.vocabulary, model.vocabulary.tokenize(text), skip_unknown=True)
    return trace_network(model.network, read).states(kind)


def test_one_unit_as_a_table_where_there_are_no_colours(charrnn: Any) -> None:
    status, out, err = charrnn("inspect", "text.txt", "--unit", "4", "--shown", "16")
    assert (status, err) == (0, "")
    heading, *rows = out.splitlines()
    assert heading == "character\tlayer 1 unit 4"
    assert [row.split("\t")[0] for row in rows] == [*SENTENCE[:-1], "\\n"]
    wanted = states("m", SENTENCE)[1, :, 4]
    np.testing.assert_allclose([float(row.split("\t")[1]) for row in rows], wanted, atol=6e-5)


def test_layer_state_and_json(charrnn: Any) -> None:
    args = ("inspect", "-", "--layer", "0", "--unit", "2", "--state", "cell", "--json")
    status, out, _ = charrnn(*args, stdin=b"A word")
    assert status == 0
    found = json.loads(out)
    wanted = states("m", "A word", "cell")[0, :, 2]
    np.testing.assert_allclose(found.pop("values"), wanted, atol=1e-5)
    assert found == {"layer": 0, "unit": 2, "state": "cell", "text": "A word"}


def test_colours_on_a_terminal(charrnn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    status, out, _ = charrnn("inspect", "text.txt", "--unit", "4", "--shown", "3")
    assert status == 0
    assert "layer 1 unit 4, hidden state" in out
    for value in states("m", SENTENCE)[1, :3, 4]:
        red, green, blue = bytes.fromhex(background(float(value))[1:])
        assert f"48;2;{red};{green};{blue}m" in out
    monkeypatch.setenv("NO_COLOR", "1")
    assert charrnn("inspect", "text.txt", "--unit", "4", "--shown", "3")[1].startswith("character\t")


def test_the_terminal_shows_controls_and_takes_nothing_for_markup(
    charrnn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = "[red]\t\x1b[2J:smile:\u202e"
    made = make_model(CharVocabulary.of_text(text), hidden_size=6)
    save_model(Path("models/odd.safetensors"), made.header, made.network.tensors)
    _, out, _ = charrnn("inspect", "-m", "odd", "-", "--unit", "0", stdin=text.encode())
    import re

    plain = re.sub(r"\x1b\[[\d;]*m", "", out)
    assert plain.splitlines()[1] == "[red]\u21e5\\x1b[2J:smile:\\u202e"


def test_without_a_unit_a_few_are_drawn(charrnn: Any) -> None:
    status, out, _ = charrnn("inspect", "text.txt")
    assert status == 0
    assert 1 <= out.splitlines()[0].count("layer") <= 3
    short = charrnn("inspect", "-", stdin=b"A word")[1]  # too short to find anything in
    assert short.splitlines()[0].count("layer") == 3


def test_the_ranking(charrnn: Any) -> None:
    status, out, err = charrnn("inspect", "text.txt", "--find", "--match", "wor", "--json")
    assert status == 0
    rows = [json.loads(line) for line in out.splitlines()]
    names = {row["property"] for row in rows}
    assert {"match of wor", "inside quotes", "inside brackets", "bracket depth", "position in line"} <= names
    assert {"inside a word", "word start", "upper case", "digit", "after 'o'", "after '\\n'"} <= names
    assert all(set(row) >= {"layer", "unit", "score", "control", "above", "state"} for row in rows)
    assert "too rare in this text to judge: indentation, inside a comment" in err
    table = charrnn("inspect", "text.txt", "--match", "wor", "--top", "2")[1].splitlines()
    assert table[0].split() == ["score", "chance", "layer", "unit", "property"]
    for line in table[1:]:
        assert abs(float(line.split()[0])) > float(line.split()[1])
    only = charrnn("inspect", "text.txt", "--find", "--layer", "1", "--unit", "3", "--json")[1]
    assert {(json.loads(row)["layer"], json.loads(row)["unit"]) for row in only.splitlines()} == {(1, 3)}


def test_files_are_written_and_never_replaced_unasked(charrnn: Any) -> None:
    files = ("--html", "out/page.html", "--npz", "trace.npz")
    status, out, err = charrnn("inspect", "text.txt", *files)
    assert (status, out) == (0, "")
    assert "out/page.html: 640 characters" in err
    assert "trace.npz: hidden 2x640x6, cell 2x640x6, input_gate 2x640x6" in err
    with np.load("trace.npz") as arrays:
        np.testing.assert_allclose(arrays["hidden"], states("m", SENTENCE * 40), atol=1e-6)
    page = Path("out/page.html").read_bytes()
    assert page.startswith(b"<!doctype html>")
    Path("trace.npz").write_bytes(b"mine")
    status, _, err = charrnn("inspect", "text.txt", "--npz", "trace.npz")
    wanted = "charrnn: trace.npz already exists; replace it with --overwrite, or name another file\n"
    assert (status, err) == (1, wanted)
    assert Path("trace.npz").read_bytes() == b"mine"
    assert charrnn("inspect", "text.txt", *files, "--overwrite", "--shown", "5", "--quiet") == (0, "", "")
    assert len(Path("out/page.html").read_bytes()) < len(page)
    assert Path("trace.npz").read_bytes() != b"mine"


def test_what_is_read_is_never_written_over(charrnn: Any) -> None:
    for file in ("text.txt", "models/m.safetensors"):
        before = Path(file).read_bytes()
        status, _, err = charrnn("inspect", "text.txt", "--html", file, "--overwrite")
        assert (status, err) == (1, f"charrnn: {file} is also an input file; name another file to write\n")
        assert Path(file).read_bytes() == before
    assert charrnn("inspect", "text.txt", "--html", "models")[2] == "charrnn: models is a folder; name a file\n"
    status, _, err = charrnn("inspect", "text.txt", "--html", "a", "--npz", "./a")
    assert (status, err) == (2, "charrnn: --html and --npz name the same file; give two different names\n")


def test_unknown_characters(charrnn: Any) -> None:
    status, _, err = charrnn("inspect", "-", "--unit", "0", stdin="wor€d".encode())
    assert status == 1
    assert err.startswith("charrnn: the model has never seen '€' (U+20AC); change the text, or use")
    status, out, err = charrnn("inspect", "-", "--unit", "0", "--unknown", "skip", stdin="wor€d".encode())
    assert status == 0
    assert [row.split("\t")[0] for row in out.splitlines()[1:]] == list("word")
    assert err == "skipped 1 character that the model has never seen: '€' (U+20AC)\n"


def test_long_texts_are_read_in_part_and_it_is_said(charrnn: Any) -> None:
    _, out, err = charrnn("inspect", "text.txt", "--unit", "0", "--length", "10")
    assert len(out.splitlines()) == 11
    assert err == "read only the first 10 characters; --length N reads more\n"


def test_places_that_the_model_does_not_have(charrnn: Any) -> None:
    status, _, err = charrnn("inspect", "-m", "g", "text.txt", "--layer", "2", "--unit", "6", "--state", "cell")
    assert status == 2
    assert err.splitlines() == [
        "charrnn: --layer must be at most 1, the last layer; found 2",
        "charrnn: --unit must be at most 5, the last unit; found 6",
        "charrnn: --state cell is for LSTMs, but this model is a GRU; use --state hidden",
    ]
    assert charrnn("inspect", "-", stdin=b"")[2] == "charrnn: - is empty: nothing to inspect\n"
    status, _, err = charrnn("inspect", "text.txt", "--match", "(")
    assert status == 2
    assert err.startswith("charrnn: --match is not a regular expression: ")


def test_bytes_that_are_no_text(charrnn: Any) -> None:
    made = make_model(ByteVocabulary(range(256)), "gru", hidden_size=6)
    save_model(Path("models/bytes.safetensors"), made.header, made.network.tensors)
    _, out, _ = charrnn("inspect", "-m", "bytes", "-", "--unit", "0", stdin=b"a\xff\x00")
    assert [row.split("\t")[0] for row in out.splitlines()[1:]] == ["a", "\\xff", "\\x00"]


def test_colours_go_from_blue_over_white_to_red() -> None:
    assert [background(value) for value in (0, 1, -1, 5)] == ["#ffffff", "#ff4000", "#0066ff", "#ff4000"]
    assert SpanSettings().length == 10_000


def test_a_match_alone_ranks_no_other_property(charrnn: Any) -> None:
    lines = charrnn("inspect", "text.txt", "--match", "wor", "--json")[1].splitlines()
    assert {json.loads(line)["property"] for line in lines} == {"match of wor"}
    assert "inside quotes" in charrnn("inspect", "text.txt", "--match", "wor", "--find", "--json")[1]


def test_colours_have_a_legend(charrnn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", charrnn("inspect", "text.txt", "--unit", "4")[1])
    assert shown.splitlines()[-1].split() == ["colours:", "-1", "0", "+1"]


@pytest.mark.parametrize("command", ["evaluate", "classify", "inspect"])
def test_only_generate_and_train_have_a_device(charrnn: Any, command: str) -> None:
    status, _, err = charrnn(command, "text.txt", "--device", "cpu")
    assert status == 2
    assert "No such option: --device" in err
