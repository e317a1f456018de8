"""Hashed n-grams: the same for a text wherever it stands, and as many as counted one by one."""

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
    groups = zip(counts.begins.tolist(), counts.ends.tolist(), strict=True)
    return [(counts.buckets[begin:end].tolist(), counts.counts[begin:end].tolist()) for begin, end in groups]


@given(st.lists(st.text(max_size=30), max_size=5))
def test_each_n_gram_of_characters_counts_as_often_as_it_stands_there(texts: list[str]) -> None:
    counts = count_ngrams(texts, 30, words=False)
    assert len(counts) == len(texts)
    assert [sorted(found) for _, found in get_parts(counts)] == [count_characters(text) for text in texts]


def test_words_count_without_their_case_and_in_pairs() -> None:
    counts = count_ngrams(["Go on, go ON!", "go on", "on go"], 30)
    _, (many, times), _, (two, _), _, (turned, _) = get_parts(counts)
    assert sorted(times) == [1, 1, 1, 1, 1, 2, 2, 2]  # go, on, `,`, `!`; `go on` twice, `on ,` `, go` `on !`
    assert set(two) < set(many)
    assert len(set(two) & set(turned)) == 2  # the words, and not their pair


def test_a_text_has_the_same_n_grams_alone_among_others_and_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Größe 9", "", "日本の text", "a" * 50]
    together = get_parts(count_ngrams(texts, 20))
    assert together == [part for text in texts for part in get_parts(count_ngrams([text], 20))]
    assert together == get_parts(count_ngrams([text.encode() for text in texts], 20))
    monkeypatch.setattr(ngrams, "CHUNK", 1)
    assert together == get_parts(count_ngrams(texts, 20))


def mix(number: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        number = (number ^ number >> 33) * factor % 2**64
    return number ^ number >> 33


def hash_part(part: str, salt: int) -> int:
    return mix((sum(mix(ord(code) + 1) * 0x9E3779B97F4A7C15**i for i, code in enumerate(part)) + salt) % 2**64)


def test_hashes_are_those_of_the_documentation() -> None:
    text, bits = "Ü 2", 16
    padded = f" {text} "
    hashes = [hash_part(padded[i : i + n], n) for n in range(1, 6) for i in range(len(padded) - n + 1)]
    words = [hash_part(word, 6) for word in ("ü", "2")]
    words.append(mix((words[0] * 0x9E3779B97F4A7C15 + words[1]) % 2**64))
    expected = [sorted({each >> 64 - bits for each in kind}) for kind in (hashes, words)]
    assert [buckets for buckets, _ in get_parts(count_ngrams([text], bits))] == expected


def test_texts_can_be_selected_and_joined_and_left_without_words() -> None:
    texts = ["one two", "three", "four five six"]
    counts = count_ngrams(texts, 20)
    assert get_parts(counts.select(np.array([2, 0]))) == get_parts(count_ngrams([texts[2], texts[0]], 20))
    assert get_parts(count_ngrams(texts[:1], 20).join(count_ngrams(texts[1:], 20))) == get_parts(counts)
    assert get_parts(counts.without_words()) == get_parts(count_ngrams(texts, 20, words=False))


def test_features_of_each_kind_have_a_norm_of_one() -> None:
    counts = count_ngrams(["one two two", "..."], 20)
    idf = np.random.default_rng(0).uniform(1, 3, 1 << 20).astype(np.float32)
    values = counts.weigh(idf)
    for begin, end in zip(counts.begins.tolist(), counts.ends.tolist(), strict=True):
        assert np.linalg.norm(values[begin:end]) == pytest.approx(1, abs=1e-5)
        expected = (1 + np.log(counts.counts[begin:end])) * idf[counts.buckets[begin:end]]
        np.testing.assert_allclose(values[begin:end], expected / np.linalg.norm(expected), rtol=1e-5)
    assert count_ngrams(["  "], 20).weigh(np.zeros(1 << 20, dtype=np.float32)).tolist() == [0] * 4


def test_only_the_beginning_of_a_long_text_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "LONGEST", 5)
    assert get_parts(count_ngrams(["12345678"], 20)) == get_parts(count_ngrams(["12345"], 20))
