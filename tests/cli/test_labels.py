"""Labelled texts on the command line: learned, written, scored."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn.errors import ModelFileError
from charrnn.inference.labelled import LabelledModel
from charrnn.inference.scoring.lines import score_sequences
from charrnn.model.config import LabelledConfig
from charrnn.model.file import load_model, save_model
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.conftest import Charrnn

TINY = ("--hidden-size", "16", "--quiet", "--no-tensorboard", "--sample-every", "0")


@pytest.fixture
def things(tmp_path: Path) -> Path:
    draw = random.Random(0)
    rows = [("vowels", "".join(draw.choices("aeiou", k=draw.randint(2, 7)))) for _ in range(120)]
    rows += [("others", "".join(draw.choices("bcdfg", k=draw.randint(2, 30)))) for _ in range(60)]
    draw.shuffle(rows)
    path = tmp_path / "things.tsv"
    path.write_text("kind\ttext\n" + "".join(f"{label}\t{text}\n" for label, text in rows), encoding="utf-8")
    return path


@pytest.fixture
def model(things: Path, tmp_path: Path, in_process: Any) -> Path:
    path = tmp_path / "things.safetensors"
    status, _, err = in_process("train", str(things), "--labels", "--steps", "150", "-o", str(path), *TINY)
    assert (status, err) == (0, "")
    return path


def test_labels_are_learned_written_and_told_apart(model: Path, things: Path, in_process: Any) -> None:
    status, out, _ = in_process("generate", "-m", str(model), "-n", "60", "--seed", "1", "--json")
    assert status == 0
    found = [json.loads(line) for line in out.splitlines()]
    assert 20 < sum(each["label"] == "vowels" for each in found) < 55
    assert {each["finish"] for each in found} == {"stop"}
    right = [each for each in found if set(each["text"]) <= set("aeiou" if each["label"] == "vowels" else "bcdfg")]
    assert len(right) > 50
    status, out, _ = in_process("generate", "-m", str(model), "-n", "7", "--seed", "1")
    assert out.splitlines() == [f"{each['label']}\t{each['text']}" for each in found[:7]]
    status, out, _ = in_process("generate", "-m", str(model), "--seed", "5", "--label", "others")
    assert set(out.strip()) <= set("bcdfg")
    status, out, _ = in_process("evaluate", str(things), "-m", str(model), "--json")
    assert status == 0
    figures = json.loads(out)
    assert figures["accuracy"] > 0.97
    assert figures["n"] == 180
    assert 0.5 < figures["loss"] < 1.9
    status, out, _ = in_process("evaluate", str(things), "-m", str(model))
    assert "given its label" in out
    status, out, _ = in_process("classify", "-m", str(model), "-", stdin=b"aeio\nbcdfgb\n")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["vowels", "others"]


def test_a_plain_text_is_scored_as_one_with_a_label(model: Path, things: Path, tmp_path: Path, in_process: Any) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("bcdfgbc\ndfgdcb", encoding="utf-8")

    def score(*options: str) -> float:
        status, out, err = in_process("evaluate", str(plain), "-m", str(model), "--json", *options)
        assert status == 0
        assert ("a text with the label vowels; choose with --label" in err) == (not options)
        loss: float = json.loads(out)["loss"]
        return loss

    loaded = charrnn.load(model)
    assert isinstance(loaded, LabelledModel)
    assert score() == score("--label", "vowels") > score("--label", "others") + 1
    network, encode = loaded.for_label("others").network, loaded.vocabulary.encode
    nats = score_sequences(network, [encode("bcdfgbc\0"), encode("dfgdcb")])  # the line end is the end of a text
    assert score("--label", "others") == pytest.approx(np.concatenate(nats).mean())
    status, out, _ = in_process("evaluate", str(plain), "-m", str(model), "--label", "others", "--per-char")
    assert (status, out.count("\n")) == (0, 14)
    status, out, _ = in_process("evaluate", str(plain), "-m", str(model), "--label", "others", "--per-line")
    assert (status, [line.split("\t")[1] for line in out.splitlines()]) == (0, ["8", "6"])
    status, _, err = in_process("evaluate", str(plain), "-m", str(model), "--label", "vowel")
    assert (status, "did you mean 'vowels'?" in err) == (1, True)
    status, _, err = in_process("evaluate", str(things), "-m", str(model), "--label", "vowels", "--columns", "1,2")
    assert (status, "--columns is for labelled texts" in err) == (2, True)
    status, _, err = in_process("evaluate", str(plain), "-m", "shakespeare", "--label", "vowels")
    assert (status, "--label is for models of labelled texts" in err) == (2, True)
    (tmp_path / "broken.tsv").write_text("no column", encoding="utf-8")
    status, _, err = in_process("evaluate", str(tmp_path / "broken.tsv"), "-m", str(model))
    assert (status, "has 1 column, not 2" in err) == (1, True)


def test_info_names_the_labels(model: Path, in_process: Any) -> None:
    status, out, _ = in_process("info", str(model))
    assert (status, "labels            others 60, vowels 120\n" in out) == (0, True)
    assert json.loads(in_process("info", str(model), "--json")[1])["labels"] == ["others", "vowels"]


def test_what_cannot_be(model: Path, things: Path, tmp_path: Path, in_process: Any) -> None:
    status, _, err = in_process("generate", "-m", str(model), "--label", "vowel", "--seed", "1")
    assert (status, err) == (1, "charrnn: the model has no label 'vowel'; did you mean 'vowels'?\n")
    other = tmp_path / "other.tsv"
    other.write_text("vowels\taei\nplants\toak\n", encoding="utf-8")
    status, _, err = in_process("evaluate", str(other), "-m", str(model))
    assert status == 1
    assert "a label that the model does not know: 'plants'" in err
    status, _, err = in_process("evaluate", str(things), "-m", str(model), "--per-line")
    assert status == 2
    begun = ("--init-from", str(model), "-o", str(tmp_path / "x"))
    for labels in ((), ("--labels",)):
        assert in_process("train", str(things), *labels, *begun)[0] == 2
    status, _, err = in_process("train", str(things), "--labels", "--task", "classify", "-o", str(tmp_path / "x"))
    assert (status, "--labels is for language models" in err) == (2, True)


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(things: Path, tmp_path: Path, charrnn: Charrnn) -> None:
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    options = ("--labels", "--seq-len", "5", "--threads", "1", "--dropout", "0.2", *TINY)
    assert charrnn("train", things, "--steps", "60", "-o", whole, *options).returncode == 0
    assert charrnn("train", things, "--steps", "25", "-o", parts, *options).returncode == 0
    # A run of fixed steps has a rate that depends on them; what is compared are two runs resumed at the same place.
    again = tmp_path / "again.safetensors"
    assert charrnn("train", things, "--steps", "25", "-o", again, *options).returncode == 0
    for path in (parts, again):
        done = charrnn("train", things, "--resume", "--steps", "60", "-o", path, *TINY)
        assert done.returncode == 0, done.stderr
    (header, one), (_, two) = load_model(parts), load_model(again)
    assert header.labels == ("others", "vowels")
    assert header.label_counts == (60, 120)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_words_of_labelled_texts(tmp_path: Path, in_process: Any) -> None:
    path, model = tmp_path / "words.tsv", tmp_path / "words.safetensors"
    draw = random.Random(0)
    rows = [("zoo", f"the {draw.choice(['cat', 'dog'])} sat") for _ in range(60)]
    rows += [("farm", f"a {draw.choice(['cow', 'pig'])} ran off") for _ in range(60)]
    path.write_text("".join(f"{label}\t{text}\n" for label, text in rows), encoding="utf-8")
    options = ("--labels", "--tokens", "word", "--steps", "80", "-o", str(model))
    assert in_process("train", str(path), *options, *TINY)[0] == 0
    status, out, _ = in_process("generate", "-m", str(model), "--label", "farm", "-n", "20", "--seed", "1", "-t", "0.5")
    assert status == 0
    assert sum(line in ("a cow ran off", "a pig ran off") for line in out.splitlines()) > 15
    loaded = charrnn.load(model)
    assert loaded.vocabulary.tokens == "word"


def test_labels_that_would_break_a_table_are_cells_of_it(tmp_path: Path, in_process: Any) -> None:
    labels = ("tab\there", "line\nend")
    vocabulary = CharVocabulary.of_text("ab").with_marks()
    config = LabelledConfig("gru", 1, 4, 0, len(vocabulary), 2)
    draw = np.random.default_rng(0)
    tensors = {name: draw.standard_normal(shape).astype(np.float32) for name, shape in config.shapes().items()}
    header = ModelHeader(config, vocabulary.to_json(), labels=labels, label_counts=(1, 1))
    model = str(tmp_path / "m.safetensors")
    save_model(Path(model), header, tensors)
    status, out, _ = in_process("generate", "-m", model, "-n", "20", "-l", "3", "--seed", "1")
    assert status == 0
    assert {line.split("\t")[0] for line in out.splitlines()} == {"tab here", "line end"}
    assert all(line.count("\t") == 1 for line in out.splitlines())
    status, out, _ = in_process("classify", "-m", model, "-", "--all", stdin=b"ab\n")
    assert out.splitlines()[0] == "tab here\tline end\ttext"
    status, out, _ = in_process("info", model)
    assert "labels            tab here 1, line end 1" in out.splitlines()
    status, out, _ = in_process("generate", "-m", model, "--seed", "1", "--json")
    assert json.loads(out)["label"] in labels


@pytest.mark.parametrize("label", ["\ud800", "a\udcff"])
def test_labels_that_are_no_text_are_refused(label: str, tmp_path: Path) -> None:
    vocabulary = CharVocabulary.of_text("ab").with_marks()
    config = LabelledConfig("gru", 1, 4, 0, len(vocabulary), 2)
    tensors = {name: np.zeros(shape, dtype=np.float32) for name, shape in config.shapes().items()}
    header = ModelHeader(config, vocabulary.to_json(), labels=(label, "b"), label_counts=(1, 1))
    save_model(tmp_path / "m.safetensors", header, tensors)
    with pytest.raises(ModelFileError, match="is damaged: its labels are"):
        charrnn.load(tmp_path / "m.safetensors")
