"""Texts cut into words, and back."""

import json
import math
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import CorpusError, ModelFileError
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.settings import TextSettings
from charrnn.text.vocabulary import vocabulary_from_json
from charrnn.text.vocabulary.base import UNKNOWN
from charrnn.text.vocabulary.counting import WordCounter
from charrnn.text.vocabulary.words import LONGEST, WordVocabulary, find_unfinished, split_pieces, split_words, to_array

split_words("")  # the pattern is made once, which takes longer than Hypothesis allows a test
TRICKY = st.text(alphabet="ab'\u2019 \n\t-.=,_9é\u0301你ไ\0", max_size=40)


@given(text=st.one_of(st.text(), TRICKY))
def test_the_tokens_of_any_text_are_the_text(text: str) -> None:
    assert "".join(split_words(text)) == text


@given(text=TRICKY, cuts=st.lists(st.integers(0, 40)))
def test_a_text_in_pieces_has_the_same_tokens(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]
    assert [token for piece in split_pieces(pieces) for token in piece] == split_words(text)


@given(text=TRICKY)
def test_the_tokens_of_a_text_are_those_of_its_lines(text: str) -> None:
    lines = text.split("\n")
    ended = [line + "\n" for line in lines[:-1]] + lines[-1:]
    assert split_words(text) == [token for line in ended for token in split_words(line)]


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_of_known_words_comes_back(text: str) -> None:
    vocabulary = WordVocabulary(dict.fromkeys(split_words(text)))
    assert vocabulary.decode(vocabulary.encode(text)) == text.encode()
    again = vocabulary_from_json(vocabulary.to_json(), len(vocabulary))
    assert again.symbols == vocabulary.symbols
    assert int(vocabulary.lengths[vocabulary.encode(text)].sum()) == len(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't go -- not  now!\n\n", ["Don't", " go", " ", "--", " not", "  ", "now", "!", "\n", "\n"]),
        ("if x:\n    y = 3.14", ["if", " x", ":", "\n", "    ", "y", " ", "=", " 3", ".", "14"]),
        ("rock'n'roll 'tis boys'", ["rock'n'roll", " ", "'", "tis", " boys", "'"]),
        ("किताब अच्छी", ["किताब", " अच्छी"]),
        ("吾輩は", ["吾", "輩", "は"]),
        ("a" * (LONGEST + 3), ["a" * LONGEST, "aaa"]),
    ],
)
def test_what_a_token_is(text: str, tokens: list[str]) -> None:
    assert split_words(text) == tokens


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("the qui", " qui"),
        ("the ", " "),
        ("don'", "don'"),
        ("go --", "--"),
        ("stop.", "."),
        ("stop,", ""),
        ("x\n", ""),
        ("", ""),
    ],
)
def test_what_may_still_grow(text: str, end: str) -> None:
    assert find_unfinished(split_words(text)) == end


def corpus_of(path: Path, text: str, **settings: Any) -> Corpus:
    path.write_text(text, encoding="utf-8")
    return read_corpus([path], TextSettings(tokens="word", **settings))


def test_a_corpus_of_words(tmp_path: Path) -> None:
    text = "a rose is a rose is a rose\n" * 9
    corpus = corpus_of(tmp_path / "text", text)
    assert corpus.vocabulary.symbols[:3] == [" rose", " is", " a"]
    assert corpus.vocabulary.unknown is None
    ids = [*corpus.train, *corpus.valid]
    assert corpus.vocabulary.decode(ids) == text.encode()
    assert len(corpus.valid) == 9


def test_rare_words_become_one(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "text", "a rose is a rose is a rose\n" * 9 + " once", max_vocab=4)
    assert corpus.vocabulary.symbols == [" rose", " is", " a", "\ufffd"]
    assert corpus.vocabulary.never_generated == [3]
    assert corpus.valid[-1] == corpus.train[0] == 3
    assert "3 rare words (19 times in the text, 23.17% of it) became U+FFFD" in corpus.notes[-1]
    assert corpus_of(tmp_path / "text", "to be\n" * 9 + " once", min_count=2).vocabulary.symbols[-1] == "\ufffd"
    with pytest.raises(CorpusError, match="no token occurs 99 times"):
        corpus_of(tmp_path / "text", "to be\n" * 20, min_count=99)


