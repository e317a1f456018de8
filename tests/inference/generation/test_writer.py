import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from charrnn.inference.generation.kernel.compiled import load_kernel
from charrnn.inference.generation.sampling import Sampler
from charrnn.inference.generation.writer import KernelWriter, PlainWriter, Weights, Writer, make_writer
from charrnn.inference.network.language import Network
from charrnn.model.config import GATES
from charrnn.native.processor import Tiling
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.inference.generation.kernel.kernels import TILINGS, build_kernel
from tests.models import make_model

B, T = 5, 30
LETTERS = CharVocabulary.of_text("abcdefghijklm")


def walk(network: Network, ids: np.ndarray, tiling: Tiling = TILINGS[0], weights: Weights | None = None) -> np.ndarray:
    """Scores (1 + T, B, V) before and along ids (T, B), one step at a time."""
    weights = weights or Weights(network, build_kernel(network.config.cell, tiling))
    batch = ids.shape[1]
    writer = KernelWriter(weights, network.initial_state(batch), Sampler())
    found = [scores_of(writer)]
    for row in ids:
        writer.pending[:] = row
        found.append(scores_of(writer))
    return np.stack(found)


def scores_of(writer: KernelWriter) -> np.ndarray:
    """Scores (B, V) after one more step."""
    samples = len(writer.pending)
    writer.write(np.zeros((1, samples)))
    return writer.scores[:samples, : len(LETTERS)].copy()


def wanted_of(network: Network, ids: np.ndarray) -> np.ndarray:
    state = network.initial_state(ids.shape[1])
    first = network.next_logits(state)
    return np.concatenate([first[None], network.logits(network.read(ids, state))])


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("hidden_size", [1, 24, 37])
@pytest.mark.parametrize("embedding_size", [0, 5])
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("cell", GATES)
def test_steps_equal_the_sequence(
    cell: str, layers: int, embedding_size: int, hidden_size: int, tiling: Tiling
) -> None:
    network = make_model(LETTERS, cell, layers, hidden_size, embedding_size).network
    network.tensors["decoder.weight"] /= 6  # scores of the size that the tolerance is meant for
    ids = np.random.default_rng(1).integers(0, len(LETTERS), (T, B))
    wanted = wanted_of(network, ids)
    np.testing.assert_allclose(walk(network, ids, tiling), wanted, atol=1e-5)
    np.testing.assert_allclose(walk(network, ids[:, :1], tiling), wanted[:, :1], atol=1e-5)


@pytest.mark.parametrize("cell", GATES)
def test_steps_equal_the_sequence_at_a_usual_size(cell: str) -> None:
    network = make_model(LETTERS, cell, 2, 256).network
    network.tensors["decoder.weight"] /= 6
    ids = np.random.default_rng(1).integers(0, len(LETTERS), (20, 70))
    np.testing.assert_allclose(walk(network, ids), wanted_of(network, ids), atol=1e-5)


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("hidden_size", [24, 37, 256])
@pytest.mark.parametrize("cell", GATES)
def test_a_sample_has_the_same_bits_in_any_company(cell: str, hidden_size: int, tiling: Tiling) -> None:
    network = make_model(LETTERS, cell, 2, hidden_size, 7).network
    ids = np.random.default_rng(2).integers(0, len(LETTERS), (T, 19))
    weights = Weights(network, build_kernel(cell, tiling))
    together = walk(network, ids, weights=weights)
    for company in ([0], [18], [3, 4], [18, 0, 7], list(range(8)), list(range(18, 0, -1))):
        assert np.array_equal(walk(network, ids[:, company], weights=weights), together[:, company])


@pytest.mark.parametrize("samples", range(1, 71))
def test_samples_of_any_number_choose_as_each_alone(samples: int) -> None:
    network = make_model(LETTERS, "gru", 2).network
    weights = Weights(network, load_kernel("gru"))
    uniforms = np.random.default_rng(5).random((12, 70))
    start, sampler = network.initial_state(), Sampler(0.9, top_k=9, top_p=0.95)
    symbols, nats = make_writer(weights, start.repeat(samples), sampler, loss=True).write(uniforms[:, :samples])
    last = samples - 1
    alone, nats_alone = make_writer(weights, start, sampler, loss=True).write(uniforms[:, last, None])
    assert np.array_equal(alone[:, 0], symbols[:, last])
    assert np.array_equal(nats_alone[:, 0], nats[:, last])


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_selected_samples_go_on_as_before(cell: str, plain: bool) -> None:
    network = make_model(LETTERS, cell, 3, 24, 0).network
    weights = Weights(network, None if plain else build_kernel(cell, TILINGS[0]))
    uniforms = np.random.default_rng(3).random((T, B))

    def fresh() -> Writer:
        return make_writer(weights, network.initial_state().repeat(B), Sampler(), loss=True)

    wanted, nats = fresh().write(uniforms)
    writer, staying = fresh().select(np.arange(B)), np.arange(B)
    assert writer is not None
    for first, last, chosen in ((0, 4, [0, 2, 3]), (4, 9, [1]), (9, T, [0])):
        found, found_nats = writer.write(uniforms[first:last, staying])
        assert np.array_equal(found, wanted[first:last, staying])
        assert np.array_equal(found_nats, nats[first:last, staying])
        writer, staying = writer.select(np.array(chosen)), staying[chosen]
        assert writer is not None


@pytest.mark.parametrize("cell", GATES)
def test_both_ways_of_writing_write_the_same(cell: str) -> None:
    network = make_model(LETTERS, cell, 2, embedding_size=4).network
    uniforms = np.random.default_rng(4).random((50, 3))
    start, sampler = network.initial_state(), Sampler(0.8, top_k=10, top_p=0.9, min_p=0.01)
    symbols, nats = make_writer(
        Weights(network, build_kernel(cell, TILINGS[1])), start.repeat(3), sampler, loss=True
    ).write(uniforms)
    states = [start.copy() for _ in range(3)]
    plain, plain_nats = PlainWriter(network, states, sampler, loss=True).write(uniforms)
    assert np.array_equal(symbols, plain)
    np.testing.assert_allclose(nats, plain_nats, atol=1e-4)


def test_threads_that_share_a_table_write_the_same_text_in_every_run() -> None:
    # Sizes at which NumPy releases the global interpreter lock while it fills a row.
    letters = CharVocabulary(range(0x4E00, 0x4E00 + 2000))
    network = make_model(letters, hidden_size=256).network
    use = load_kernel("lstm")
    samples = 32
    uniforms = np.random.default_rng(6).random((3, 40, samples))
    start = network.initial_state().repeat(samples)

    def write(weights: Weights, barrier: threading.Barrier, draws: np.ndarray) -> np.ndarray:
        barrier.wait()
        return make_writer(weights, start, Sampler(), loss=False).write(draws)[0]

    alone = [write(Weights(network, use), threading.Barrier(1), draws) for draws in uniforms]
    with ThreadPoolExecutor(len(uniforms)) as pool:
        for _ in range(6):
            barrier, weights = threading.Barrier(len(uniforms)), Weights(network, use)
            together = list(pool.map(write, [weights] * 3, [barrier] * 3, uniforms))
            assert all(map(np.array_equal, together, alone))
