import pytest
import torch

from charrnn.errors import TrainingError
from charrnn.model.config import GATES, ModelConfig
from charrnn.training.network.language import CharRNN, sequence_loss
from charrnn.training.network.precision import choose_precision, computing

CPU = torch.device("cpu")


def test_auto_is_bfloat16_only_where_a_gpu_is_fast_at_it() -> None:
    assert choose_precision("auto", CPU) == torch.float32
    assert choose_precision("fp32", torch.device("mps")) == torch.float32
    assert choose_precision("bf16", CPU) == torch.bfloat16
    with pytest.raises(TrainingError, match="this mps device does not compute in bf16"):
        choose_precision("bf16", torch.device("mps"))


@pytest.mark.parametrize("cell", GATES)
def test_bfloat16_steps_have_nearly_the_loss_and_gradients_of_float32(cell: str) -> None:
    torch.manual_seed(0)
    network = CharRNN(ModelConfig(cell, 2, 32, 8, 11))
    ids = torch.randint(11, (13, 4))
    starts = torch.tensor([1])

    def run(precision: torch.dtype) -> tuple[torch.Tensor, list[torch.Tensor]]:
        with computing(precision, CPU):
            loss, after = sequence_loss(network, ids[:-1], ids[1:], network.initial_state(4), starts)
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
    ids = torch.randint(11, (7, 4))
    for precision in (torch.float32, torch.bfloat16):
        with monkeypatch.context() as patch, computing(precision, CPU):
            apart, state = network.read(ids, network.initial_state(4))
            patch.setattr(network, "_calls", lambda: [slice(0, 3)])
            together, after = network.read(ids, network.initial_state(4))
        torch.testing.assert_close(together, apart, rtol=1e-2, atol=1e-2)
        for a, b in zip(state, after, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-2)
