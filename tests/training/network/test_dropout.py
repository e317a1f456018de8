from itertools import combinations

import pytest
import torch

from charrnn.model.config import ModelConfig
from charrnn.training.network.language import CharRNN
from tests.devices import on_devices

CONFIG = ModelConfig("lstm", 2, 200, 8, 5)


@on_devices
def test_units_are_dropped_for_each_layer_and_stream_and_the_others_scaled_up(device: torch.device) -> None:
    torch.manual_seed(0)
    masks = CharRNN(CONFIG, 0.25).to(device).draw_masks(3)
    assert [mask.shape for mask in masks.outputs] == [(1, 3, 200)] * 2
    together = torch.stack(masks.outputs)
    assert not any(torch.equal(a, b) for a, b in combinations(together.view(6, 200), 2))
    assert together.mean().item() == pytest.approx(1.0, abs=0.1)
    assert set(together.flatten().tolist()) == {0.0, float(torch.tensor(1.0) / 0.75)}
    assert masks.recurrent == ()


@on_devices
def test_recurrent_weights_are_dropped_anew_for_each_layer_and_step(device: torch.device) -> None:
    torch.manual_seed(0)
    network = CharRNN(CONFIG, weight_dropout=0.2).to(device)
    masks = [mask for _ in range(2) for mask in network.draw_masks(3).recurrent]
    assert [mask.shape for mask in masks] == [(800, 200)] * 4
    assert not any(torch.equal(a, b) for a, b in combinations(masks, 2))
    for mask in masks:
        assert mask.mean().item() == pytest.approx(1.0, abs=0.01)
        assert set(mask.flatten().tolist()) == {0.0, 1.25}
    assert network.draw_masks(3).outputs == ()


def test_the_same_random_state_draws_the_same_masks_in_another_process() -> None:
    def draw() -> list[torch.Tensor]:
        network = CharRNN(CONFIG, 0.5, 0.2)
        torch.manual_seed(3)
        masks = network.draw_masks(4)
        return [*masks.outputs, *masks.recurrent]

    assert all(torch.equal(a, b) for a, b in zip(draw(), draw(), strict=True))


def test_some_streams_masks_are_theirs_and_weights_are_everybody_s() -> None:
    masks = CharRNN(CONFIG, 0.5, 0.2).draw_masks(4)
    part = masks.columns(slice(1, 3))
    assert torch.equal(part.outputs[1], masks.outputs[1][:, 1:3])
    assert part.recurrent is masks.recurrent
