"""Scorers by the kernel and by NumPy, against the definition."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.inference.generation.sampling import log_softmax
from charrnn.inference.network.language import Network
from charrnn.inference.scoring import scorer as module
from charrnn.inference.scoring.scorer import KernelScorer, NetworkScorer, Scorer, make_scorers
from charrnn.model.config import GATES, ModelConfig


def make_network(cell: str, layers: int = 2, hidden: int = 12, embedding: int = 5, symbols: int = 9) -> Network:
    config = ModelConfig(cell, layers, hidden, embedding, symbols)
    draw = np.random.default_rng(0)
    return Network(
        config,
        {name: draw.normal(0, hidden**-0.5, shape).astype(np.float32) for name, shape in config.shapes().items()},
    )


def define(network: Network, ids: Any) -> np.ndarray:
    """-ln p of ids (T, B), one step at a time by the definition."""
    state, nats = network.initial_state(ids.shape[1]), []
    for row in ids:
        nats.append(-log_softmax(network.next_logits(state))[np.arange(len(row)), row])
        network.read(row[None], state)
    return np.stack(nats)


def read_all(scorer: Scorer, ids: Any) -> np.ndarray:
    return np.concatenate([scorer.read(ids[k : k + scorer.steps]) for k in range(0, len(ids), scorer.steps)])


@settings(max_examples=40, deadline=None)
@given(
    cell=st.sampled_from(list(GATES)),
    layers=st.integers(1, 3),
    hidden=st.integers(1, 40),
    embedding=st.sampled_from([0, 5]),
    symbols=st.integers(1, 40),
    streams=st.integers(1, 19),
    steps=st.integers(1, 40),
)
def test_both_scorers_follow_the_definition(
    cell: str, layers: int, hidden: int, embedding: int, symbols: int, streams: int, steps: int
) -> None:
    network = make_network(cell, layers, hidden, embedding, symbols)
    ids = np.random.default_rng(1).integers(symbols, size=(steps, streams), dtype=np.int32)
    wanted = define(network, ids)
    made = make_scorers(network)(streams)
    assert isinstance(made, KernelScorer)
    for scorer in (made, NetworkScorer(network, streams)):
        np.testing.assert_allclose(read_all(scorer, ids), wanted, rtol=1e-4, atol=1e-5)


def test_a_large_table_is_not_made_and_scores_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL_TABLE", 100)
    monkeypatch.setattr(module, "PIECE", 70)
    for cell in GATES:
        network = make_network(cell)
        ids = np.random.default_rng(1).integers(9, size=(30, 7), dtype=np.int32)
        np.testing.assert_allclose(read_all(make_scorers(network)(7), ids), define(network, ids), rtol=1e-4, atol=1e-5)


def test_a_stream_s_bits_do_not_depend_on_the_others() -> None:
    network = make_network("lstm", hidden=37)
    ids = np.random.default_rng(1).integers(9, size=(20, 19), dtype=np.int32)
    make_scorer = make_scorers(network)
    together = read_all(make_scorer(19), ids)
    for stream in (0, 7, 18):
        assert np.array_equal(read_all(make_scorer(1), ids[:, stream : stream + 1])[:, 0], together[:, stream])


def test_impossible_symbols_and_overflow() -> None:
    network = make_network("lstm")
    network.decoder_bias[3] = -np.inf
    ids = np.array([[3, 1]], dtype=np.int32)
    nats = make_scorers(network)(2).read(ids)
    assert nats[0, 0] == np.inf
    assert np.isfinite(nats[0, 1])
    network.decoder_bias[2] = np.nan
    assert np.isnan(make_scorers(network)(2).read(ids)).all()


def test_without_llvmlite_numpy_scores() -> None:
    program = (
        "import sys; sys.modules['llvmlite'] = None; "
        "from tests.inference.scoring.test_scorer import make_network; "
        "from charrnn.inference.scoring.scorer import NetworkScorer, make_scorers; "
        "assert isinstance(make_scorers(make_network('gru'))(2), NetworkScorer)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("symbol", [-1, 9])
def test_ids_without_a_symbol_are_an_error(symbol: int) -> None:
    with pytest.raises(IndexError, match="from 0 to 8"):
        make_scorers(make_network("rnn"))(1).read(np.array([[symbol]], dtype=np.int32))
