"""Hashed n-grams: the same for a text wherever it stands, and as many as counted one by one."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.text import ngrams
from charrnn.text.ngrams import CHARACTERS, NgramCounts, count_ngrams


def count_characters(text: str) -> list[int]:
    padded = f" {text} "
    sizes = range(1, CHARACTERS + 1)
    return sorted(Counter(padded[i : i + n] for n in sizes for i in range(len(padded) - n + 1)).values())


def get_parts(counts: NgramCounts) -> list[tuple[list[int], list[float]]]:
    groups = itertools.pairwise([0, *counts.ends.tolist()])
    return [(counts.hashes[begin:end].tolist(), counts.counts[begin:end].tolist()) for begin, end in groups]


@given(st.lists(st.text(max_size=30), max_size=5))
def test_each_n_gram_of_characters_counts_as_often_as_it_stands_there(texts: list[str]) -> None:
    counts = count_ngrams(texts, 1)
    assert len(counts) == len(texts)
    assert [sorted(found) for _, found in get_parts(counts)] == [count_characters(text) for text in texts]


def test_words_count_without_their_case_and_in_pairs() -> None:
    counts = count_ngrams(["Go on, go ON!", "go on", "on go"], 2)
    _, (many, times), _, (two, _), _, (turned, _) = get_parts(counts)
    assert sorted(times) == [1, 1, 1, 1, 1, 2, 2, 2]  # go, on, `,`, `!`; `go on` twice, `on ,` `, go` `on !`
    assert set(two) < set(many)
    assert len(set(two) & set(turned)) == 2  # the words, and not their pair


@given(st.lists(st.text("abC ", max_size=30), max_size=5))
def test_n_grams_within_words_have_no_space_but_at_their_ends(texts: list[str]) -> None:
    def count(text: str) -> list[int]:
        padded = f" {' '.join(text.lower().split())} "
        parts = [padded[i : i + n] for n in range(2, CHARACTERS + 1) for i in range(len(padded) - n + 1)]
        return sorted(Counter(part for part in parts if " " not in part[1:-1]).values())

    counts = count_ngrams(texts)
    assert [sorted(found) for _, found in get_parts(counts)[2::3]] == [count(text) for text in texts]


def test_a_text_has_the_same_n_grams_alone_among_others_and_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Größe 9", "", "日本の text", "a" * 50]
    together = get_parts(count_ngrams(texts))
    assert together == [part for text in texts for part in get_parts(count_ngrams([text]))]
    assert together == get_parts(count_ngrams([text.encode() for text in texts]))
    monkeypatch.setattr(ngrams, "CHUNK", 1)
    assert together == get_parts(count_ngrams(texts))


def mix(number: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        number = (number ^ number >> 33) * factor % 2**64
    return number ^ number >> 33


def hash_part(part: str, salt: int) -> int:
    return mix((sum(mix(ord(code) + 1) * 0x9E3779B97F4A7C15**i for i, code in enumerate(part)) + salt) % 2**64)


def test_hashes_are_those_of_the_documentation() -> None:
    padded = " Ü 2 "
    characters = [hash_part(padded[i : i + n], n) for n in range(1, 6) for i in range(len(padded) - n + 1)]
    words = [hash_part(word, 6) for word in ("ü", "2")]
    words.append(mix((words[0] * 0x9E3779B97F4A7C15 + words[1]) % 2**64))
    within = [hash_part(part, 6 + len(part)) for part in (" ü", "ü ", " 2", "2 ", " ü ", " 2 ")]
    expected = [sorted({each >> 32 for each in kind}) for kind in (characters, words, within)]
    assert [hashes for hashes, _ in get_parts(count_ngrams(["Ü 2"]))] == expected


def test_texts_can_be_selected_and_joined_and_left_with_fewer_kinds() -> None:
    texts = ["one two", "three", "four five six"]
    counts = count_ngrams(texts)
    assert get_parts(counts.select(np.array([2, 0]))) == get_parts(count_ngrams([texts[2], texts[0]]))
    assert get_parts(count_ngrams(texts[:1]).join(count_ngrams(texts[1:]))) == get_parts(counts)
    for kinds in (1, 2):
        assert get_parts(counts.first_kinds(kinds)) == get_parts(count_ngrams(texts, kinds))


def test_known_n_grams_have_values_with_a_norm_of_one_for_each_kind() -> None:
    counts = count_ngrams(["one two two", "", "xyz on"])
    hashes = np.unique(count_ngrams(["one two", "on . .."]).hashes)
    idf = np.random.default_rng(0).uniform(1, 3, len(hashes)).astype(np.float32)
    known = counts.match(hashes)
    values, begin = known.weigh(idf), 0
    for (every, times), end in zip(get_parts(counts), known.ends.tolist(), strict=True):
        kept = [number for number, hashed in enumerate(every) if hashed in hashes]
        assert hashes[known.columns[begin:end]].tolist() == [every[number] for number in kept]
        assert known.counts[begin:end].tolist() == [times[number] for number in kept]
        expected = (1 + np.log(known.counts[begin:end])) * idf[known.columns[begin:end]]
        np.testing.assert_allclose(values[begin:end], expected / max(float(np.linalg.norm(expected)), 1e-9), rtol=1e-5)
        begin = end
    assert len(set(known.ends[-3:].tolist())) == 3  # the last text has some of each kind
    assert not len(counts.match(hashes[:0]).weigh(idf))


def test_only_the_beginning_of_a_long_text_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "LONGEST", 5)
    assert get_parts(count_ngrams(["12345678"])) == get_parts(count_ngrams(["12345"]))
