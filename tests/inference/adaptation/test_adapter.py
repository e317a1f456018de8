"""A network that learns from what it reads, held against a naive loop in double precision."""

import numpy as np
import pytest
from numpy.typing import NDArray

from charrnn.inference.adaptation import adapter as module
from charrnn.inference.adaptation.adapter import AVERAGING, DECAY, EPSILON, RATE, SEGMENT, Adapter
from charrnn.inference.adaptation.gradients import Weights
from charrnn.inference.network.language import Network
from charrnn.inference.scoring.texts import score_ids
from tests.inference.adaptation.reference import differentiate, draw_ids, make_network

CELLS = pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])


def read_naively(network: Network, ids: NDArray[np.int32]) -> tuple[list[float], Weights]:
    """The nats of all ids but the first, and the weights after them: the formulas of the module, segment by segment."""
    trained: Weights = {name: t for name, t in network.tensors.items() if name not in network.config.initial_states}
    weights = {name: tensor.copy() for name, tensor in trained.items()}
    squares: Weights = {name: np.zeros_like(tensor) for name, tensor in trained.items()}
    state, nats = network.initial_state(), []
    for number, begin in enumerate(range(0, len(ids) - 1, SEGMENT), 1):
        targets = ids[begin + 1 : begin + 1 + SEGMENT]
        inputs = ids[begin : begin + len(targets)]
        losses, gradient = differentiate(network.config, weights, inputs, targets, np.ones(len(targets)), state)
        nats += losses.tolist()
        squares = {name: AVERAGING * squares[name] + (1 - AVERAGING) * g**2 for name, g in gradient.items()}
        mean = {name: square / (1 - AVERAGING**number) for name, square in squares.items()}
        floor = EPSILON * np.sqrt(np.concatenate([m.ravel() for m in mean.values()]).mean())
        for name, g in gradient.items():
            stepped = weights[name] - RATE * g / (np.sqrt(mean[name]) + floor)
            weights[name] = stepped + DECAY * (trained[name] - stepped)
    return nats, weights


@CELLS
@pytest.mark.parametrize("embedding_size", [0, 5])
def test_the_definition(cell: str, embedding_size: int) -> None:
    network, ids = make_network(cell, 2, embedding_size), draw_ids(5 * SEGMENT + 8)
    nats, weights = read_naively(network, ids)
    adapter = Adapter(network)
    assert adapter.read(ids)[1:] == pytest.approx(nats, abs=1e-9)
    adapted = adapter.to_network(carry_state=False)
    for name, weight in weights.items():
        assert adapted.tensors[name] == pytest.approx(weight, abs=1e-9), name


@CELLS
def test_a_segment_is_scored_before_it_is_learned(cell: str) -> None:
    network, ids = make_network(cell, dtype=np.float32), draw_ids(3 * SEGMENT)
    plain, adapted = score_ids(network, ids, streams=1), Adapter(network).read(ids)
    assert adapted[: SEGMENT + 1] == pytest.approx(plain[: SEGMENT + 1], abs=1e-5)
    assert np.abs(adapted - plain)[SEGMENT + 1 :].min() > 0
    changed = ids.copy()
    changed[2 * SEGMENT :] = 0  # what comes later changes nothing before it
    assert (Adapter(network).read(changed)[: 2 * SEGMENT] == adapted[: 2 * SEGMENT]).all()


@CELLS
def test_at_a_rate_of_zero_the_figures_are_the_plain_ones(cell: str) -> None:
    network, ids = make_network(cell, 2, dtype=np.float32), draw_ids(400)
    assert Adapter(network, rate=0).read(ids) == pytest.approx(score_ids(network, ids, streams=1), rel=1e-5, abs=1e-5)


def test_learning_helps_where_a_text_repeats_itself() -> None:
    network, ids = make_network("lstm", dtype=np.float32), np.tile(draw_ids(12), 200)
    plain, adapted = score_ids(network, ids, streams=1), Adapter(network).read(ids)
    assert adapted[-500:].mean() < plain[-500:].mean() - 0.1


