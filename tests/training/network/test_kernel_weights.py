"""Networks by the kernel, against the same networks by PyTorch's layers."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from charrnn.model.config import GATES, ClassifierConfig, LabelledConfig, ModelConfig
from charrnn.training.devices.workers import Workers
from charrnn.training.network import kernel_weights
from charrnn.training.network.base import detach
from charrnn.training.network.classifier import TextClassifier
from charrnn.training.network.classifier_objective import ClassifierBatch, ClassifierObjective
from charrnn.training.network.kernel_weights import find_kernel
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_objective import LanguageBatch, LanguageObjective
from charrnn.training.step import Gradients

T, B, V = 13, 18, 11
LIMIT = 1e-5


@contextmanager
def without_kernel() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_weights, "load_kernel", lambda cell: None)
        yield


def language_gradients(network: CharRNN, batch: LanguageBatch, workers: int) -> tuple[list[Tensor], list[Tensor]]:
    """The loss and the states after a batch, and the gradients of all parameters."""
    sharing = Workers(8 * workers, workers)
    try:
        nats, after = Gradients(LanguageObjective(network), sharing).compute(batch)
    finally:
        sharing.close()
    return [nats, *after], [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def make_batch(network: CharRNN, labels: Tensor | None = None) -> LanguageBatch:
    """A batch whose second reader starts afresh; with labels, the last reader's text ends early."""
    text = torch.randint(network.config.vocab_size, (T + 1, B))
    targets = text[1:].clone()
    if labels is not None:
        targets[T // 2 :, -1] = -1
    state = tuple(torch.randn_like(part) * 0.3 for part in detach(network.initial_state(B, labels)))
    fresh = torch.zeros(B, dtype=torch.bool)
    fresh[1] = True
    return LanguageBatch(
        text[:-1],
        targets,
        fresh,
        fresh.nonzero()[:, 0],
        state,
        network.draw_masks(B),
        labels,
        None if labels is None else (targets.flatten() >= 0).nonzero()[:, 0],
        int((targets >= 0).sum()),
    )


def agree(found: list[Tensor], wanted: list[Tensor]) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert float((a - b).abs().max()) <= LIMIT * max(float(b.abs().max()), 1e-3)


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
        with without_kernel():
            wanted, exact = language_gradients(network, batch, workers)
        agree(results, wanted)
        agree(gradients, exact)
        assert len(gradients) == len(list(network.parameters()))


@pytest.mark.parametrize("embedding", [0, 6])
def test_labelled_texts_and_vocabularies_larger_than_a_step(embedding: int) -> None:
    torch.manual_seed(0)
    labelled = CharRNN(LabelledConfig("lstm", 2, 12, embedding, V, 3))
    large = CharRNN(ModelConfig("gru", 2, 12, embedding, 900))
    for network, labels in ((labelled, torch.randint(3, (B,))), (large, None)):
        batch = make_batch(network, labels)
        results, gradients = language_gradients(network, batch, 2)
        with without_kernel():
            wanted, exact = language_gradients(network, batch, 2)
        agree(results, wanted)
        agree(gradients, exact)


@pytest.mark.parametrize("embedding", [0, 6])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_classifier_s_gradients_equal_those_of_pytorch_s_layers(bidirectional: bool, embedding: int) -> None:
    torch.manual_seed(0)
    network = TextClassifier(ClassifierConfig("lstm", 2, 10, embedding, V, 3, bidirectional, "all"))
    ids, lengths = torch.randint(V, (T, B)), torch.randint(1, T + 1, (B,))
    batch = ClassifierBatch(
        ids, lengths, torch.randint(3, (B,)), network.draw_masks(B, 0.2, 0.3), lengths.numpy(), B, T * B
    )

    def compute() -> tuple[list[Tensor], list[Tensor]]:
        sharing = Workers(B, 2)
        nats, _ = Gradients(ClassifierObjective(network, 0.1, None), sharing).compute(batch)
        sharing.close()
        with torch.no_grad():
            scores = network(ids, lengths)
        return [nats, scores], [parameter.grad for parameter in network.parameters() if parameter.grad is not None]

    results, gradients = compute()
    with without_kernel():
        wanted, exact = compute()
    agree(results, wanted)
    agree(gradients, exact)
    assert len(gradients) == len(list(network.parameters()))


@pytest.mark.parametrize("cell", GATES)
def test_steps_are_the_same_bit_for_bit(cell: str) -> None:
    torch.manual_seed(0)
    network = CharRNN(ModelConfig(cell, 2, 33, 5, V), 0.3, 0.2)
    batch = make_batch(network)
    first, second = (language_gradients(network, batch, 2) for _ in range(2))
    for a, b in zip([*first[0], *first[1]], [*second[0], *second[1]], strict=True):
        assert torch.equal(a, b)


def test_chunks_with_carried_state_equal_the_whole() -> None:
    torch.manual_seed(0)
    network = CharRNN(ModelConfig("lstm", 2, 20, 6, V))
    ids, state, parts = torch.randint(V, (12, 3)), network.initial_state(3), []
    whole, end = network(ids, state)
    for chunk in torch.split(ids, [1, 4, 2, 5]):
        part, state = network(chunk, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts), whole)
    for a, b in zip(state, end, strict=True):
        assert torch.equal(a, b)


def test_pytorch_s_layers_compute_other_types_other_devices_and_traces() -> None:
    weight = torch.zeros(1)
    assert find_kernel("gru", weight) is not None
    assert find_kernel("gru", weight.double()) is None
    assert find_kernel("gru", weight.to("meta")) is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert find_kernel("gru", weight) is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.jit, "is_tracing", lambda: True)
        assert find_kernel("gru", weight) is None
