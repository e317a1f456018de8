from dataclasses import replace

import numpy as np
import pytest
import torch

from charrnn.model.config import ModelConfig
from charrnn.training.data.feeding import TextFeed
from charrnn.training.data.streams import Streams
from charrnn.training.devices.workers import Workers
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_objective import LanguageObjective


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_several_workers_find_the_gradients_of_one(cell: str, dropout: float) -> None:
    torch.manual_seed(1)
    network = CharRNN(ModelConfig(cell, 2, 12, 5, 9), dropout, dropout)
    ids = np.random.default_rng(0).integers(0, 9, 900).astype(np.int32)

    def run(threads: int) -> tuple[float, list[torch.Tensor], tuple[torch.Tensor, ...]]:
        streams = Streams(ids, 70, restart=0.2, seed=0)
        feed = TextFeed(streams, slice(0, 70), torch.device("cpu"))
        workers = Workers(70, threads)
        objective = LanguageObjective(network)
        state = tuple(part.detach() for part in network.initial_state(70))
        for seed in range(3):
            torch.manual_seed(seed)
            batch = replace(feed.next(8), state=state, masks=network.draw_masks(70))
            nats, state = objective.compute_gradients(batch, workers)
        workers.close()
        return float(nats), [p.grad for p in network.parameters() if p.grad is not None], state

    one, two, again = run(1), run(2), run(2)
    assert two[0] == pytest.approx(one[0], rel=1e-5)
    for a, b, c in zip([*one[1], *one[2]], [*two[1], *two[2]], [*again[1], *again[2]], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
        assert torch.equal(b, c)  # the same to the last bit every time
