"""A captured step against the same step call by call."""

import numpy as np
import pytest
import torch

from charrnn.model.config import GATES, ModelConfig
from charrnn.training.data.feeding import TextFeed
from charrnn.training.data.readers import Readers
from charrnn.training.devices.workers import Workers
from charrnn.training.network.base import detach
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_batch import LanguageBatch
from charrnn.training.network.language_graph import GraphedStep
from charrnn.training.network.language_objective import LanguageObjective
from charrnn.training.network.precision import full_precision
from charrnn.training.step import Gradients
from tests.devices import on_devices, on_gpu


def make_network(cell: str, dropout: float, weight_dropout: float, embedding: int, device: torch.device) -> CharRNN:
    torch.manual_seed(1)
    network = CharRNN(ModelConfig(cell, 2, 12, embedding, 9), dropout, weight_dropout).to(device).train()
    network.flatten()
    return network


def make_feed(device: torch.device) -> TextFeed:
    ids = np.random.default_rng(0).integers(0, 9, 900).astype(np.int32)
    return TextFeed(Readers(ids, 7, restart=0.3, seed=0), slice(0, 7), device)


@on_devices
@pytest.mark.parametrize(("dropout", "weight_dropout", "embedding"), [(0.0, 0.0, 0), (0.3, 0.0, 5), (0.3, 0.3, 5)])
@pytest.mark.parametrize("cell", GATES)
def test_it_has_the_loss_state_and_gradients_of_single_calls(
    cell: str, dropout: float, weight_dropout: float, embedding: int, device: torch.device
) -> None:
    network, feed = make_network(cell, dropout, weight_dropout, embedding, device), make_feed(device)
    objective, workers = LanguageObjective(network), Workers(7, None)
    objective._can_capture = False
    plain = Gradients(objective, workers)
    state, graphed = detach(network.initial_state(7)), None
    with full_precision():
        for _ in range(4):  # each with other characters, states, masks and starting readers
            batch = LanguageBatch.from_window(feed.next(8), state, network.draw_masks(7))
            graphed = graphed or GraphedStep(network, torch.float32, batch)
            assert graphed.fits(batch)
            nats, after = (part if isinstance(part, tuple) else part.clone() for part in graphed.compute(batch))
            found = [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]
            expected, state = plain._compute_in_shares(batch)
            torch.testing.assert_close(nats, expected, rtol=1e-5, atol=1e-5)
            for a, b in zip(after, state, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
            for gradient, parameter in zip(found, network.parameters(), strict=True):
                torch.testing.assert_close(gradient, parameter.grad, rtol=1e-3, atol=1e-5)


@on_devices
def test_another_shape_does_not_fit(device: torch.device) -> None:
    network, feed = make_network("lstm", 0.0, 0.0, 5, device), make_feed(device)
    state = detach(network.initial_state(7))
    step = GraphedStep(network, torch.float32, LanguageBatch.from_window(feed.next(8), state, network.draw_masks(7)))
    assert not step.fits(LanguageBatch.from_window(feed.next(9), state, network.draw_masks(7)))


@on_gpu
def test_training_on_a_gpu_captures_its_steps() -> None:
    device = torch.device("cuda", 0)
    network, feed = make_network("lstm", 0.3, 0.3, 5, device), make_feed(device)
    objective = LanguageObjective(network, torch.bfloat16)
    batch = LanguageBatch.from_window(feed.next(8), detach(network.initial_state(7)), network.draw_masks(7))
    assert objective.differentiate(batch, Workers(7, None)) is not None
    assert objective._graph is not None
