"""The proofs of a recurrent network: naive reference, gradients, chunks equal the whole."""

import numpy as np
import pytest
import torch
from torch import Tensor

from charrnn.model.config import GATES, ModelConfig
from charrnn.training.network.base import FORGET_BIAS
from charrnn.training.network.language import CharRNN, sequence_loss
from charrnn.training.network.precision import full_precision
from tests.devices import CPU, on_devices

CASES = [(cell, layers, embedding) for cell in GATES for layers in (1, 2, 3) for embedding in (0, 3)]


def to_device(network: CharRNN, device: torch.device) -> CharRNN:
    """The network there, as a task has it."""
    return network.to(device).train()


def make(
    cell: str, layers: int = 1, embedding: int = 3, hidden: int = 4, vocab: int = 5, device: torch.device = CPU
) -> CharRNN:
    torch.manual_seed(3)
    network = CharRNN(ModelConfig(cell, layers, hidden, embedding, vocab)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.5)
    return to_device(network, device)


def naive_logits(network: CharRNN, ids: Tensor) -> Tensor:
    """The equations of the design, one scalar stream and one step at a time; ids (T,) -> scores (T, V)."""
    config, weights = network.config, dict(network.named_weights())
    hidden = list(weights["initial_hidden"])
    cell = list(weights["initial_cell"]) if config.cell == "lstm" else []
    scores = []
    for index in ids:
        x = (
            weights["embedding.weight"][index]
            if config.embedding_size
            else torch.eye(config.vocab_size)[index].double()
        )
        for k in range(config.layers):
            h = hidden[k]
            a = weights[f"rnn.weight_ih_l{k}"] @ x + weights[f"rnn.bias_ih_l{k}"]
            b = weights[f"rnn.weight_hh_l{k}"] @ h + weights[f"rnn.bias_hh_l{k}"]
            if config.cell == "lstm":
                i, f, g, o = (a + b).chunk(4)
                cell[k] = f.sigmoid() * cell[k] + i.sigmoid() * g.tanh()
                x = o.sigmoid() * cell[k].tanh()
            elif config.cell == "gru":
                (ra, za, na), (rb, zb, nb) = a.chunk(3), b.chunk(3)
                z = (za + zb).sigmoid()
                x = (1 - z) * (na + (ra + rb).sigmoid() * nb).tanh() + z * h
            else:
                x = (a + b).tanh()
            hidden[k] = x
        scores.append(weights["decoder.weight"] @ x + weights["decoder.bias"])
    return torch.stack(scores)


@on_devices
@pytest.mark.parametrize(("cell", "layers", "embedding"), CASES)
def test_equals_a_naive_reference(cell: str, layers: int, embedding: int, device: torch.device) -> None:
    network = make(cell, layers, embedding, device=device)
    ids = torch.tensor([[0, 1], [3, 2], [4, 4], [2, 0], [2, 1]])
    logits, _ = network(ids.to(device), network.initial_state(2))
    network.cpu()
    for stream in (0, 1):
        torch.testing.assert_close(logits[:, stream].cpu(), naive_logits(network, ids[:, stream]))


@on_devices
@pytest.mark.parametrize(("cell", "layers", "embedding"), CASES)
def test_gradient_of_every_weight_equals_finite_differences(
    cell: str, layers: int, embedding: int, device: torch.device
) -> None:
    network = make(cell, layers, embedding, hidden=3, vocab=4, device=device)
    ids = torch.tensor([[0, 1], [3, 2], [1, 1]], device=device)
    targets = torch.tensor([[3, 2], [1, 1], [2, 0]], device=device)
    restarted = torch.tensor([True, False], device=device)
    carried = tuple(torch.randn_like(part) for part in network.initial_state(2))

    def loss() -> Tensor:
        state = network.restart(tuple(part.detach() for part in carried), restarted)
        return sequence_loss(network, ids, targets, state, restarted)[0]

    network.zero_grad()
    loss().backward()  # type: ignore[no-untyped-call]
    step = 1e-5
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        flat, found = parameter.detach().view(-1), parameter.grad.view(-1)
        for at in range(len(flat)):
            kept = flat[at].item()
            flat[at] = kept + step
            above = loss().item()
            flat[at] = kept - step
            below = loss().item()
            flat[at] = kept
            assert found[at].item() == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-7), (name, at)