def test_the_network_itself_stays_as_it_was() -> None:
    network = make_network("lstm", dtype=np.float32)
    before = {name: tensor.copy() for name, tensor in network.tensors.items()}
    Adapter(network).read(draw_ids(100))
    assert all((network.tensors[name] == tensor).all() for name, tensor in before.items())


def test_a_text_in_parts_is_learned_from_in_the_same_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    learn = Adapter._learn

    def count(adapter: Adapter) -> None:
        steps.append(adapter._waiting)
        learn(adapter)

    monkeypatch.setattr(Adapter, "_learn", count)
    ids, adapter = draw_ids(6 * SEGMENT + 1), Adapter(make_network("gru"))
    parts = [adapter.read(part) for part in np.split(ids, [1, 8, 9, 70, 71])]
    assert sum(map(len, parts)) == len(ids)
    assert steps == [SEGMENT] * 6
    # No state is lost between parts: until the first step, the cuts change nothing.
    assert np.concatenate(parts)[:SEGMENT] == pytest.approx(Adapter(make_network("gru")).read(ids)[:SEGMENT], abs=1e-12)
    assert len(adapter.read(ids[:0])) == 0


def test_tokens_that_do_not_count_are_read_but_not_learned() -> None:
    network, ids = make_network("lstm"), draw_ids(4 * SEGMENT)
    adapter = Adapter(network)
    nats = adapter.read(ids, np.zeros(len(ids), dtype=np.bool_))
    assert nats == pytest.approx(Adapter(network, rate=0).read(ids), abs=1e-12)
    assert (adapter.to_network(carry_state=False).tensors["decoder.weight"] == network.tensors["decoder.weight"]).all()


def test_another_text_begins_from_the_initial_state() -> None:
    network, ids = make_network("lstm"), draw_ids(SEGMENT // 2)
    adapter = Adapter(network)
    first = adapter.read(ids)
    adapter.restart()
    assert adapter.read(ids)[:3] == pytest.approx(first[:3], abs=1e-12)  # nothing was learned yet


def test_the_adapted_network_goes_on_where_the_text_ends() -> None:
    network, ids, more = make_network("gru"), draw_ids(3 * SEGMENT + 9), draw_ids(40, seed=5)
    adapter = Adapter(network)
    adapter.read(ids)
    going_on = adapter.to_network(carry_state=True)
    afresh = adapter.to_network(carry_state=False)
    assert (afresh.tensors["initial_hidden"] == network.tensors["initial_hidden"]).all()
    # The state was carried through weights that changed, so reading all again is close, not equal.
    state = afresh.initial_state()
    afresh.read(ids[:, None], state)
    assert going_on.initial_state().hidden == pytest.approx(state.hidden, abs=0.05)
    assert score_ids(going_on, more, streams=1)[0] != score_ids(afresh, more, streams=1)[0]


def test_a_network_of_another_label_shares_what_was_learned() -> None:
    network = make_network("lstm")
    shifted = network.tensors[module.FIRST_BIAS] + 0.5
    other = Network(network.config, network.tensors | {module.FIRST_BIAS: shifted})
    ids, adapter = draw_ids(30), Adapter(network, rate=0)
    adapter.restart(other)
    assert adapter.read(ids) == pytest.approx(Adapter(other, rate=0).read(ids), abs=1e-12)
    adapter.restart(network)
    assert adapter.read(ids) == pytest.approx(Adapter(network, rate=0).read(ids), abs=1e-12)


def test_a_gradient_that_overflows_teaches_nothing() -> None:
    network = make_network("rnn", 2, dtype=np.float32)
    huge = Network(network.config, network.tensors | {"decoder.weight": network.tensors["decoder.weight"] * 1e25})
    adapter, ids = Adapter(huge), draw_ids(3 * SEGMENT)
    plain = score_ids(huge, ids, streams=1)
    assert np.isfinite(plain).all()
    assert adapter.read(ids) == pytest.approx(plain, rel=1e-3)
    assert all(np.isfinite(tensor).all() for tensor in adapter.to_network(carry_state=True).tensors.values())
