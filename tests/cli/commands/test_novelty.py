import json
from pathlib import Path
from typing import Any

import pytest

CORPUS = "Old dogs learn new tricks today\nCats are cats\n"
TEXT = "Why old dogs learn new tricks today\nCats are cats\nNew\nNew\n"


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    path = tmp_path / "corpus.txt"
    path.write_text(CORPUS)
    return str(path)


def test_the_figures(in_process: Any, corpus: str) -> None:
    status, out, err = in_process("novelty", corpus, stdin=TEXT.encode())
    assert (status, err) == (0, "")
    assert out == (
        'longest copied span  45 characters: "ld dogs learn new tricks today\\nCats are cats\\n"\n'
        "copied               77.6% of 58 characters, in spans of 30 or more\n"
        "lines                4\n"
        "lines in the corpus  1 (25.0%)\n"
        "repeated lines       1 (25.0%)\n"
    )


def test_as_json_from_a_file(in_process: Any, corpus: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    status, out, _ = in_process("novelty", corpus, str(tmp_path / "text.txt"), "--json", "--span", "46")
    assert status == 0
    assert json.loads(out) == {
        "chars": 58,
        "longest": 45,
        "span": "ld dogs learn new tricks today\nCats are cats\n",
        "copied": 0,
        "lines": 4,
        "lines_copied": 1,
        "lines_repeated": 1,
    }


def test_new_lines_only(in_process: Any, corpus: str) -> None:
    status, out, err = in_process("novelty", corpus, "--new", stdin=TEXT.encode())
    assert (status, out) == (0, "Why old dogs learn new tricks today\nNew\n")
    assert "lines in the corpus  1 (25.0%)" in err
    assert in_process("novelty", corpus, "--new", "--quiet", stdin=TEXT.encode())[2] == ""


def test_new_lines_as_json(in_process: Any, corpus: str) -> None:
    status, out, err = in_process("novelty", corpus, "--new", "--json", stdin=TEXT.encode())
    assert status == 0
    assert list(map(json.loads, out.splitlines())) == [{"line": "Why old dogs learn new tricks today"}, {"line": "New"}]
    assert "lines in the corpus  1 (25.0%)" in err


@pytest.mark.parametrize(
    ("arguments", "stdin", "status", "message"),
    [
        (["-"], b"", 2, "only one of CORPUS and TEXT can be - (stdin)"),
        (["nowhere.txt"], b"abc", 1, "there is no file or folder nowhere.txt; check the name"),
        (["CORPUS"], b"", 1, "stdin is empty: nothing to compare"),
        (["CORPUS", "--span", "1"], b"abc", 2, "--span must be at least 2 and at most 16384; found 1"),
    ],
)
def test_what_cannot_be(
    in_process: Any, corpus: str, arguments: list[str], stdin: bytes, status: int, message: str
) -> None:
    given = [corpus if argument == "CORPUS" else argument for argument in arguments]
    assert in_process("novelty", *given, stdin=stdin) == (status, "", f"charrnn: {message}\n")
