import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from charrnn.errors import CorpusError
from charrnn.inference.network.language import Network
from charrnn.inference.scoring.texts import score_ids
from charrnn.model.config import ModelConfig
from charrnn.training.devices.workers import Workers
from charrnn.training.network.language import CharRNN
from charrnn.training.tasks import language_validation as evaluation
from charrnn.training.tasks.language_validation import WARM_UP, Validation, count_validated
from tests.devices import CPU, on_devices
from tests.training.runs import measure_in_two


@pytest.fixture
def network() -> CharRNN:
    torch.manual_seed(0)
    network = CharRNN(ModelConfig("lstm", 1, 16, 4, 6))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.6)
    return network


def single_stream(network: CharRNN, ids: np.ndarray) -> float:
    """Mean nats per character read as one stream, the first character from the initial state."""
    state = network.initial_state(1)
    column = torch.from_numpy(ids.astype(np.int64))[:, None]
    with torch.no_grad():
        after, _ = network(column, state)
        logits = torch.cat([network.next_logits(state)[None], after[:-1]])
        return F.cross_entropy(logits[:, 0], column[:, 0]).item()


@on_devices
@pytest.mark.parametrize("length", [1, 2, 100, 4 * WARM_UP - 1, 8 * WARM_UP + 17, 30_011])
def test_pieces_read_side_by_side_give_the_figure_of_one_stream(
    network: CharRNN, length: int, device: torch.device
) -> None:
    ids = np.random.default_rng(length).integers(0, 6, length).astype(np.int32)
    validation = Validation(ids, device, 6)
    assert validation.chars == length
    expected = pytest.approx(single_stream(network, ids), rel=1e-3 if length > 2000 else 1e-5)
    network.to(device)
    assert validation.measure(network, Workers(1, None)) == expected
    if device.type == "cpu":
        assert validation.measure(network, Workers(16, 2)) == expected


def test_large_vocabularies_are_scored_in_smaller_chunks(network: CharRNN, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.random.default_rng(1).integers(0, 6, 300).astype(np.int32)
    whole = Validation(ids, CPU, 6).measure(network, Workers(1, None))
    monkeypatch.setattr(evaluation, "SCORES", 1)
    assert Validation(ids, CPU, 6).measure(network, Workers(1, None)) == pytest.approx(whole, rel=1e-5)


def test_a_long_text_is_sampled_evenly(network: CharRNN, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MAX_CHARS", 64 * 300)
    monkeypatch.setattr(evaluation, "WARM_UP", 64)
    ids = np.random.default_rng(1).integers(0, 6, 100_000).astype(np.int32)
    validation = Validation(ids, CPU, 6)
    assert validation.chars == count_validated(len(ids), 6) == 64 * 300
    assert validation._ids.numel() <= 64 * (300 + 64)
    places = np.arange(64) * (100_000 - 300) // 63
    nats = score_ids(Network(network.config, network.export()), ids, streams=1)
    expected = np.mean([nats[place : place + 300].mean() for place in places])
    assert validation.measure(network, Workers(16, 2)) == pytest.approx(expected, rel=1e-3)


def test_merged_characters_do_not_count(network: CharRNN) -> None:
    ids = np.random.default_rng(1).integers(0, 6, 400).astype(np.int32)
    nats = score_ids(Network(network.config, network.export()), ids, streams=1)
    validation = Validation(ids, CPU, 6, unknown=3)
    assert validation.chars == (ids != 3).sum()
    assert validation.measure(network, Workers(1, None)) == pytest.approx(nats[ids != 3].mean(), rel=1e-4)
    with pytest.raises(CorpusError, match="only rare characters"):
        Validation(np.full(9, 3, dtype=np.int32), CPU, 6, unknown=3)


def test_a_large_vocabulary_is_validated_on_fewer_characters() -> None:
    assert count_validated(10**7, 100) == evaluation.MAX_CHARS
    assert count_validated(10**7, 10_000) == evaluation.MAX_SCORES // 10_000
    assert count_validated(10**7, 10**6) == evaluation.MIN_CHARS
    assert count_validated(1000, 10**6) == 1000


def test_a_limit_is_kept(network: CharRNN) -> None:
    ids = np.random.default_rng(1).integers(0, 6, 100_000).astype(np.int32)
    assert Validation(ids, CPU, 6, most=5000).chars == count_validated(len(ids), 6, 5000) == 5000


def test_processes_report_the_same_shares_at_once(network: CharRNN, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SCORES", 6 * 7 * 50)  # of 7 columns in 50 time steps
    ids = np.random.default_rng(1).integers(0, 6, 4 * WARM_UP * 7).astype(np.int32)  # 7 pieces: 3 and 4
    validation = Validation(ids, CPU, 6)
    loss, shares = measure_in_two(validation, network)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 10
    assert loss == pytest.approx(validation.measure(network, Workers(1, None)), rel=1e-5)
