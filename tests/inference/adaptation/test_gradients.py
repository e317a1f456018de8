"""The loss and the gradient of a segment, held against PyTorch's in double precision."""

import numpy as np
import pytest

from charrnn.inference.adaptation.gradients import Segment
from tests.inference.adaptation.reference import differentiate, draw_ids, make_network


@pytest.mark.parametrize("embedding_size", [0, 5])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_gradient_of_a_segment(cell: str, layers: int, embedding_size: int) -> None:
    network = make_network(cell, layers, embedding_size)
    inputs, targets = draw_ids(20), draw_ids(20, seed=2)
    counted = np.random.default_rng(3).random(20) > 0.2
    state, same = network.initial_state(), network.initial_state()
    nats, expected = differentiate(network.config, network.tensors, inputs, targets, counted, same)

    segment = Segment(network.config, network.tensors, inputs, state)
    gradient = {name: np.full(network.tensors[name].shape, np.nan) for name in expected}
    segment.differentiate(targets, counted, gradient)

    assert -segment.log_probabilities[np.arange(20), targets] == pytest.approx(nats, abs=1e-12)
    assert set(expected) == set(network.tensors) - set(network.config.initial_states)
    for name, array in expected.items():
        assert gradient[name] == pytest.approx(array, abs=1e-12), name
    assert state.hidden == pytest.approx(same.hidden, abs=1e-12)
    if state.cell is not None:
        assert state.cell == pytest.approx(same.cell, abs=1e-12)


def test_the_weights_are_only_read() -> None:
    network = make_network("gru")
    before = {name: tensor.copy() for name, tensor in network.tensors.items()}
    segment = Segment(network.config, network.tensors, draw_ids(8), network.initial_state())
    segment.differentiate(draw_ids(8), np.ones(8, dtype=np.bool_), {n: np.zeros_like(t) for n, t in before.items()})
    assert all((network.tensors[name] == tensor).all() for name, tensor in before.items())
