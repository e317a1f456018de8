import tracemalloc
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.text import novelty
from charrnn.text.novelty import Comparison, Novelty

TEXTS = st.text("ab\né", max_size=60)


def compare(text: str, pieces: list[str], span: int) -> Novelty:
    comparison = Comparison(text, span)
    done = list(comparison.read(pieces))
    assert not done or done[-1] == sum(map(len, pieces))
    return comparison.result()


def naive(text: str, corpus: str, span: int) -> tuple[int, int]:
    """Longest shared span, characters in shared spans of `span` or more."""
    spans = [(i, j) for i in range(len(text)) for j in range(i + 1, len(text) + 1) if text[i:j] in corpus]
    inside = {place for i, j in spans if j - i >= span for place in range(i, j)}
    return max((j - i for i, j in spans), default=0), len(inside)


@settings(max_examples=60)
@given(TEXTS.filter(bool), st.lists(TEXTS, max_size=4), st.integers(2, 8))
def test_as_a_search_for_every_span_finds(text: str, pieces: list[str], span: int) -> None:
    found, corpus = compare(text, pieces, span), "".join(pieces)
    assert (found.longest, found.copied) == naive(text, corpus, span)
    assert found.span in corpus
    assert len(found.span) == found.longest
    lines = [line for line in text.split("\n") if line.strip()]
    assert found.lines == len(lines)
    assert found.lines_copied == sum(line in corpus.split("\n") for line in lines)
    assert found.lines_repeated == len(lines) - len(set(lines))


def test_blocks_do_not_cut_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(novelty, "BLOCK", 50)
    monkeypatch.setattr(novelty, "MAX_SPAN", 30)
    corpus = "".join(chr(0x4E00 + number) for number in range(500))
    for start in range(0, 470, 7):
        found = compare("x" + corpus[start : start + 20] + "y", [corpus], 20)
        assert (found.longest, found.copied) == (20, 20)
    assert compare(corpus[100:200], [corpus[:123], corpus[123:]], 20).longest == 30  # at most MOST


def test_new_lines_come_once_in_order() -> None:
    comparison = Comparison("b\na\nc\n\nb\n", 2)
    list(comparison.read(["a", "a\na", "\n"]))
    assert list(comparison.new_lines()) == ["b", "c"]


def test_lines_across_pieces_and_an_endless_one() -> None:
    comparison = Comparison("abc\nlonger line\nabc\n", 2)
    corpus = ["x" * 99, "y\na", "b", "c\n" + "z" * 50, "", "longer", " line\nlonger ", "line"]
    deque(comparison._match_lines(corpus), maxlen=0)
    assert list(comparison.new_lines()) == []
    assert comparison.result().lines_copied == 3


def test_a_corpus_without_line_ends_takes_no_memory() -> None:
    comparison = Comparison("abc\n", 2)
    tracemalloc.start()
    deque(comparison._match_lines("x" * 2**16 for _ in range(200)), maxlen=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
