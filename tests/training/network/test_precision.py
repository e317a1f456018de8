import warnings

import pytest
import torch

from charrnn.errors import TrainingError
from charrnn.model.config import GATES, ModelConfig
from charrnn.training.network import precision
from charrnn.training.network.language import CharRNN, sequence_loss
from charrnn.training.network.precision import choose_precision, full_precision, use_precision
from tests.devices import on_gpu

CPU = torch.device("cpu")


def test_auto_is_bfloat16_only_where_it_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "has_bf16_products", lambda: True)
    assert choose_precision("auto", CPU) == torch.bfloat16
    monkeypatch.setattr(precision, "has_bf16_products", lambda: False)
    assert choose_precision("auto", CPU) == torch.float32
    assert choose_precision("fp32", torch.device("mps")) == torch.float32
    assert choose_precision("bf16", CPU) == torch.bfloat16
    with pytest.raises(TrainingError, match="this mps device does not support bf16"):
        choose_precision("bf16", torch.device("mps"))


def test_bfloat16_is_refused_on_a_processor_that_would_emulate_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "CPU_FEATURES", ("none_of_these",))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert choose_precision("auto", CPU) == choose_precision("fp32", CPU) == torch.float32
    with pytest.raises(TrainingError, match="it has none of none_of_these, without which bf16 is many times slower"):
        choose_precision("bf16", CPU)


def test_full_precision_turns_tf32_off_and_leaves_it_as_it_was() -> None:
    backends = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [backend.allow_tf32 for backend in backends]
    with full_precision():
        assert [backend.allow_tf32 for backend in backends] == [False, False]
    assert [backend.allow_tf32 for backend in backends] == before


@on_gpu
@pytest.mark.parametrize("cell", GATES)
def test_float32_on_a_gpu_is_that_of_a_cpu(cell: str) -> None:
    torch.manual_seed(0)
    network = CharRNN(ModelConfig(cell, 2, 512, 64, 65))
    ids = torch.randint(65, (64, 16))
    with torch.no_grad(), full_precision():
        expected, _ = network(ids, network.initial_state(16))
        network.to("cuda")
        scores, _ = network(ids.cuda(), network.initial_state(16))
    # TF32 is off by 1e-3, cuDNN's tanh by 1e-5.
    torch.testing.assert_close(scores.cpu(), expected, rtol=1e-5, atol=1e-4)


@on_gpu
@pytest.mark.parametrize("cell", GATES)
def test_cudnn_finds_weights_with_dropout_side_by_side(cell: str) -> None:
    network = CharRNN(ModelConfig(cell, 2, 32, 8, 11), weight_dropout=0.3).to("cuda")
    ids = torch.randint(11, (7, 4), device="cuda")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # PyTorch warns of weights that it has to copy
        network.read(ids, network.initial_state(4), network.draw_masks(4))


@pytest.mark.parametrize("kernel", ["auto", "torch"])
@pytest.mark.parametrize("cell", GATES)
def test_bfloat16_steps_have_nearly_the_loss_and_gradients_of_float32(cell: str, kernel: str) -> None:
    torch.manual_seed(0)
    network = CharRNN(ModelConfig(cell, 2, 32, 8, 11))
    network.choose_kernel(kernel)
    ids = torch.randint(11, (13, 4))
    restarted = torch.tensor([False, True, False, False])

    def run(dtype: torch.dtype) -> tuple[torch.Tensor, list[torch.Tensor]]:
        with use_precision(dtype, CPU):
            loss, after = sequence_loss(network, ids[:-1], ids[1:], network.initial_state(4), restarted)
        assert all(part.dtype == torch.float32 for part in after)
        return loss.detach(), list(torch.autograd.grad(loss, list(network.parameters())))

    exact, rounded = run(torch.float32), run(torch.bfloat16)
    assert exact[0] != rounded[0]
    torch.testing.assert_close(rounded[0], exact[0], rtol=1e-2, atol=0.0)
    for a, b in zip(exact[1], rounded[1], strict=True):
        assert b.dtype == torch.float32
        assert (a - b).norm() <= 0.05 * a.norm()


@pytest.mark.parametrize("cell", GATES)
def test_layers_in_one_call_are_layers_in_turn(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = CharRNN(ModelConfig(cell, 3, 16, 8, 11))
    network.choose_kernel("torch")
    ids = torch.randint(11, (7, 4))
    for dtype in (torch.float32, torch.bfloat16):
        with monkeypatch.context() as patch, use_precision(dtype, CPU):
            apart, state = network.read(ids, network.initial_state(4))
            patch.setattr(network, "_calls", lambda: [slice(0, 3)])
            together, after = network.read(ids, network.initial_state(4))
        torch.testing.assert_close(together, apart, rtol=1e-2, atol=1e-2)
        for a, b in zip(state, after, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-2)
