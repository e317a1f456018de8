import gzip
import lzma
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.text.baselines import measure_baselines, ngram_nats


def naive_nats(text: str, begin: int, order: int) -> list[float]:
    """The n-gram model, one context of one character at a time."""
    counts: list[defaultdict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(order)]
    nats = []
    for place, character in enumerate(text):
        probability = 1 / len(set(text))
        contexts = [text[place - length : place] for length in range(min(order, place + 1))]
        for table, context in zip(counts, contexts, strict=False):
            seen = table[context]
            if seen:
                total, different = sum(seen.values()), len(seen)
                probability = (seen[character] + different * probability) / (total + different)
        if place >= begin:
            nats.append(-math.log(probability))
        for table, context in zip(counts, contexts, strict=False):
            table[context][character] += 1
    return nats


@given(st.text("abc", min_size=1, max_size=60), st.integers(0, 59))
def test_ngrams_equal_a_naive_model(text: str, begin: int) -> None:
    begin %= len(text)
    codes = np.array([ord(each) for each in text], dtype=np.int64)
    for order, nats in enumerate(ngram_nats(codes, begin, 5), 1):
        np.testing.assert_allclose(nats, naive_nats(text, begin, order), rtol=1e-12)


@given(st.text("ab", max_size=12), st.integers(1, 4))
def test_the_probabilities_of_what_may_follow_sum_to_one(text: str, order: int) -> None:
    total = 0.0
    for character in "abz":
        codes = np.array([ord(each) for each in "abz" + text + character], dtype=np.int64)
        total += math.exp(-list(ngram_nats(codes, len(codes) - 1, order))[-1][0])
    assert total == pytest.approx(1.0)


def test_a_text_known_before_costs_little() -> None:
    text = "the quick brown fox jumps over the lazy dog\n" * 3
    alone, after = measure_baselines(text), measure_baselines(text, text)
    assert alone.chars == after.chars == len(text)
    assert after.gzip < alone.gzip
    assert after.xz < alone.xz
    assert after.ngram < alone.ngram / 3
    assert 1 <= after.order <= 12


def test_compressors_count_the_bytes_of_the_programs_that_everyone_has() -> None:
    text = " ".join(str(number**3) for number in range(3000))
    measured = measure_baselines(text)
    assert measured.gzip == pytest.approx(8 * len(gzip.compress(text.encode())) / len(text), rel=0.02)
    assert measured.xz == pytest.approx(8 * len(lzma.compress(text.encode())) / len(text), rel=0.02)


def test_bytes_and_characters_outside_the_alphabet_count_too() -> None:
    assert measure_baselines(b"\xff\x00" * 50).chars == 100
    assert measure_baselines("é\udc80", "é").chars == 2
