"""Steps of language networks by the kernel, against the same steps by PyTorch's layers."""

import pytest
import torch
from torch import Tensor

from charrnn.model.config import GATES, LabelledConfig, ModelConfig
from charrnn.training.data.feeding import LanguageBatch
from charrnn.training.devices.workers import Workers
from charrnn.training.network import base
from charrnn.training.network.base import detach
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_objective import LanguageObjective
from tests.training.kernel.reference import build_kernel
from tests.training.network.comparison import agree, without_kernel

T, B, V = 13, 18, 11


def language_gradients(
    network: CharRNN, batch: LanguageBatch, workers: int, precision: torch.dtype = torch.float32
) -> tuple[list[Tensor], list[Tensor]]:
    """The loss and the states after a batch, and the gradients of all parameters."""
    sharing = Workers(8 * workers, workers)
    try:
        nats, after = LanguageObjective(network, precision).compute_gradients(batch, sharing)
    finally:
        sharing.close()
    return [nats, *after], [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def make_batch(network: CharRNN, labels: Tensor | None = None) -> LanguageBatch:
    """A batch whose second stream starts anew; with labels, the last stream's text ends early."""
    text = torch.randint(network.config.vocab_size, (T + 1, B))
    targets = text[1:].clone()
    if labels is not None:
        targets[T // 2 :, -1] = -1
    state = tuple(torch.randn_like(part) * 0.3 for part in detach(network.initial_state(B, labels)))
    restarted = torch.zeros(B, dtype=torch.bool)
    restarted[1] = True
    count = int((targets >= 0).sum())
    return LanguageBatch(text[:-1], targets, restarted, count, labels, state, network.draw_masks(B))


def take_columns(batch: LanguageBatch, count: int) -> LanguageBatch:
    """The first streams of a batch."""
    inputs, targets, state = (
        batch.inputs[:, :count],
        batch.targets[:, :count],
        [part[:, :count] for part in batch.state],
    )
    return LanguageBatch(inputs, targets, batch.restarted[:count], batch.count, None, tuple(state))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("embedding", [0, 6])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", GATES)
def test_a_step_s_gradients_equal_those_of_pytorch_s_layers(
    cell: str, layers: int, embedding: int, dropout: float
) -> None:
    torch.manual_seed(0)
    network = CharRNN(ModelConfig(cell, layers, 20, embedding, V), dropout, dropout)
    batch = make_batch(network)
    for workers in (1, 2):
        results, gradients = language_gradients(network, batch, workers)
        with without_kernel(network):
            wanted, exact = language_gradients(network, batch, workers)
        agree(results, wanted)
        agree(gradients, exact)
        assert len(gradients) == len(list(network.parameters()))


@pytest.mark.parametrize("cell", GATES)
def test_a_step_in_bfloat16_is_near_one_in_float32(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(base, "load_kernel", build_kernel)  # on every processor
    network = CharRNN(ModelConfig(cell, 2, 36, 6, V), 0.3, 0.3)
    batch = make_batch(network)
    wanted, exact = language_gradients(network, batch, 1)
    results, gradients = language_gradients(network, batch, 1, torch.bfloat16)
    assert not torch.equal(results[0], wanted[0])
    for a, b in zip([*results, *gradients], [*wanted, *exact], strict=True):
        assert (a - b).norm() <= 0.05 * b.norm()
    shared = language_gradients(network, batch, 2, torch.bfloat16)
    for a, b in zip([*shared[0], *shared[1]], [*results, *gradients], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("embedding", [0, 6])
def test_labelled_texts_and_vocabularies_larger_than_a_step(embedding: int) -> None:
    torch.manual_seed(0)
    labelled = CharRNN(LabelledConfig("lstm", 2, 12, embedding, V, 3))
    large = CharRNN(ModelConfig("gru", 2, 12, embedding, 900))
    for network, labels in ((labelled, torch.randint(3, (B,))), (large, None)):
        batch = make_batch(network, labels)
        results, gradients = language_gradients(network, batch, 2)
        with without_kernel(network):
            wanted, exact = language_gradients(network, batch, 2)
        agree(results, wanted)
        agree(gradients, exact)


@pytest.mark.parametrize("cell", GATES)
def test_steps_are_the_same_bit_for_bit(cell: str) -> None:
    torch.manual_seed(0)
    network = CharRNN(ModelConfig(cell, 2, 33, 5, V), 0.3, 0.2)
    batch = make_batch(network)
    first, second = (language_gradients(network, batch, 2) for _ in range(2))
    for a, b in zip([*first[0], *first[1]], [*second[0], *second[1]], strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("symbol", [-1, V])
@pytest.mark.parametrize("name", ["inputs", "targets"])
def test_a_symbol_that_is_none_of_the_network_s_is_an_error(name: str, symbol: int) -> None:
    network = CharRNN(ModelConfig("rnn", 1, 4, 3, V))
    batch = make_batch(network)
    getattr(batch, name)[2, 3] = symbol
    with pytest.raises(IndexError, match=f"index {symbol} is out of range: there are {V} rows"):
        language_gradients(network, batch, 1)


def test_a_later_step_of_another_shape_or_with_other_weights() -> None:
    torch.manual_seed(0)
    network = CharRNN(ModelConfig("lstm", 1, 12, 3, V))
    workers = Workers(B, 2)
    objective = LanguageObjective(network)
    for batch in (make_batch(network), take_columns(make_batch(network), 5), make_batch(network)):
        nats, after = objective.compute_gradients(batch, workers)
        found = [nats, *after, *(parameter.grad for parameter in network.parameters() if parameter.grad is not None)]
        with without_kernel(network):
            results, exact = language_gradients(network, batch, 1)
        agree(found, [*results, *exact])
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.data = parameter + 0.1 * torch.randn_like(parameter)
    workers.close()
