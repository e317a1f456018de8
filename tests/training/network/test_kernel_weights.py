"""Networks by the kernel, against the same networks by PyTorch's layers."""

import pytest
import torch
from torch import Tensor

from charrnn.model.config import ClassifierConfig, ModelConfig
from charrnn.native.recurrent.compiled import load_kernel
from charrnn.training.devices.workers import Workers
from charrnn.training.network.classifier import TextClassifier
from charrnn.training.network.classifier_objective import ClassifierBatch, ClassifierObjective
from charrnn.training.network.kernel_weights import find_kernel
from charrnn.training.network.language import CharRNN
from charrnn.training.step import Gradients
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
    with torch.autocast("cpu", dtype=torch.float16):
        assert find_kernel("gru", weight) is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert find_kernel("gru", weight) is load_kernel("gru", paired=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.jit, "is_tracing", lambda: True)
        assert find_kernel("gru", weight) is None
