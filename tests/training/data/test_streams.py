import json
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from charrnn.training.data.streams import LINE_SEARCH, Streams

TEXT = np.arange(100, dtype=np.int32)


class Batch(NamedTuple):
    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    restarted: NDArray[np.bool_]
    chars: int


def next_batch(streams: Streams, length: int) -> Batch:
    places = streams.next_positions(length)
    window = streams.window(places.at, length)
    return Batch(window[:-1], window[1:], places.restarted, places.chars)


def test_each_stream_sees_exactly_its_characters_in_order_and_goes_round() -> None:
    streams = Streams(TEXT, 3, restart=0.0, seed=0)
    seen = [next_batch(streams, 7) for _ in range(40)]
    for stream, start in enumerate([0, 33, 66]):
        inputs = np.concatenate([batch.inputs[:, stream] for batch in seen])
        targets = np.concatenate([batch.targets[:, stream] for batch in seen])
        np.testing.assert_array_equal(inputs, (start + np.arange(280)) % 100)
        np.testing.assert_array_equal(targets, (start + 1 + np.arange(280)) % 100)


def test_all_streams_begin_anew_and_then_carry_on() -> None:
    streams = Streams(TEXT, 4, restart=0.0, seed=0)
    assert next_batch(streams, 5).restarted.all()
    assert not next_batch(streams, 5).restarted.any()


@given(st.integers(1, 6), st.lists(st.integers(1, 12), min_size=2, max_size=8), st.integers(0, 5))
def test_a_stream_that_does_not_restart_goes_on_where_it_stopped(batch: int, lengths: list[int], seed: int) -> None:
    streams = Streams(TEXT, batch, restart=0.3, seed=seed)
    before = next_batch(streams, lengths[0])
    for length in lengths[1:]:
        after = next_batch(streams, length)
        assert after.inputs.shape == after.targets.shape == (length, batch)
        np.testing.assert_array_equal((after.inputs + 1) % 100, after.targets)
        carried = ~after.restarted
        np.testing.assert_array_equal(after.inputs[0, carried], before.targets[-1, carried])
        assert after.chars == length * batch + after.restarted.sum()
        before = after


def test_restarts_are_as_frequent_as_asked() -> None:
    streams = Streams(TEXT, 50, restart=0.1, seed=1)
    next_batch(streams, 1)
    restarted = sum(int(next_batch(streams, 1).restarted.sum()) for _ in range(400))
    assert restarted == pytest.approx(2000, rel=0.1)


def test_all_of_the_text_is_read_equally_often() -> None:
    streams = Streams(np.zeros(6000, dtype=np.int32), 6, restart=0.05, seed=2)
    counts = np.zeros(6000, dtype=int)
    for _ in range(600):  # three times
        np.add.at(counts, (streams.next_positions(5).at[:, None] + np.arange(5)).ravel() % 6000, 1)
    assert (counts == 3).all()


@pytest.mark.parametrize("steps", [300, 345])
def test_the_last_stream_ends_where_the_text_ends(steps: int) -> None:
    streams = Streams(np.zeros(6000, dtype=np.int32), 6, restart=0.05, seed=2)
    for step in range(steps):
        streams.next_positions(7, 7.0 * (steps - step) if step > 20 else None)
    np.testing.assert_array_equal(np.sort(streams.positions), np.arange(6) * 1000)


@pytest.mark.parametrize("seed", range(5))
def test_streams_stay_apart_while_the_estimate_of_the_end_changes(seed: int) -> None:
    streams, noise = Streams(np.zeros(6000, dtype=np.int32), 6, restart=0.05, seed=seed), np.random.default_rng(seed)
    for step in range(600):
        error = 1.0 + 0.3 * noise.standard_normal() * (1 - step / 500) if step < 500 else 1.0
        streams.next_positions(7, 7.0 * (600 - step) * max(0.1, error))
    np.testing.assert_array_equal(np.sort(streams.positions), np.arange(6) * 1000)


def test_a_restart_prefers_the_place_after_a_line_s_end() -> None:
    text = np.ones(4 * LINE_SEARCH, dtype=np.int32)
    text[:: LINE_SEARCH // 2] = 0
    streams = Streams(text, 20, restart=1.0, seed=0, line_end=0)
    starts = next_batch(streams, 1)
    assert (text[(streams.positions - 2) % len(text)] == 0).all()
    assert starts.restarted.all()


def test_a_restored_stream_goes_on_as_if_nothing_had_happened() -> None:
    one, other = (Streams(TEXT, 5, restart=0.2, seed=4) for _ in range(2))
    for _ in range(10):
        next_batch(one, 3)
    other.set_state(json.loads(json.dumps(one.get_state())))
    for _ in range(10):
        a, b = next_batch(one, 3), next_batch(other, 3)
        np.testing.assert_array_equal(a.inputs, b.inputs)
        np.testing.assert_array_equal(a.restarted, b.restarted)
