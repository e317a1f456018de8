import json
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from charrnn.training.data.readers import LINE_SEARCH, Readers

TEXT = np.arange(100, dtype=np.int32)


class Batch(NamedTuple):
    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    fresh: NDArray[np.bool_]
    chars: int


def next_batch(readers: Readers, length: int) -> Batch:
    places = readers.next_positions(length)
    window = readers.window(places.at, length)
    return Batch(window[:-1], window[1:], places.fresh, places.chars)


def test_each_reader_sees_exactly_its_characters_in_order_and_goes_round() -> None:
    readers = Readers(TEXT, 3, restart=0.0, seed=0)
    seen = [next_batch(readers, 7) for _ in range(40)]
    for reader, start in enumerate([0, 33, 66]):
        inputs = np.concatenate([batch.inputs[:, reader] for batch in seen])
        targets = np.concatenate([batch.targets[:, reader] for batch in seen])
        np.testing.assert_array_equal(inputs, (start + np.arange(280)) % 100)
        np.testing.assert_array_equal(targets, (start + 1 + np.arange(280)) % 100)


def test_all_readers_begin_fresh_and_then_carry_on() -> None:
    readers = Readers(TEXT, 4, restart=0.0, seed=0)
    assert next_batch(readers, 5).fresh.all()
    assert not next_batch(readers, 5).fresh.any()


@given(st.integers(1, 6), st.lists(st.integers(1, 12), min_size=2, max_size=8), st.integers(0, 5))
def test_a_reader_that_does_not_restart_goes_on_where_it_stopped(batch: int, lengths: list[int], seed: int) -> None:
    readers = Readers(TEXT, batch, restart=0.3, seed=seed)
    before = next_batch(readers, lengths[0])
    for length in lengths[1:]:
        after = next_batch(readers, length)
        assert after.inputs.shape == after.targets.shape == (length, batch)
        np.testing.assert_array_equal((after.inputs + 1) % 100, after.targets)
        carried = ~after.fresh
        np.testing.assert_array_equal(after.inputs[0, carried], before.targets[-1, carried])
        assert after.chars == length * batch + after.fresh.sum()
        before = after


def test_restarts_are_as_frequent_as_asked() -> None:
    readers = Readers(TEXT, 50, restart=0.1, seed=1)
    next_batch(readers, 1)
    fresh = sum(int(next_batch(readers, 1).fresh.sum()) for _ in range(400))
    assert fresh == pytest.approx(2000, rel=0.1)


def test_all_of_the_text_is_read_equally_often() -> None:
    readers = Readers(np.zeros(6000, dtype=np.int32), 6, restart=0.05, seed=2)
    counts = np.zeros(6000, dtype=int)
    for _ in range(600):  # three times
        np.add.at(counts, (readers.next_positions(5).at[:, None] + np.arange(5)).ravel() % 6000, 1)
    assert (counts == 3).all()


@pytest.mark.parametrize("steps", [300, 345])
def test_the_last_reader_ends_where_the_text_ends(steps: int) -> None:
    readers = Readers(np.zeros(6000, dtype=np.int32), 6, restart=0.05, seed=2)
    for step in range(steps):
        readers.next_positions(7, 7.0 * (steps - step) if step > 20 else None)
    np.testing.assert_array_equal(np.sort(readers.positions), np.arange(6) * 1000)


@pytest.mark.parametrize("seed", range(5))
def test_readers_stay_apart_while_the_estimate_of_the_end_changes(seed: int) -> None:
    readers, noise = Readers(np.zeros(6000, dtype=np.int32), 6, restart=0.05, seed=seed), np.random.default_rng(seed)
    for step in range(600):
        error = 1.0 + 0.3 * noise.standard_normal() * (1 - step / 500) if step < 500 else 1.0
        readers.next_positions(7, 7.0 * (600 - step) * max(0.1, error))
    np.testing.assert_array_equal(np.sort(readers.positions), np.arange(6) * 1000)


def test_a_restart_prefers_the_place_after_a_line_s_end() -> None:
    text = np.ones(4 * LINE_SEARCH, dtype=np.int32)
    text[:: LINE_SEARCH // 2] = 0
    readers = Readers(text, 20, restart=1.0, seed=0, line_end=0)
    starts = next_batch(readers, 1)
    assert (text[(readers.positions - 2) % len(text)] == 0).all()
    assert starts.fresh.all()


def test_a_restored_reader_goes_on_as_if_nothing_had_happened() -> None:
    one, other = (Readers(TEXT, 5, restart=0.2, seed=4) for _ in range(2))
    for _ in range(10):
        next_batch(one, 3)
    other.set_state(json.loads(json.dumps(one.get_state())))
    for _ in range(10):
        a, b = next_batch(one, 3), next_batch(other, 3)
        np.testing.assert_array_equal(a.inputs, b.inputs)
        np.testing.assert_array_equal(a.fresh, b.fresh)
