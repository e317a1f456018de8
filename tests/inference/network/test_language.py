import numpy as np
import pytest
import torch

from charrnn.inference.network.language import Network
from charrnn.model.config import GATES, ModelConfig
from charrnn.training.network.language import CharRNN

V, B, T = 11, 3, 40


def pair(cell: str, layers: int, embedding_size: int, hidden_size: int = 20) -> tuple[CharRNN, Network]:
    """One network on both sides, its initial state not zero."""
    torch.manual_seed(layers)
    config = ModelConfig(cell, layers, hidden_size, embedding_size, V)
    learning = CharRNN(config).eval()
    with torch.no_grad():
        for parameter in learning.parameters():
            parameter.uniform_(-0.5, 0.5)
    return learning, Network(config, learning.export())


@pytest.mark.parametrize("embedding_size", [0, 5])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", GATES)
def test_equals_pytorch_along_a_sequence_and_in_state(cell: str, layers: int, embedding_size: int) -> None:
    learning, using = pair(cell, layers, embedding_size)
    ids = np.random.default_rng(1).integers(0, V, (T, B))
    with torch.no_grad():
        before = learning.initial_state(B)
        first = learning.next_logits(before).numpy()
        logits, after = learning(torch.from_numpy(ids), before)
    state = using.initial_state(B)
    np.testing.assert_allclose(using.next_logits(state), first, atol=1e-5)
    np.testing.assert_allclose(using.logits(using.read(ids, state)), logits.numpy(), atol=1e-5)
    np.testing.assert_allclose(state.hidden, after[0].numpy(), atol=1e-5)
    if state.cell is not None:
        np.testing.assert_allclose(state.cell, after[1].numpy(), atol=1e-5)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", GATES)
def test_chunks_with_carried_state_equal_the_whole(cell: str, layers: int) -> None:
    _, using = pair(cell, layers, embedding_size=5)
    ids = np.random.default_rng(2).integers(0, V, (T, B))
    whole_state, state = using.initial_state(B), using.initial_state(B)
    whole = using.read(ids, whole_state)
    parts = [using.read(ids[begin : begin + 7], state) for begin in range(0, T, 7)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)
    np.testing.assert_allclose(state.hidden, whole_state.hidden, atol=1e-6)


def test_reading_without_a_table_of_all_symbols_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for embedding_size in (0, 5):
        _, with_table = pair("gru", 2, embedding_size)
        without = Network(with_table.config, with_table.tensors)
        ids = np.random.default_rng(3).integers(0, V, (5, 2))
        wanted = with_table.read(ids, with_table.initial_state(2))
        monkeypatch.setattr("charrnn.inference.network.language.SMALL_TABLE", 0)
        np.testing.assert_allclose(without.read(ids, without.initial_state(2)), wanted, atol=1e-6)
        monkeypatch.undo()


def test_a_copied_or_repeated_state_is_its_own() -> None:
    _, using = pair("lstm", 2, 0)
    state = using.initial_state()
    copied, repeated = state.copy(), state.repeat(3)
    using.read(np.zeros((2, 1), dtype=np.int64), state)
    fresh = using.initial_state(3)
    assert np.array_equal(copied.hidden, fresh.hidden[:, :1])
    assert np.array_equal(repeated.hidden, fresh.hidden)
    assert repeated.cell is not None
    assert fresh.cell is not None
    assert np.array_equal(repeated.cell, fresh.cell)
