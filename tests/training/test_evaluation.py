import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from charrnn.model import ModelConfig
from charrnn.training.evaluation import WARM_UP, Validation
from charrnn.training.network import CharRNN
from charrnn.training.workers import Workers

CPU = torch.device("cpu")


@pytest.fixture
def network() -> CharRNN:
    torch.manual_seed(0)
    network = CharRNN(ModelConfig("lstm", 1, 16, 4, 6))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.6)
    return network


def single_stream(network: CharRNN, ids: np.ndarray) -> float:
    """Mean nats per character read as one stream, the first character from the initial state."""
    state = network.initial_state(1)
    column = torch.from_numpy(ids.astype(np.int64))[:, None]
    with torch.no_grad():
        after, _ = network(column, state)
        logits = torch.cat([network.next_logits(state)[None], after[:-1]])
        return F.cross_entropy(logits[:, 0], column[:, 0]).item()


@pytest.mark.parametrize("length", [1, 2, 100, 4 * WARM_UP - 1, 8 * WARM_UP + 17, 30_011])
def test_pieces_read_side_by_side_give_the_figure_of_one_stream(network: CharRNN, length: int) -> None:
    ids = np.random.default_rng(length).integers(0, 6, length).astype(np.int32)
    validation = Validation(ids, CPU)
    assert validation.chars == length
    expected = pytest.approx(single_stream(network, ids), rel=1e-3 if length > 2000 else 1e-5)
    assert validation.loss(network, Workers(1, None)) == expected
    assert validation.loss(network, Workers(16, 2)) == expected