@on_devices
@pytest.mark.parametrize("cell", GATES)
def test_chunks_with_carried_state_equal_the_whole(cell: str, device: torch.device) -> None:
    network = make(cell, layers=2, device=device)
    ids = torch.randint(5, (12, 3), device=device)
    whole, end = network(ids, network.initial_state(3))
    state, parts = network.initial_state(3), []
    for chunk in torch.split(ids, [1, 4, 2, 5]):
        part, state = network(chunk, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts), whole)
    for a, b in zip(state, end, strict=True):
        torch.testing.assert_close(a, b)


def test_restarted_streams_have_the_initial_state_and_the_others_their_own() -> None:
    network = make("lstm", layers=2)
    carried = tuple(torch.randn_like(part) for part in network.initial_state(3))
    state = network.restart(carried, torch.tensor([False, True, False]))
    for kept, initial, found in zip(carried, network.initial_state(3), state, strict=True):
        torch.testing.assert_close(found[:, [0, 2]], kept[:, [0, 2]])
        torch.testing.assert_close(found[:, 1], initial[:, 1])


def test_a_stream_that_starts_also_pays_for_its_first_character() -> None:
    network = make("gru")
    ids, targets = torch.tensor([[2, 1]]), torch.tensor([[3, 0]])
    state = network.initial_state(2)
    nobody, second = torch.tensor([False, False]), torch.tensor([False, True])
    without = sequence_loss(network, ids, targets, state, nobody)[0]
    with_first = sequence_loss(network, ids, targets, state, second)[0]
    nats = -network.next_logits(state).log_softmax(-1)[1, 1]
    torch.testing.assert_close(with_first - without, nats)


@on_devices
def test_dropped_units_are_zero_for_a_whole_step(device: torch.device) -> None:
    network = CharRNN(ModelConfig("lstm", 2, 200, 8, 5), dropout=0.25)
    to_device(network, device)
    masks = network.draw_masks(3)
    hidden, _ = network.read(torch.zeros(4, 3, dtype=torch.long, device=device), network.initial_state(3), masks)
    assert (hidden[:, masks.outputs[1][0] == 0] == 0).all()


@on_devices
@pytest.mark.parametrize("cell", GATES)
def test_weight_dropout_is_a_network_with_other_recurrent_weights(cell: str, device: torch.device) -> None:
    config = ModelConfig(cell, 2, 12, 4, 5)
    network, other = (to_device(CharRNN(config, weight_dropout=share), device) for share in (0.4, 0.0))
    masks = network.draw_masks(3)
    tensors = network.export()
    for k, mask in enumerate(masks.recurrent):
        tensors[f"rnn.weight_hh_l{k}"] *= mask.cpu().numpy()
    other.load(tensors)
    ids, state = torch.randint(5, (7, 3), device=device), network.initial_state(3)
    with full_precision():
        torch.testing.assert_close(network.forward(ids, state, masks), other.forward(ids, state))
    weight = network.rnn[0].get_parameter("weight_hh_l0")
    (gradient,) = torch.autograd.grad(network.forward(ids, state, masks)[0].sum(), weight)
    assert torch.equal(gradient != 0, masks.recurrent[0] != 0)


@pytest.mark.parametrize("cell", GATES)
def test_exported_weights_have_the_model_file_s_names_and_shapes_and_can_be_adopted(cell: str) -> None:
    config = ModelConfig(cell, 2, 6, 3, 7)
    network, other = CharRNN(config), CharRNN(config)
    exported = network.export()
    assert {name: tensor.shape for name, tensor in exported.items()} == config.shapes()
    assert sum(p.numel() for p in network.parameters()) == config.parameters
    other.load(exported)
    for a, b in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    exported["decoder.bias"][:] = 9
    assert not np.any(other.decoder.bias.detach().numpy() == 9)


def test_initial_weights_are_orthogonal_per_gate_and_forget_gates_start_open() -> None:
    torch.manual_seed(1)
    network = CharRNN(ModelConfig("lstm", 2, 16, 4, 5))
    network.initialize(torch.tensor([0, 1, 2, 3, 94]))
    weights = dict(network.named_weights())
    for gate in weights["rnn.weight_hh_l1"].chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(16), atol=1e-5, rtol=0)
    assert (weights["rnn.bias_ih_l0"][16:32] == FORGET_BIAS).all()
    assert (weights["rnn.bias_ih_l0"][:16] == 0).all()
    expected = torch.tensor([0.5, 1.5, 2.5, 3.5, 94.5]) / 102.5
    torch.testing.assert_close(network.decoder.bias.softmax(0), expected)
