"""From sources to ids: in memory, in place or in a temporary file, always the same."""

import errno
import gzip
import io
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import CorpusError, UsageError
from charrnn.text import reading, storage
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.settings import TextSettings
from charrnn.text.storage import MappedNumbers, NumberStore
from tests.needs import import_resource

LINES = "The quick brown fox jumps over the lazy dog.\n"
WIDE = "Съешь же ещё этих мягких французских булок. 吾輩は猫である。\U0001f600\n"


def corpus_of(*names: object, in_memory: int = 2**25, **settings: Any) -> Corpus:
    return read_corpus([str(name) for name in names], TextSettings(**settings), in_memory=in_memory)


def text_of(corpus: Corpus) -> str:
    ids = np.concatenate([corpus.train[:], corpus.valid[:]])
    return corpus.vocabulary.decode(ids).decode()


def same(a: Corpus, b: Corpus) -> None:
    assert a.vocabulary.symbols == b.vocabulary.symbols
    assert a.train[:].tolist() == b.train[:].tolist()
    assert a.valid[:].tolist() == b.valid[:].tolist()
    assert a.fingerprint == b.fingerprint


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE", 64)
    monkeypatch.setattr(storage, "CHUNK", 64)


@pytest.mark.parametrize(
    "text",
    [LINES * 20, LINES * 20 + WIDE * 20, WIDE * 20, LINES * 9 + "\r\n" + LINES, "".join(map(chr, range(256, 900)))],
    ids=["ascii", "turns wide", "wide", "line ends", "over 256 symbols"],
)
def test_files_folders_stdin_and_packed_files_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    data, folder = text.encode(), tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "whole.txt").write_bytes(data)
    half = len(text[: len(text) // 2].encode())
    (folder / "1.txt").write_bytes(data[:half])
    (folder / "2.gz").write_bytes(gzip.compress(data[half:]))
    whole = corpus_of(tmp_path / "whole.txt")
    assert text_of(whole) == text.replace("\r\n", "\n")
    for in_memory in (0, 500, 2**25):
        same(whole, corpus_of(tmp_path / "whole.txt", in_memory=in_memory))
        same(whole, corpus_of(folder, in_memory=in_memory))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        same(whole, corpus_of("-", in_memory=in_memory))


@given(text=st.text(min_size=40).filter(lambda text: "\0" not in text and text.isprintable()))
def test_decoding_the_ids_gives_the_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("text") / "text"
    path.write_text(text, encoding="utf-8", newline="")
    for in_memory in (0, 2**25):
        assert text_of(corpus_of(path, in_memory=in_memory)) == text.removeprefix("\ufeff")


@given(data=st.binary(min_size=40))
def test_bytes_are_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "bytes"
    path.write_bytes(b"#" + data)
    for in_memory in (0, 2**25):
        corpus = corpus_of(path, tokens="byte", in_memory=in_memory)
        ids = np.concatenate([corpus.train[:], corpus.valid[:]])
        assert corpus.vocabulary.decode(ids) == b"#" + data


def test_ascii_is_used_in_place_and_the_rest_leaves_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setenv("TMPDIR", str(spool))
    (tmp_path / "ascii").write_text(LINES * 20)
    (tmp_path / "wide").write_text(LINES * 9 + WIDE * 20)

    def refuse() -> None:
        raise AssertionError("a temporary file for a text that lies on disk already")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "_create_temporary", refuse)
        in_place = corpus_of(tmp_path / "ascii", in_memory=10)
    assert isinstance(in_place.train._mapped, MappedNumbers)  # type: ignore[union-attr]
    spooled = corpus_of(tmp_path / "wide", in_memory=10)
    assert isinstance(spooled.train._mapped, MappedNumbers)  # type: ignore[union-attr]
    assert list(spool.iterdir()) == []


def test_ids_are_an_array_to_read_from(tmp_path: Path) -> None:
    (tmp_path / "text").write_text(LINES * 9)
    in_memory, mapped = (corpus_of(tmp_path / "text", in_memory=size) for size in (2**25, 0))
    at = np.array([[3, 50], [0, -1]])
    for ids in (in_memory.train, mapped.train):
        whole = ids[:]
        assert whole.dtype == np.int32
        assert ids[7] == whole[7]
        assert np.array_equal(ids[at], whole[at])
        assert np.array_equal(ids[5:20], whole[5:20])
        assert len(ids) == len(whole)


def test_a_corpus_that_changes_meanwhile_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "RELEASE_AFTER", 8)
    path = tmp_path / "text"
    path.write_text(LINES * 9)
    ids = corpus_of(path, in_memory=0).train
    before = ids[:]
    assert np.array_equal(ids[:], before)  # its pages were given back, and come again
    with path.open("r+b") as file:
        file.write(b"~")
    with pytest.raises(CorpusError, match="the corpus changed"):
        ids[:5]
    with path.open("r+b") as file:
        file.truncate(10)
    with pytest.raises(CorpusError, match="the corpus became shorter"):
        ids[:5]


def test_numbers_widen_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for limit in (0, 1000, 10**6):
        store = NumberStore(limit)
        pieces: list[Any] = [
            np.arange(200, dtype=np.uint8),
            np.arange(60000, dtype=np.uint16),
            np.full(9, 70000, dtype=np.uint32),
        ]
        for piece in pieces:
            store.append(piece)
        found = store.finish()
        numbers = found.numbers if isinstance(found, MappedNumbers) else found
        assert numbers.dtype == np.uint32
        assert np.array_equal(numbers, np.concatenate(pieces))


