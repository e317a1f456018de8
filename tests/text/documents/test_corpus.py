import random
from pathlib import Path

import numpy as np
import pytest

from charrnn.errors import CorpusError, UsageError
from charrnn.text.documents.columns import LabelledReader
from charrnn.text.documents.corpus import LabelledCorpus, read_labelled
from charrnn.text.settings import ReadingSettings, TextSettings
from charrnn.text.vocabulary import vocabulary_from_json


def read(
    tmp_path: Path, content: str, name: str = "t.tsv", columns: str | None = None, **settings: object
) -> LabelledCorpus:
    path = tmp_path / name
    path.write_text(content)
    return read_labelled([str(path)], TextSettings(**settings), columns=columns)  # type: ignore[arg-type]


def texts_of(read: LabelledCorpus) -> set[tuple[str, str]]:
    return {
        (read.labels[label], read.vocabulary.decode(ids[:-1]).decode())
        for part in (read.train, read.valid)
        for ids, label in zip(part, part.labels, strict=True)
    }


def many(seed: int = 0, texts: int = 300) -> str:
    draw = random.Random(seed)
    rows = [f"{draw.choice('aab')}\t{draw.randrange(10**9)}" for _ in range(texts)]
    return "\n".join(rows * 2)


def test_every_text_is_a_document_with_an_end(tmp_path: Path) -> None:
    found = read(tmp_path, "b\txyz\na\tx\n10\tzz\n9\ty\n")
    assert found.labels == ("9", "10", "a", "b")
    assert found.counts == (1, 1, 1, 1)
    vocabulary = found.vocabulary
    assert vocabulary.symbols == "\0xyz\ufffd"
    assert (vocabulary.end, vocabulary.unknown) == (0, 4)
    assert [ids.tolist() for ids in found.train] == [[1, 2, 3, 0], [1, 0], [3, 3, 0], [2, 0]]
    assert found.train.lengths.tolist() == [4, 2, 3, 2]
    assert found.train is found.valid
    assert "too few to hold any out" in found.notes[-1]
    assert vocabulary_from_json(vocabulary.to_json(), 5).end == 0


def test_each_class_is_held_out_in_proportion_and_no_text_is_on_both_sides(tmp_path: Path) -> None:
    found = read(tmp_path, many())
    assert len(found.train) + len(found.valid) == 600
    for label in range(2):
        share = (found.valid.labels == label).sum() / (found.train.labels == label).sum()
        assert share == pytest.approx(1 / 9, rel=0.05)
    sides = [{ids.tobytes() for ids in part} for part in (found.train, found.valid)]
    assert not sides[0] & sides[1]
    again = read(tmp_path, many())
    assert again.fingerprint == found.fingerprint
    assert read(tmp_path, many(seed=1)).fingerprint != found.fingerprint


def test_a_rare_class_is_on_both_sides(tmp_path: Path) -> None:
    found = read(tmp_path, many() + "\nrare\tx\nrare\ty\n")
    rare = found.labels.index("rare")
    assert [int((part.labels == rare).sum()) for part in (found.train, found.valid)] == [1, 1]


def test_texts_to_validate_on_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "v.tsv").write_text("a\tw\n")
    found = read(tmp_path, "a\tx\nb\ty\n", valid=str(tmp_path / "v.tsv"))
    assert [len(found.train), len(found.valid)] == [2, 1]
    (tmp_path / "v.tsv").write_text("c\tw\n")
    with pytest.raises(CorpusError, match="have a label that the training texts do not have: 'c'"):
        read(tmp_path, "a\tx\nb\ty\n", valid=str(tmp_path / "v.tsv"))


@pytest.mark.parametrize("columns", ["2,3", "kind,Title", "kind,3"])
def test_columns_are_named_by_number_or_header(tmp_path: Path, columns: str) -> None:
    header = "" if columns == "2,3" else "n,kind,title\n"
    found = read(tmp_path, f'{header}1,a,"x, y"\n2,b,z\n', "t.csv", columns=columns)
    assert texts_of(found) == {("a", "x, y"), ("b", "z")}


def test_a_header_that_nobody_mentioned_is_left_out_and_told(tmp_path: Path) -> None:
    found = read(tmp_path, "label\ttext\na\tx\nb\ty\na\tz\n")
    assert texts_of(found) == {("a", "x"), ("b", "y"), ("a", "z")}
    assert "the first line is treated as a header: label" in found.notes
    assert read(tmp_path, "name\tlabel\na\tx\n").labels == ("a", "name")


def test_rows_without_a_label_or_text_are_counted(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("a\tx\n\ty\nb\t \nb\tz\n")
    reader = LabelledReader([str(tmp_path / "t.tsv")], ReadingSettings())
    assert list(reader) == [("a", "x"), ("b", "z")]
    assert reader.notes == ["2 lines without a label or a text were skipped"]


def test_bytes_are_documents_too(tmp_path: Path) -> None:
    found = read(tmp_path, "é\té\nb\tz\n", tokens="byte")
    assert found.labels == ("b", "é")
    assert found.vocabulary.decode(found.train[0]) == "é\0".encode()


def test_rare_characters_become_one(tmp_path: Path) -> None:
    found = read(tmp_path, "a\txxq\nb\txyy\n", min_count=2)
    assert found.vocabulary.symbols == "\0xy\ufffd"
    assert found.train[0].tolist() == [1, 1, 3, 0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "contains no labelled texts"),
        ("a\tx\na\ty\n", "have the same label, 'a'"),
        ("a\tx\nb\n", r"line 2 of .* has 1 column, not 2: 'b'; give a label, a tab and a text"),
        ("".join(f"{n}\ta\n" for n in range(99)), "99 different labels for 99 texts, such as '0'"),
    ],
)
def test_what_cannot_be_learned_from_is_said(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read(tmp_path, content)


def test_an_unknown_column_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="has no column 'sort'; its first line has kind, title"):
        read(tmp_path, "kind,title\na,x\n", "t.csv", columns="sort,title")


@pytest.mark.parametrize(
    ("columns", "said"), [("1", "must name two"), ("0,1", "counts from 1"), ("2,2", "two different"), (",", "two")]
)
def test_columns_that_cannot_be_are_usage_errors(tmp_path: Path, columns: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(tmp_path, "a\tx\n", columns=columns)


def test_large_corpora_lie_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(tmp_path, many())
    monkeypatch.setattr("charrnn.text.documents.corpus.PIECE", 100)
    monkeypatch.setattr("charrnn.text.documents.corpus.IN_MEMORY", 1000)
    pieces = read(tmp_path, many())
    assert pieces.fingerprint == whole.fingerprint
    assert all(np.array_equal(a, b) for a, b in zip(whole.train, pieces.train, strict=True))
