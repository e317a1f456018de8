import numpy as np
import pytest

from charrnn.inference.network import Network
from charrnn.inference.stepping import BLOCK, Product, Stepper, StepWeights
from charrnn.model import GATES
from charrnn.text.vocabulary import Vocabulary
from tests.models import make_model

B, T = 5, 30
LETTERS = Vocabulary.of_text("abcdefghijklm")


def walked(network: Network, ids: np.ndarray, weights: StepWeights | None = None) -> np.ndarray:
    """Scores (T, B, V) along ids (T, B), one step at a time."""
    stepper = Stepper(weights or StepWeights(network), network.initial_state(ids.shape[1]))
    return np.stack([stepper.step(row).copy() for row in ids])


@pytest.mark.parametrize("hidden_size", [24, 37])
@pytest.mark.parametrize("embedding_size", [0, 5])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", GATES)
def test_steps_equal_the_sequence(cell: str, layers: int, embedding_size: int, hidden_size: int) -> None:
    network = make_model(LETTERS, cell, layers, hidden_size, embedding_size).network
    network.tensors["decoder.weight"] /= 6  # scores of the size that the tolerance is meant for
    ids = np.random.default_rng(1).integers(0, len(LETTERS), (T, B))
    wanted = network.logits(network.read(ids, network.initial_state(B)))
    np.testing.assert_allclose(walked(network, ids), wanted, atol=1e-5)
    np.testing.assert_allclose(walked(network, ids[:, :1]), wanted[:, :1], atol=1e-5)


@pytest.mark.parametrize("hidden_size", [24, 37, 256])
@pytest.mark.parametrize("cell", GATES)
def test_a_sample_has_the_same_bits_in_any_company(cell: str, hidden_size: int) -> None:
    network = make_model(LETTERS, cell, 2, hidden_size, 7).network
    ids = np.random.default_rng(2).integers(0, len(LETTERS), (T, 19))
    together = walked(network, ids)
    for company in ([0], [18], [3, 4], [18, 0, 7], list(range(8)), list(range(18, 0, -1))):
        assert np.array_equal(walked(network, ids[:, company]), together[:, company])


@pytest.mark.parametrize("cell", GATES)
def test_those_that_are_kept_go_on_as_before(cell: str) -> None:
    network = make_model(LETTERS, cell, 3, 24, 0).network
    ids = np.random.default_rng(3).integers(0, len(LETTERS), (T, B))
    wanted = walked(network, ids)
    stepper, staying = Stepper(StepWeights(network), network.initial_state(B)), np.arange(B)
    for t, row in enumerate(ids):
        assert np.array_equal(stepper.step(row[staying]), wanted[t, staying])
        if t in (4, 9):
            chosen = np.array([0, 2, 3]) if t == 4 else np.array([1])
            stepper, staying = stepper.kept(chosen), staying[chosen]
            assert np.array_equal(stepper.logits(), wanted[t, staying])


def test_the_start_predicts_the_first_symbol() -> None:
    network = make_model(LETTERS, "lstm", 2).network
    state = network.initial_state()
    np.testing.assert_allclose(Stepper(StepWeights(network), state).logits(), network.next_logits(state), atol=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (65, 256), (130, 300), (7, 5000), (3, 20_000)])
def test_products_of_any_shape(rows: int, columns: int) -> None:
    draw = np.random.default_rng(4)
    matrix = draw.standard_normal((rows, columns)).astype(np.float32)
    vectors = draw.standard_normal((6, columns)).astype(np.float32)
    product = Product(matrix)
    several, single = product.bound(vectors), product.bound(vectors[2:3])
    several.run()
    single.run()
    found = several.result.reshape(6, -1)
    np.testing.assert_allclose(found[:, :rows], vectors @ matrix.T, atol=1e-5 * columns)
    assert np.array_equal(found[2], single.result)
    assert not found[:, rows:].any()
    assert product.height * columns < BLOCK or product.height == 1
