import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.inference.generation.sampling import MIN_TEMPERATURE, Sampler, log_softmax
from charrnn.inference.generation.writer import KernelWriter, Weights
from charrnn.inference.network.language import Floats
from charrnn.native.processor import Tiling
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.inference.generation.kernel.kernels import TILINGS, build_kernel
from tests.models import make_model


def chosen(logits: Floats, sampler: Sampler, uniforms: np.ndarray, tiling: Tiling) -> list[int]:
    """What the kernel chooses for each of uniforms (n,), from scores (V,); its nats are held against NumPy's, too."""
    letters = CharVocabulary(range(0x4E00, 0x4E00 + len(logits)))
    network = make_model(letters, "rnn", hidden_size=4).network
    writer = KernelWriter(Weights(network, build_kernel("rnn", tiling)), network.initial_state(), sampler, loss=True)
    scores = np.full(writer.scores.shape[1], -np.inf, dtype=np.float32)
    scores[: len(logits)] = logits
    chances, found = np.empty(2), []
    for uniform in uniforms:
        pointers = scores.ctypes.data, 0.0 if sampler.greedy else uniform, chances.ctypes.data
        found.append(writer.kernel.choose(writer.batch, scores.ctypes.data, *pointers))
        nats = np.log(chances[1]) - chances[0]
        assert nats == pytest.approx(-log_softmax(logits)[found[-1]], rel=1e-4, abs=1e-5)
    return found


def agree(logits: Floats, sampler: Sampler, uniforms: np.ndarray, tiling: Tiling) -> None:
    """Hold the kernel's choices against the definition, where that is not on an edge."""
    found = chosen(logits, sampler, uniforms, tiling)
    if sampler.greedy:
        assert set(found) == {int(logits.argmax())}
        return
    weights = sampler.weights(logits[None]).astype(np.float64)[0]
    shares = weights.cumsum() / weights.sum()
    for symbol, uniform in zip(found, uniforms, strict=True):
        assert weights[symbol] > 0
        assert shares[symbol] > uniform - 1e-5
        assert shares[symbol] - weights[symbol] / weights.sum() <= uniform + 1e-5


@settings(max_examples=80, deadline=None)
@given(
    size=st.integers(1, 70) | st.just(1000),
    spread=st.floats(0, 30),
    temperature=st.sampled_from([0.0, MIN_TEMPERATURE, 0.5, 1.0, 7.0, 100.0]),
    top_k=st.none() | st.integers(1, 80),
    min_p=st.none() | st.floats(0, 1),
    tiling=st.sampled_from(TILINGS),
    seed=st.integers(0, 2**32),
)
def test_choices_follow_the_definition(
    size: int, spread: float, temperature: float, top_k: int | None, min_p: float | None, tiling: Tiling, seed: int
) -> None:
    numbers = np.random.default_rng(seed)
    logits = (spread * numbers.standard_normal(size)).round(3).astype(np.float32)
    uniforms = np.append(numbers.random(4), [0.0, 1 - 2**-53])
    try:
        agree(logits, Sampler(temperature, top_k, None, min_p), uniforms, tiling)
    except AssertionError:
        # A weight on the border of min-p may fall to either side.
        if min_p is None or temperature < 0.1:
            raise
        agree(logits, Sampler(temperature, top_k, None, min_p * (1 + 1e-5)), uniforms, tiling)


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("top_k", [None, 7, 5000])
@pytest.mark.parametrize("top_p", [1e-9, 0.3, 0.9, 0.999])
def test_top_p_keeps_what_the_definition_keeps(top_p: float, top_k: int | None, tiling: Tiling) -> None:
    numbers = np.random.default_rng(3)
    for size in (2, 65, 900):
        logits = (2 * numbers.standard_normal(size)).astype(np.float32)
        agree(logits, Sampler(0.8, top_k, top_p), numbers.random(50), tiling)


def test_equally_likely_symbols_share_their_fate() -> None:
    logits = np.log(np.array([0.2, 0.4, 0.2, 0.2], dtype=np.float32))
    uniforms = np.linspace(0, 0.999, 40)
    for sampler in (Sampler(top_k=2), Sampler(top_p=0.5), Sampler(min_p=0.4)):
        assert set(chosen(logits, sampler, uniforms, TILINGS[0])) == {0, 1, 2, 3}
    assert set(chosen(logits, Sampler(top_k=1), uniforms, TILINGS[0])) == {1}


def test_scores_that_are_no_numbers_choose_a_symbol_all_the_same() -> None:
    letters = CharVocabulary.of_text("abc")
    network = make_model(letters, "rnn", hidden_size=4).network
    for tiling in TILINGS:
        for sampler in (Sampler(), Sampler(0.0), Sampler(1.0, 2, 0.5, 0.1)):
            writer = KernelWriter(Weights(network, build_kernel("rnn", tiling)), network.initial_state(), sampler)
            for bad in (np.nan, -np.inf, np.inf):
                scores = np.full(writer.scores.shape[1], bad, dtype=np.float32)
                assert 0 <= writer.kernel.choose(writer.batch, *[scores.ctypes.data] * 2, 0.7, None) < 3
