"""The classifier in PyTorch, held against plain PyTorch modules and against its own copy in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from charrnn.inference.network import classifier as chunked
from charrnn.inference.network.classifier import ClassifierNetwork, Reading
from charrnn.model.config import GATES, POOLS, ClassifierConfig
from charrnn.training.network import classifier
from charrnn.training.network.classifier import TextClassifier, score_long
from charrnn.training.network.precision import full_precision
from tests.devices import on_devices

V, K, H = 9, 3, 8
LENGTHS = torch.tensor([7, 1, 5, 7, 2])
IDS = torch.from_numpy(np.random.default_rng(1).integers(0, V, (7, 5)))


def network(cell: str = "lstm", layers: int = 2, embedding_size: int = 4, *, both: bool = True, pool: str = "all"):  # type: ignore[no-untyped-def]
    torch.manual_seed(3)
    made = TextClassifier(ClassifierConfig(cell, layers, H, embedding_size, V, K, both, pool))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-0.6, 0.6)
    return made.eval()


@on_devices
@pytest.mark.parametrize("embedding_size", [0, 4])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("cell", GATES)
def test_numpy_gives_the_same_scores(
    cell: str, pool: str, both: bool, embedding_size: int, device: torch.device
) -> None:
    learning = network(cell, 2, embedding_size, both=both, pool=pool).to(device)
    using = ClassifierNetwork(learning.config, learning.export())
    with torch.no_grad(), full_precision():
        wanted = learning(IDS.to(device), LENGTHS.to(device)).cpu().numpy()
    # cuDNN's tanh is off by 1e-5 at most; three were seen to add up, on an H200.
    tolerance = 1e-5 if device.type == "cpu" else 1e-4
    np.testing.assert_allclose(using.scores(IDS.numpy(), LENGTHS.numpy()), wanted, atol=tolerance)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("cell", GATES)
def test_padding_and_neighbours_change_nothing(cell: str, pool: str) -> None:
    learning = network(cell, pool=pool)
    with torch.no_grad():
        together = learning(IDS, LENGTHS)
        for column, length in enumerate(LENGTHS.tolist()):
            alone = learning(IDS[:length, column : column + 1], LENGTHS[column : column + 1])
            torch.testing.assert_close(alone[0], together[column], atol=1e-6, rtol=0)
        order = torch.tensor([3, 0, 4, 1, 2])
        torch.testing.assert_close(learning(IDS[:, order], LENGTHS[order]), together[order], atol=1e-6, rtol=0)
        padded = torch.cat([IDS, torch.full((4, 5), 2)])
        torch.testing.assert_close(learning(padded, LENGTHS), together, atol=1e-6, rtol=0)


def test_both_directions_are_pytorchs_packed_bidirectional_lstm() -> None:
    """Two layers, learned initial states, documents of several lengths: nn.LSTM's own packed sequences agree."""
    learning = network("lstm", 2, 4, pool="mean")
    reference = nn.LSTM(4, H, 2, bidirectional=True)
    named = {name.removeprefix("rnn."): value for name, value in learning.named_weights() if name.startswith("rnn.")}
    reference.load_state_dict(named)
    order = LENGTHS.argsort(descending=True)
    packed = nn.utils.rnn.pack_padded_sequence(learning.embedding(IDS[:, order]), LENGTHS[order])
    states = tuple(
        part[:, None].expand(-1, 5, -1).contiguous() for part in (learning.initial_hidden, learning.initial_cell)
    )
    with torch.no_grad():
        outputs, _ = nn.utils.rnn.pad_packed_sequence(reference(packed, states)[0])
        means = outputs.sum(dim=0) / LENGTHS[order, None]
        torch.testing.assert_close(learning.decoder(means), learning(IDS, LENGTHS)[order], atol=1e-5, rtol=0)


def top_outputs(network: ClassifierNetwork, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The only layer's outputs (T, B, D*H), forward units first."""
    reading = Reading(network, ids, lengths)
    halves = ([outputs for _, outputs in reading.run(0, k)] for k in range(network.config.directions))
    return np.concatenate([np.concatenate(chunks) for chunks in halves], axis=-1)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_long_document_in_chunks_is_the_whole(
    monkeypatch: pytest.MonkeyPatch, cell: str, both: bool, layers: int
) -> None:
    learning = network(cell, layers, both=both)
    using = ClassifierNetwork(learning.config, learning.export())
    ids, lengths = torch.randint(V, (100, 1)), torch.tensor([100])
    with torch.no_grad():
        whole = learning(ids, lengths)
    monkeypatch.setattr(chunked, "CHUNK", 7)
    monkeypatch.setattr(classifier, "CHUNK", 7)
    np.testing.assert_allclose(using.scores(ids.numpy(), lengths.numpy()), whole.numpy(), atol=1e-5)
    torch.testing.assert_close(score_long(learning, ids[:, 0]), whole, atol=1e-5, rtol=0)


def test_a_backward_output_sees_what_comes_after_it_and_a_forward_one_what_came_before() -> None:
    """A bidirectional layer is two nets of one direction: one reads the text, the other the text turned round."""
    both = network("gru", 1, both=True)
    tensors = both.export()
    using = ClassifierNetwork(both.config, tensors)
    ids, lengths = IDS[:, :1].numpy(), np.array([7])
    outputs = top_outputs(using, ids, lengths)[:, 0]
    single = ClassifierConfig("gru", 1, H, 4, V, K, False, "last")
    for direction, suffix in enumerate(("", "_reverse")):
        own = {name: tensors[f"{name}{suffix}"] for name in single.shapes() if name.startswith("rnn.")}
        own |= {
            "embedding.weight": tensors["embedding.weight"],
            "initial_hidden": tensors["initial_hidden"][[direction]],
        }
        own |= {"decoder.weight": np.zeros((K, H), "f4"), "decoder.bias": np.zeros(K, "f4")}
        one = ClassifierNetwork(single, own)
        seen = top_outputs(one, ids[::-1] if direction else ids, lengths)[:, 0]
        half = outputs[:, direction * H : (direction + 1) * H]
        np.testing.assert_allclose(half, seen[::-1] if direction else seen, atol=1e-6)
    changed = ids.copy()
    changed[4] = (changed[4] + 1) % V
    after = top_outputs(using, changed, lengths)[:, 0]
    assert np.array_equal(after[:4, :H], outputs[:4, :H])
    assert np.array_equal(after[5:, H:], outputs[5:, H:])
    assert not np.allclose(after[4:, :H], outputs[4:, :H])
    assert not np.allclose(after[:5, H:], outputs[:5, H:])


def test_gradients_are_those_of_finite_differences() -> None:
    learning = network("gru", 1, 0).double()

    def loss() -> torch.Tensor:
        return nn.functional.cross_entropy(learning(IDS, LENGTHS), torch.tensor([0, 1, 2, 0, 1]))

    found = torch.autograd.grad(loss(), list(learning.parameters()))
    for parameter, gradient in zip(learning.parameters(), found, strict=True):
        with torch.no_grad():
            flat, step = parameter.view(-1), 1e-6
            for at in (0, len(flat) // 2):
                flat[at] += step
                high = loss()
                flat[at] -= 2 * step
                low = loss()
                flat[at] += step
                assert float((high - low) / (2 * step)) == pytest.approx(float(gradient.view(-1)[at]), abs=1e-6)


def test_weights_have_the_names_and_shapes_of_the_model_file() -> None:
    for both in (False, True):
        learning = network(both=both)
        assert {name: tensor.shape for name, tensor in learning.export().items()} == learning.config.shapes()