def test_a_full_disk_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = import_resource()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "text").write_text(WIDE * 100)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(CorpusError, match=f"no space left for the text in {tmp_path} .* set TMPDIR"):
            corpus_of(tmp_path / "text", in_memory=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["text"]
    assert errno.EFBIG in storage.FULL


def test_a_file_that_unpacks_to_much_more_costs_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    monkeypatch.setattr(reading, "PIECE", 2**16)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"ab\n" * 2**23))
    tracemalloc.start()
    try:
        corpus = corpus_of(tmp_path / "bomb.gz", in_memory=2**16)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(corpus.train) + len(corpus.valid) == 3 * 2**23
    assert peak < 2**22


def test_the_parts(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x" * 90 + "y" * 10)
    corpus = corpus_of(tmp_path / "text")
    assert (len(corpus.train), len(corpus.valid)) == (90, 10)
    assert corpus.valid[:].tolist() == [1] * 10
    other = corpus_of(tmp_path / "text", valid_fraction=0.2)
    assert len(other.valid) == 20
    assert other.fingerprint != corpus.fingerprint


def test_a_separate_validation_text(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("abc" * 20)
    (tmp_path / "valid").write_text("bcd")
    corpus = corpus_of(tmp_path / "text", valid=str(tmp_path / "valid"))
    assert corpus.vocabulary.symbols == "abcd"
    assert len(corpus.train) == 60
    assert corpus.valid[:].tolist() == [1, 2, 3]
    (tmp_path / "valid").write_text("bcb")
    assert corpus_of(tmp_path / "text", valid=str(tmp_path / "valid")).fingerprint != corpus.fingerprint
    with pytest.raises(UsageError, match="--valid and --valid-fraction cannot be combined"):
        corpus_of(tmp_path / "text", valid=str(tmp_path / "valid"), valid_fraction=0.5)
    (tmp_path / "valid").write_text("b")
    with pytest.raises(CorpusError, match=r"valid has 1 character: too few for validation"):
        corpus_of(tmp_path / "text", valid=str(tmp_path / "valid"))


def test_tiny_texts(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("a" * 24)
    corpus = corpus_of(path)
    assert (len(corpus.train), len(corpus.valid)) == (21, 3)
    assert len(corpus_of(path, valid_fraction=0.001).valid) == 2
    with pytest.raises(CorpusError, match="too few are left to learn from"):
        corpus_of(path, valid_fraction=0.9)
    path.write_text("a" * 23)
    with pytest.raises(CorpusError, match="has 23 characters: too few to learn from; give at least 24"):
        corpus_of(path)
    path.write_text("")
    with pytest.raises(CorpusError, match="is empty; give a text to learn from"):
        corpus_of(path)


def test_rare_characters_are_merged_and_told(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("aaaabbbccd" * 10 + "xyß")
    plain = corpus_of(path)
    assert plain.vocabulary.unknown is None
    assert plain.notes == ()
    corpus = corpus_of(path, min_count=2)
    assert corpus.vocabulary.symbols == "abcd\ufffd"
    assert corpus.vocabulary.unknown == 4
    assert text_of(corpus) == "aaaabbbccd" * 10 + "\ufffd" * 3
    assert corpus.notes == (
        "3 rare characters (3 times in the text, 2.91% of it) became U+FFFD, which is never generated",
    )
    assert corpus.fingerprint != plain.fingerprint
    fewest = corpus_of(path, max_vocab=3)
    assert fewest.vocabulary.symbols == "ab\ufffd"
    assert corpus_of(path, max_vocab=7).vocabulary.unknown is None
    with pytest.raises(CorpusError, match="no character occurs 1000 times"):
        corpus_of(path, min_count=1000)
    with pytest.raises(UsageError, match="--min-count and --max-vocab are for characters"):
        corpus_of(path, min_count=2, tokens="byte")


@given(text=st.text(st.sampled_from("abcdeß語\ufffd"), min_size=40), least=st.integers(1, 8), most=st.integers(2, 9))
def test_merging_keeps_the_most_frequent(
    tmp_path_factory: pytest.TempPathFactory, text: str, least: int, most: int
) -> None:
    path = tmp_path_factory.mktemp("text") / "text"
    text += "a" * 8
    path.write_text(text, encoding="utf-8")
    corpus = corpus_of(path, min_count=least, max_vocab=most)
    assert len(corpus.vocabulary) <= most
    kept = {symbol for symbol in corpus.vocabulary.symbols if symbol != "\ufffd"}
    assert text_of(corpus) == "".join(symbol if symbol in kept else "\ufffd" for symbol in text)
    left = set(text) - kept - {"\ufffd"}
    assert bool(left) is (corpus.vocabulary.unknown is not None)
    assert all(text.count(symbol) >= least for symbol in kept)
    frequent = {symbol for symbol in left if text.count(symbol) >= least}
    assert all(text.count(a) <= text.count(b) for a in frequent for b in kept)


def test_another_process_maps_a_text_on_disk_instead_of_getting_a_copy(tmp_path: Path) -> None:
    (tmp_path / "ascii.txt").write_text("abcd\n" * 2000)
    (tmp_path / "wide.txt").write_text("äbcd\n" * 2000)
    for name in ("ascii.txt", "wide.txt"):  # the one lies in its own file, the other in one without a name
        corpus = read_corpus([tmp_path / name], in_memory=100)
        sent = pickle.dumps(corpus)
        again = pickle.loads(sent)  # noqa: S301 - our own
        assert len(sent) < 3000
        np.testing.assert_array_equal(again.train[:], corpus.train[:])
        np.testing.assert_array_equal(again.valid[:], corpus.valid[:])
