"""`charrnn classify`, and `evaluate` and `inspect` with a classifier, on a model of random weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.model.config import ClassifierConfig
from charrnn.model.file import save_model
from charrnn.model.header import ModelHeader
from tests.cli.notes import without_note

SYMBOLS = "\0\nabcd\ufffd"
LABELS = ("first", "second")
VOCABULARY = {"tokens": "char", "symbols": SYMBOLS, "unknown": len(SYMBOLS) - 1, "end": 0}


def write_classifier(name: str, vocabulary: dict[str, Any], labels: tuple[str, str] = LABELS) -> None:
    config = ClassifierConfig("gru", 1, 6, 3, len(vocabulary["symbols"]), len(labels), True, "all")
    draw = np.random.default_rng(5)
    tensors = {name: draw.normal(0, 0.8, shape).astype(np.float32) for name, shape in config.shapes().items()}
    header = ModelHeader(config, vocabulary, {}, "classify", labels, (7, 5))
    save_model(Path("models", f"{name}.safetensors"), header, tensors)


@pytest.fixture
def charrnn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: Any) -> Any:
    """Runs a command in a folder with a small classifier `m`; gives its status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHARRNN_TRACEBACK", raising=False)
    write_classifier("m", VOCABULARY)
    return without_note(in_process, "m")


def test_a_row_for_each_line(charrnn: Any) -> None:
    status, out, _ = charrnn("classify", "-", stdin="abc\n\ndé\tx".encode())
    assert status == 0
    rows = [line.split("\t", 2) for line in out.splitlines()]
    assert [row[2] for row in rows] == ["abc", "", "dé\tx"]
    assert all(row[0] in LABELS and 0.5 <= float(row[1]) <= 1 for row in rows)
    Path("t.txt").write_text("abc\n\ndé\tx\n")
    assert charrnn("classify", "-m", "m", "t.txt")[1] == out


def test_every_labels_probability_and_json(charrnn: Any) -> None:
    _, out, _ = charrnn("classify", "-", "--all", stdin=b"abc\nd\n")
    assert out.splitlines()[0] == "first\tsecond\ttext"
    shares = [float(cell) for cell in out.splitlines()[1].split("\t")[:2]]
    assert sum(shares) == pytest.approx(1, abs=2e-4)
    _, out, _ = charrnn("classify", "-", "--all", "--json", stdin=b"abc\nd\n")
    found = [json.loads(line) for line in out.splitlines()]
    assert [each["text"] for each in found] == ["abc", "d"]
    assert list(found[0]["probabilities"].values()) == pytest.approx(shares, abs=1e-4)
    assert found[0]["probability"] == max(found[0]["probabilities"].values())


def test_evaluate_labelled_texts(charrnn: Any) -> None:
    rows = [("first", "abc"), ("second", "d"), ("first", "dda"), ("second", "cab"), ("second", "bb")]
    Path("t.tsv").write_text("label\ttext\n" + "".join(f"{label}\t{text}\n" for label, text in rows))
    status, out, err = charrnn("evaluate", "t.tsv", "--json", "--plot", "p.svg")
    assert status == 0, err
    found = json.loads(out)
    keys = {"model", "accuracy", "macro_f1", "log_loss", "auc", "confusion", "labels", "n", "seconds"}
    assert set(found) == keys | {"texts_per_second"}
    assert found["n"] == 5
    assert np.sum(found["confusion"], axis=1).tolist() == [2, 3]
    assert found["accuracy"] == pytest.approx(np.trace(found["confusion"]) / 5)
    assert "treated as a header" in err
    assert Path("p.svg").read_text().startswith("<svg ")
    status, _, err = charrnn("evaluate", "t.tsv", "--plot", "p.svg")
    assert (status, err) == (1, "charrnn: p.svg already exists; replace it with --overwrite, or name another file\n")
    assert charrnn("evaluate", "t.tsv", "--plot", "p.png")[0] == 0
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
    Path("t.csv").write_text("".join(f"{text},{label}\n" for label, text in rows))
    by_column = json.loads(charrnn("evaluate", "t.csv", "--columns", "2,1", "--json")[1])
    assert by_column["log_loss"] == found["log_loss"]
    assert "confusion" not in charrnn("evaluate", "t.csv", "--columns", "2,1")[1]


def test_what_cannot_be_is_one_line(charrnn: Any) -> None:
    Path("t.tsv").write_text("third\tabc\n")
    status, _, err = charrnn("evaluate", "t.tsv")
    assert status == 1
    assert err.startswith("charrnn: t.tsv has a label that the model does not know: 'third'; it knows first, second.")
    assert charrnn("generate")[2].startswith(
        "charrnn: models/m.safetensors is a classifier, which does not generate text;"
    )
    assert charrnn("evaluate", "t.tsv", "--per-line")[0] == 2
    assert charrnn("evaluate", "t.tsv", "--plot", "p.pdf")[2] == (
        "charrnn: --plot must end in .png or .svg; found p.pdf\n"
    )
    assert charrnn("inspect", "t.tsv", "--find")[2] == "charrnn: --find is for language models; leave it out\n"