def test_words_that_come_too_late_are_rare() -> None:
    counter = WordCounter(most=2)
    assert counter.add(to_array(["a", "b", "c", "a", "\ufffd"])).tolist() == [1, 2, 0, 1, 0]
    vocabulary, table, notes = counter.build()
    assert vocabulary.symbols == ["a", "b", "\ufffd"]
    assert table.tolist() == [2, 0, 1]
    assert "more than 0 rare words (2 times" in notes[0]


def test_a_large_corpus_of_words_stays_on_disk(tmp_path: Path) -> None:
    line = " ".join(f"word{number}" for number in range(200)) + "\n"
    path = tmp_path / "text"
    path.write_text(line * 2000, encoding="ascii")  # 3 MB
    tracemalloc.start()
    try:
        corpus = read_corpus([path], TextSettings(tokens="word"), in_memory=2**16)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(corpus.train) + len(corpus.valid) == 201 * 2000
    assert peak < 60e6  # a piece of a million characters, whatever the text's size


def test_unknown_words() -> None:
    vocabulary = WordVocabulary(["a", " b"])
    assert vocabulary.encode("a b c").tolist() == [0, 1, UNKNOWN]
    assert vocabulary.describe_unknown(vocabulary.tokenize("a zig zag")) == "'zig', 'zag'"
    marked = vocabulary.with_marks()
    assert marked.symbols == ["a", " b", "\ufffd", "\0"]
    assert (marked.unknown, marked.end) == (2, 3)
    assert marked.union(WordVocabulary(["a", "c"])).symbols == ["a", " b", "\ufffd", "\0", "c"]
    assert vocabulary_from_json(marked.to_json(), 4).to_json() == marked.to_json()


@pytest.mark.parametrize(
    ("symbols", "marks"),
    [("ab", {}), (["a", "a"], {}), (["a", ""], {}), (["a", 3], {}), (["a"], {}), (["a", "\ud800"], {}),
     ([["a"], "b"], {}),
     (["a", "b"], {"unknown": 1}), (["a", "\ufffd"], {"unknown": True}), (["a", "\0"], {"end": 0})],
)  # fmt: skip
def test_a_damaged_vocabulary_is_refused(symbols: Any, marks: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError, match="the model's vocabulary is damaged"):
        vocabulary_from_json({"tokens": "word", "symbols": symbols, **marks}, 2)


def test_words_of_any_script_are_numbered_as_they_come() -> None:
    counter = WordCounter()
    text = "ein Wort, ein Wort"
    numbers = counter.add(to_array(split_words(text)))
    vocabulary, table, _ = counter.build()
    assert vocabulary.decode(table[numbers]) == text.encode()
    assert table.dtype == np.int32


def test_what_merging_loses_is_on_record() -> None:
    counter = WordCounter()
    counter.add(WordVocabulary.tokenize("an an an old owl"))
    vocabulary, _, _ = counter.build(max_vocab=3)
    assert vocabulary.merged is not None
    assert vocabulary.characters == len(set("an old owl"))
    assert vocabulary.merged.length == 4  # of " old" and " owl"
    again = vocabulary_from_json(json.loads(json.dumps(vocabulary.to_json())), len(vocabulary))
    assert again.merged == vocabulary.merged
    assert vocabulary.with_marks().merged == vocabulary.merged
    union = vocabulary.union(WordVocabulary(["xyz"]))
    assert (union.characters, union.merged and union.merged.length) == (len(set("an old owl")), 4)


def test_a_vocabulary_without_a_record_counts_the_characters_of_its_symbols() -> None:
    vocabulary = WordVocabulary(["an", " an", "\ufffd"], unknown=2)
    assert vocabulary.characters == 3
    assert vocabulary.unknown_nats == pytest.approx(math.log(3))


@pytest.mark.parametrize(
    "merged", [7, {}, {"characters": 0, "length": 1.0}, {"characters": 5, "length": float("nan")}, {"characters": 5}]
)
def test_a_damaged_record_of_merged_words_is_refused(merged: Any) -> None:
    description = {"tokens": "word", "symbols": ["a", "\ufffd"], "unknown": 1, "merged": merged}
    with pytest.raises(ModelFileError, match="damaged: its entry for merged tokens"):
        vocabulary_from_json(description, 2)
