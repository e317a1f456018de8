"""Networks by the kernel, against the same networks by PyTorch's layers."""

import pytest
import torch
from torch import Tensor

from charrnn.errors import TrainingError
from charrnn.model.config import ClassifierConfig, ModelConfig
from charrnn.native.recurrent.compiled import load_kernel
from charrnn.training.devices.workers import Workers
from charrnn.training.network.classifier import TextClassifier
from charrnn.training.network.classifier_objective import ClassifierBatch, ClassifierObjective
from charrnn.training.network.language import CharRNN
from tests.training.network.comparison import agree, without_kernel

T, B, V = 13, 18, 11


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
        nats, _ = ClassifierObjective(network, 0.1, None).compute_gradients(batch, sharing)
        sharing.close()
        with torch.no_grad():
            scores = network(ids, lengths)
        return [nats, scores], [parameter.grad for parameter in network.parameters() if parameter.grad is not None]

    results, gradients = compute()
    with without_kernel(network):
        wanted, exact = compute()
    agree(results, wanted)
    agree(gradients, exact)
    assert len(gradients) == len(list(network.parameters()))


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
    config = ModelConfig("gru", 1, 4, 3, V)
    network = CharRNN(config)
    assert network.find_kernel() is not None
    assert CharRNN(config).double().find_kernel() is None
    assert CharRNN(config).to("meta").find_kernel() is None
    with torch.autocast("cpu", dtype=torch.float16):
        assert network.find_kernel() is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network.find_kernel() is load_kernel("gru", bf16=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.jit, "is_tracing", lambda: True)
        assert network.find_kernel() is None


def test_the_kernel_is_a_choice() -> None:
    network = CharRNN(ModelConfig("gru", 1, 4, 3, V))
    network.choose_kernel("torch")
    assert network.find_kernel() is None
    network.choose_kernel("native")
    assert network.find_kernel() is not None
    with pytest.raises(TrainingError, match="the native kernel cannot be used: it does not run on a meta device"):
        network.to("meta").choose_kernel("native")
