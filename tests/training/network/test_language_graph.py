"""A captured step against the same step call by call."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from charrnn.model.config import GATES, ModelConfig
from charrnn.training.data.feeding import TextFeed
from charrnn.training.data.streams import Streams
from charrnn.training.devices.workers import Workers
from charrnn.training.network.base import detach
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_objective import GraphedStep, LanguageObjective
from charrnn.training.network.precision import full_precision
from tests.devices import on_devices, on_gpu


def make_network(cell: str, dropout: float, weight_dropout: float, embedding: int, device: torch.device) -> CharRNN:
    torch.manual_seed(1)
    return CharRNN(ModelConfig(cell, 2, 12, embedding, 9), dropout, weight_dropout).to(device).train()


def make_feed(device: torch.device) -> TextFeed:
    ids = np.random.default_rng(0).integers(0, 9, 900).astype(np.int32)
    return TextFeed(Streams(ids, 7, restart=0.3, seed=0), slice(0, 7), device)


@on_devices
@pytest.mark.parametrize(("dropout", "weight_dropout", "embedding"), [(0.0, 0.0, 0), (0.3, 0.0, 5), (0.3, 0.3, 5)])
@pytest.mark.parametrize("cell", GATES)
def test_it_has_the_loss_state_and_gradients_of_single_calls(
    cell: str, dropout: float, weight_dropout: float, embedding: int, device: torch.device
) -> None:
    network, feed = make_network(cell, dropout, weight_dropout, embedding, device), make_feed(device)
    network.choose_kernel("torch")
    objective = LanguageObjective(network)
    state, graphed = detach(network.initial_state(7)), None
    with full_precision():
        for _ in range(4):  # each with other characters, states, masks and starting streams
            batch = replace(feed.next(8), state=state, masks=network.draw_masks(7))
            graphed = graphed or GraphedStep(objective, batch)
            assert graphed.fits(batch)
            nats, after, found = graphed.compute(batch)
            nats, after, found = nats.clone(), tuple(part.clone() for part in after), tuple(g.clone() for g in found)
            expected, state, gradients = objective.differentiate(batch, batch.count)
            torch.testing.assert_close(nats, expected, rtol=1e-5, atol=1e-5)
            for a, b in zip(after, state, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
            for gradient, wanted in zip(found, gradients, strict=True):
                torch.testing.assert_close(gradient, wanted, rtol=1e-3, atol=1e-5)


@on_devices
def test_another_shape_does_not_fit(device: torch.device) -> None:
    network, feed = make_network("lstm", 0.0, 0.0, 5, device), make_feed(device)
    state = detach(network.initial_state(7))
    step = GraphedStep(LanguageObjective(network), replace(feed.next(8), state=state, masks=network.draw_masks(7)))
    assert not step.fits(replace(feed.next(9), state=state, masks=network.draw_masks(7)))


@on_gpu
def test_training_on_a_gpu_captures_its_steps() -> None:
    device = torch.device("cuda", 0)
    network, feed = make_network("lstm", 0.3, 0.3, 5, device), make_feed(device)
    objective = LanguageObjective(network, torch.bfloat16)
    batch = replace(feed.next(8), state=detach(network.initial_state(7)), masks=network.draw_masks(7))
    objective.compute_gradients(batch, Workers(7, None))
    assert objective._graph is not None
