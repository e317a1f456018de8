import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.inference.generation.sampling import (
    Floats,
    Sampler,
    draw,
    log_softmax,
    min_p_threshold,
    softmax,
    top_k_threshold,
    top_p_threshold,
)

FOUR = np.log(np.array([[0.5, 0.25, 0.15, 0.1]], dtype=np.float32))


def list_kept(sampler: Sampler, logits: Floats = FOUR) -> list[int]:
    return np.flatnonzero(sampler.weights(logits)[0]).tolist()


def test_each_filter_on_four_numbers() -> None:
    assert list_kept(Sampler()) == [0, 1, 2, 3]
    assert list_kept(Sampler(top_k=2)) == [0, 1]
    assert list_kept(Sampler(top_k=9)) == [0, 1, 2, 3]
    assert list_kept(Sampler(top_p=0.5)) == [0]
    assert list_kept(Sampler(top_p=0.51)) == [0, 1]
    assert list_kept(Sampler(top_p=0.9)) == [0, 1, 2]
    assert list_kept(Sampler(top_p=1.0)) == [0, 1, 2, 3]
    assert list_kept(Sampler(min_p=0.29)) == [0, 1, 2]
    assert list_kept(Sampler(min_p=1.0)) == [0]


def test_filters_apply_in_their_documented_order() -> None:
    # Of the two that top-k leaves, the first has 2/3: enough for a top-p of 0.6, which alone would keep both.
    assert list_kept(Sampler(top_p=0.6)) == [0, 1]
    assert list_kept(Sampler(top_k=2, top_p=0.6)) == [0]
    # Temperature comes first: at 2 the likeliest has less than 0.45, so top-p needs another.
    assert list_kept(Sampler(temperature=1.0, top_p=0.45)) == [0]
    assert list_kept(Sampler(temperature=2.0, top_p=0.45)) == [0, 1]


def test_equally_likely_symbols_share_their_fate() -> None:
    weights = np.array([[0.2, 0.4, 0.2, 0.2]], dtype=np.float32)
    assert top_k_threshold(weights, 2) == np.float32(0.2)
    assert top_p_threshold(weights, 0.5) == np.float32(0.2)
    assert min_p_threshold(weights, 0.5) == np.float32(0.2)


def test_temperature_zero_is_the_likeliest() -> None:
    logits = np.random.default_rng(0).standard_normal((50, 30)).astype(np.float32)
    assert np.array_equal(Sampler(0.0).choose(logits, np.full(50, 0.999)), logits.argmax(axis=-1))


@pytest.mark.parametrize("size", [6, 600])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_match_the_softmax(temperature: float, size: int) -> None:
    """Chi-square: with 5 degrees of freedom, a sum above 20.5 has one chance in a thousand; the seed is fixed."""
    count = 20_000
    logits = np.full((1, size), -50.0, dtype=np.float32)
    places = np.linspace(0, size - 1, 6).astype(int)
    logits[0, places] = [1.0, 0.0, -0.5, 2.0, 0.3, -1.0]
    uniforms = np.random.default_rng(7).random(count)
    drawn = Sampler(temperature).choose(np.repeat(logits, count, axis=0), uniforms)
    expected = count * softmax(logits[0, places] / np.float32(temperature)).astype(np.float64)
    observed = np.array([(drawn == place).sum() for place in places])
    assert observed.sum() == count
    assert ((observed - expected) ** 2 / expected).sum() < 20.5


@given(
    size=st.integers(1, 40),
    rows=st.integers(1, 5),
    spread=st.floats(0, 200),
    temperature=st.floats(0, 100),
    top_k=st.none() | st.integers(1, 60),
    top_p=st.none() | st.floats(1e-9, 1),
    min_p=st.none() | st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_filters_leave_a_choice_and_rows_are_on_their_own(
    size: int,
    rows: int,
    spread: float,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
    seed: int,
) -> None:
    numbers = np.random.default_rng(seed)
    logits = (spread * numbers.standard_normal((rows, size))).astype(np.float32)
    uniforms = np.append(numbers.random(rows - 1), 1 - 2**-53)
    sampler = Sampler(temperature, top_k, top_p, min_p)
    chosen = sampler.choose(logits, uniforms)
    alone = [int(sampler.choose(logits[k, None], uniforms[k, None])[0]) for k in range(rows)]
    assert chosen.tolist() == alone
    if temperature >= 1e-4:
        weights = sampler.weights(logits)
        assert (weights.max(axis=-1) == 1).all()
        assert (weights[np.arange(rows), chosen] > 0).all()


def test_weights_of_zero_are_never_drawn() -> None:
    weights = np.zeros((1, 40), dtype=np.float32)
    weights[0, [3, 30]] = 1.0
    for uniform, wanted in ((0.0, 3), (0.4999, 3), (0.5, 30), (1 - 2**-53, 30)):
        assert draw(weights, np.array([uniform])).tolist() == [wanted]


def test_softmax_and_its_logarithm() -> None:
    found = softmax(np.array([[0.0, math.log(3.0)], [1000.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(found, [[0.25, 0.75], [1.0, 0.0]], rtol=1e-6)
    found = log_softmax(np.array([[0.0, math.log(3.0)], [1000.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(found, [[math.log(0.25), math.log(0.75)], [0.0, -1000.0]], rtol=1e-6)