def test_inspect_follows_each_line_from_the_initial_state(charrnn: Any) -> None:
    Path("t.txt").write_text("abca\nd</script>\n")
    _, out, _ = charrnn("inspect", "t.txt", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert [len(each["probabilities"]) for each in found] == [5, 11]
    _, lines, _ = charrnn("classify", "t.txt", "--json", "--all")
    for each, line in zip(found, lines.splitlines(), strict=True):
        wanted = json.loads(line)
        assert each["label"] == wanted["label"]
        assert each["probabilities"][-1] == pytest.approx(list(wanted["probabilities"].values()), abs=1e-5)
    _, out, _ = charrnn("inspect", "t.txt")
    assert out.splitlines()[:2][0] == "character\tfirst\tsecond"
    assert [line.split("\t")[0] for line in out.splitlines()[1:6]] == ["(start)", "a", "b", "c", "a"]
    status, out, err = charrnn("inspect", "t.txt", "--html", "p.html")
    assert (status, out) == (0, "")
    page = Path("p.html").read_text()
    assert page.count("</script>") == 2
    assert "2 texts" in err


def test_inspect_follows_words_one_by_one(charrnn: Any) -> None:
    write_classifier("w", {"tokens": "word", "symbols": ["a", " rose", "\0"], "end": 2})
    Path("t.txt").write_text("a rose, is a\n")
    _, out, _ = charrnn("inspect", "-m", "w", "t.txt")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["character", "(start)", "a", " rose"]
    assert charrnn("inspect", "-m", "w", "t.txt", "--html", "p.html")[0] == 0
    assert '"parts":["a"," rose"]' in Path("p.html").read_text()


def test_labels_that_would_break_a_table_are_cells_of_it(charrnn: Any) -> None:
    write_classifier("odd", VOCABULARY, ("tab\there", "line\nend"))
    Path("t.txt").write_text("ab\n")
    _, out, _ = charrnn("inspect", "-m", "odd", "t.txt")
    assert out.splitlines()[0] == "character\ttab here\tline end"
    Path("t.csv").write_text('ab,"tab\there"\nba,"line\nend"\n')
    status, out, err = charrnn("evaluate", "-m", "odd", "t.csv", "--columns", "2,1", "--plot", "p.svg")
    assert status == 0, err
    heading, *rows = out.splitlines()[-3:]
    assert heading.split("  ")[-1].strip() == "line end"
    assert [row[:10].strip() for row in rows] == ["tab here", "line end"]
    assert "tab?here" in Path("p.svg").read_text()


@pytest.mark.parametrize("option", [("--precision", "bf16"), ("--weight-dropout", "0.2")])
def test_no_option_of_language_models_is_taken_and_ignored(charrnn: Any, option: tuple[str, str]) -> None:
    Path("t.tsv").write_text("a\tb\nb\tc\n")
    status, _, err = charrnn("train", "t.tsv", "--task", "classify", *option)
    assert (status, err) == (2, f"charrnn: {option[0]} is for language models; leave it out\n")


def test_train_refuses_what_the_task_has_no_use_for(charrnn: Any) -> None:
    Path("t.tsv").write_text("a\tb\nb\tc\n")
    status, _, err = charrnn("train", "t.tsv", "--task", "classify", "--init-from", "m", "--sample-every", "1s")
    assert status == 2
    assert err.splitlines() == [
        "charrnn: --init-from is for language models; leave it out",
        "charrnn: --sample-every is for language models; leave it out",
    ]
    status, _, err = charrnn("train", "t.tsv", "--pool", "last", "--class-weights")
    assert status == 2
    assert err.splitlines() == [
        "charrnn: --pool works with --task classify only",
        "charrnn: --class-weights works with --task classify only",
    ]


def test_train_learns_resumes_and_refuses_other_texts(charrnn: Any) -> None:
    Path("t.tsv").write_text("".join(f"{'ab'[n % 2]}\t{'xy'[n % 2] * (n % 5 + 1)}\n" for n in range(80)))
    common = ("train", "t.tsv", "--no-tensorboard", "--json")
    sizes = ("--hidden-size", "8", "--steps", "20", "--class-weights", "--quiet")
    status, out, err = charrnn(*common, "--task", "classify", *sizes)
    assert status == 0, err
    found = json.loads(out)
    assert found["steps"] == 20
    assert found["labels"] == ["a", "b"]
    status, out, err = charrnn(*common, "--resume", "--steps", "40")
    assert status == 0, err
    assert json.loads(out)["steps"] == 40
    assert "accuracy" in err
    status, _, err = charrnn(*common, "--resume", "--pool", "last")
    assert status == 2
    assert "--pool last differs from the saved run, which has --pool all" in err
    Path("t.tsv").write_text("a\tx\nb\ty\n")
    status, _, err = charrnn(*common, "--resume")
    assert status == 1
    assert "t is not the corpus of the saved run (t, 80 texts)" in err
    status, out, _ = charrnn("info", "t")
    assert status == 0
    assert "classify" in out
