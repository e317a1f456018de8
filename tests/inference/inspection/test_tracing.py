import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.errors import InspectionError
from charrnn.inference.inspection.tracing import CHUNK, LIKELIEST, PARTS, ReadText, read_text, trace_network
from charrnn.model.config import GATES
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.training.network.language import CharRNN
from tests.inference.network.test_language import V, pair
from tests.models import make_model

T = CHUNK + 44  # more than one chunk


def read_of(ids: NDArray[np.int32]) -> ReadText:
    return ReadText(ids.astype(np.uint8), ids, np.ones(len(ids), dtype=np.bool_), [], ids[:0])


def step_by_step(learning: CharRNN, ids: NDArray[np.int32]) -> dict[str, NDArray[np.float32]]:
    """Every state and gate (L, T, H) by the equations in PyTorch, one character and one layer at a time."""
    config, weights = learning.config, {name: p.detach() for name, p in learning.named_weights()}
    found: dict[str, list[list[Tensor]]] = {name: [] for name in ("hidden", "cell", *PARTS[config.cell])}
    hidden = list(weights["initial_hidden"])
    cells = list(weights["initial_cell"]) if config.cell == "lstm" else []
    for symbol in ids:
        embedded = "embedding.weight" in weights
        x = weights["embedding.weight"][symbol] if embedded else torch.eye(V)[symbol]
        rows: dict[str, list[Tensor]] = {name: [] for name in found}
        for k in range(config.layers):
            own = weights[f"rnn.weight_ih_l{k}"] @ x + weights[f"rnn.bias_ih_l{k}"]
            old = weights[f"rnn.weight_hh_l{k}"] @ hidden[k] + weights[f"rnn.bias_hh_l{k}"]
            if config.cell == "lstm":
                a, b, c, d = (own + old).chunk(4)
                parts = [torch.sigmoid(a), torch.sigmoid(b), torch.tanh(c), torch.sigmoid(d)]
                cells[k] = parts[1] * cells[k] + parts[0] * parts[2]
                hidden[k] = parts[3] * torch.tanh(cells[k])
                rows["cell"].append(cells[k])
            elif config.cell == "gru":
                (a, b, c), (d, e, f) = own.chunk(3), old.chunk(3)
                r, z = torch.sigmoid(a + d), torch.sigmoid(b + e)
                parts = [r, z, torch.tanh(c + r * f)]
                hidden[k] = (1 - z) * parts[2] + z * hidden[k]
            else:
                parts = []
                hidden[k] = torch.tanh(own + old)
            for name, part in zip(PARTS[config.cell], parts, strict=True):
                rows[name].append(part)
            rows["hidden"].append(hidden[k])
            x = hidden[k]
        for name, row in rows.items():
            found[name].append(row)
    return {
        name: np.array([[part.numpy() for part in row] for row in rows]).swapaxes(0, 1)
        for name, rows in found.items()
        if rows[0]
    }


@pytest.mark.parametrize("embedding_size", [0, 5])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", GATES)
def test_states_and_gates_are_those_of_pytorch(cell: str, layers: int, embedding_size: int) -> None:
    learning, using = pair(cell, layers, embedding_size)
    ids = np.random.default_rng(1).integers(0, V, T).astype(np.int32)
    found = trace_network(using, read_of(ids))
    wanted = step_by_step(learning, ids)
    assert set(found.gates) == set(wanted) - {"hidden", "cell"}
    assert (found.cell is not None) == ("cell" in wanted)
    for name, values in wanted.items():
        own = found.gates[name] if name in found.gates else found.states(name)
        assert own.shape == (layers, T, 20)
        np.testing.assert_allclose(own, values, atol=1e-5, err_msg=name)
    with torch.no_grad():  # and PyTorch's own layers agree on where it ends
        _, after = learning.read(torch.from_numpy(ids.astype(np.int64))[:, None], learning.initial_state(1))
    np.testing.assert_allclose(found.hidden[:, -1], after[0][:, 0].numpy(), atol=1e-5)


@pytest.mark.parametrize("cell", GATES)
def test_surprise_and_next_characters_are_those_of_pytorch(cell: str) -> None:
    learning, using = pair(cell, 2, 5)
    ids = np.random.default_rng(2).integers(0, V, T).astype(np.int32)
    found = trace_network(using, read_of(ids))
    with torch.no_grad():
        state = learning.initial_state(1)
        first = learning.next_logits(state)
        after, _ = learning(torch.from_numpy(ids.astype(np.int64))[:, None], state)
        scores = torch.log_softmax(torch.cat([first, after[:, 0]]), dim=-1).numpy()
    np.testing.assert_allclose(found.nats, -scores[np.arange(T), ids], atol=1e-5)
    best = np.sort(np.exp(scores[1:]), axis=-1)[:, ::-1][:, :LIKELIEST]
    np.testing.assert_allclose(found.probabilities, best, atol=1e-5)
    chosen = np.take_along_axis(np.exp(scores[1:]), found.likeliest, axis=-1)
    np.testing.assert_allclose(chosen, found.probabilities, atol=1e-5)


def test_unknown_characters_are_refused_or_left_out() -> None:
    vocabulary = CharVocabulary.of_text("abc")
    codes = vocabulary.tokenize("axbyx")
    with pytest.raises(InspectionError, match=r"never seen 'x' \(U\+0078\), 'y' \(U\+0079\); .*--unknown skip"):
        read_text(vocabulary, codes, skip_unknown=False)
    read = read_text(vocabulary, codes, skip_unknown=True)
    assert read.text == "ab"
    assert read.ids.tolist() == [0, 1]
    assert read.skipped.tolist() == list(map(ord, "xyx"))
    with pytest.raises(InspectionError, match="nothing to inspect"):
        read_text(vocabulary, vocabulary.tokenize("xyz"), skip_unknown=True)


def test_merged_rare_characters_are_read_but_have_no_surprise() -> None:
    vocabulary = CharVocabulary([97, 98, 0xFFFD], unknown=2)
    read = read_text(vocabulary, vocabulary.tokenize("axb"), skip_unknown=False)
    assert read.ids.tolist() == [0, 2, 1]
    assert read.text == "axb"
    found = trace_network(make_model(vocabulary).network, read)
    assert np.isnan(found.nats).tolist() == [False, True, False]


def test_only_an_lstm_has_cell_states() -> None:
    model = make_model(CharVocabulary.of_text("abc"), cell="gru")
    found = trace_network(
        model.network, read_text(model.vocabulary, model.vocabulary.tokenize("abc"), skip_unknown=False)
    )
    with pytest.raises(InspectionError, match="only an LSTM has a cell state"):
        found.states("cell")
