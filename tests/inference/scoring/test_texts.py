"""The figures of a text: the same for every layout, in blocks or whole, by line or by character."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import CorpusError, GenerationError
from charrnn.inference.generation.sampling import log_softmax
from charrnn.inference.network.language import Network
from charrnn.inference.scoring import lines
from charrnn.inference.scoring import texts as scoring
from charrnn.inference.scoring.lines import score_lines, split_lines
from charrnn.inference.scoring.texts import score_ids, score_text, sum_scores
from charrnn.model.config import ModelConfig
from charrnn.model.file import MAX_WEIGHT
from charrnn.text import reading
from charrnn.text.vocabulary.base import MergedTokens
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.text.vocabulary.words import WordVocabulary

SYMBOLS = "\nabcdefgh"


def network_of(symbols: int, cell: str = "lstm", layers: int = 1, seed: int = 0) -> Network:
    config = ModelConfig(cell, layers, hidden_size=12, embedding_size=5, vocab_size=symbols)
    generator = np.random.default_rng(seed)
    drawn = {name: generator.normal(0, 0.5, shape).astype(np.float32) for name, shape in config.shapes().items()}
    return Network(config, drawn)


def naive(network: Network, ids: Any) -> list[float]:
    """One character at a time, by the definition."""
    state = network.initial_state()
    found = []
    for index in ids:
        found.append(-float(log_softmax(network.next_logits(state))[0, index]))
        network.read(np.array([[index]]), state)
    return found


def some_text(length: int, seed: int = 1) -> str:
    return "".join(np.random.default_rng(seed).choice(list(SYMBOLS), length))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_one_stream_is_the_definition(cell: str) -> None:
    network = network_of(9, cell, layers=2)
    ids = np.random.default_rng(2).integers(9, size=150, dtype=np.int32)
    assert score_ids(network, ids, streams=1) == pytest.approx(naive(network, ids), abs=1e-4)
    assert score_ids(network, ids, streams=1, context=40) == pytest.approx(naive(network, ids)[40:], abs=1e-4)


@pytest.mark.parametrize("streams", [2, 5, 64])
@pytest.mark.parametrize("block", [700, 4000, 10**6])
def test_every_layout_gives_the_figure_of_one_stream(monkeypatch: pytest.MonkeyPatch, streams: int, block: int) -> None:
    vocabulary = CharVocabulary.of_text(SYMBOLS)
    network, text = network_of(9), some_text(20_000)
    one = score_ids(network, vocabulary.encode(text), streams=1).mean(dtype=np.float64)
    monkeypatch.setattr(scoring, "BLOCK", block)
    pieces = [vocabulary.tokenize(text[begin : begin + 333]) for begin in range(0, len(text), 333)]
    scored = list(score_text(network, vocabulary, pieces, streams=streams))
    assert sum(len(codes) for codes, _ in scored) == len(text)
    found = sum_scores(vocabulary, scored)
    assert found.chars == len(text)
    assert found.loss == pytest.approx(one, rel=1e-3)
    assert found.bpc == pytest.approx(found.loss / math.log(2))
    assert found.perplexity == pytest.approx(math.exp(found.loss))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_largest_weights_that_a_file_may_hold_do_not_overflow(cell: str) -> None:
    network = network_of(9, cell, layers=2)
    drawn = {name: np.sign(tensor) * np.float32(MAX_WEIGHT) for name, tensor in network.tensors.items()}
    network = Network(network.config, drawn)
    with np.errstate(over="raise", invalid="raise"):
        assert np.isfinite(score_ids(network, np.arange(9, dtype=np.int32).repeat(9))).all()


def test_scores_that_overflow_are_no_unknown_characters() -> None:
    vocabulary = CharVocabulary.of_text(SYMBOLS)
    network = network_of(9)
    network.tensors["decoder.weight"][:] = 3e38
    codes = vocabulary.tokenize("abc")
    with np.errstate(all="ignore"):
        with pytest.raises(GenerationError, match="the model's scores overflow"):
            list(score_text(network, vocabulary, [codes]))
        with pytest.raises(GenerationError, match="the model's scores overflow"):
            list(score_lines(network, vocabulary, [codes]))


def test_unknown_characters_are_counted_apart() -> None:
    vocabulary = CharVocabulary.of_text(SYMBOLS)
    network = network_of(9)
    [(codes, nats)] = score_text(network, vocabulary, [vocabulary.tokenize("ab~cd語")])
    assert np.isnan(nats).tolist() == [False, False, True, False, False, True]
    assert nats[~np.isnan(nats)] == pytest.approx(naive(network, vocabulary.encode("abcd")), abs=1e-4)
    found = sum_scores(vocabulary, [(codes, nats)])
    assert (found.chars, found.unknown) == (4, 2)


def test_merged_characters_are_read_but_have_no_probability() -> None:
    vocabulary = CharVocabulary([97, 98, 0xFFFD], unknown=2)
    network = network_of(3)
    [(_, nats)] = score_text(network, vocabulary, [vocabulary.tokenize("a~b\ufffda")])
    assert np.isnan(nats).tolist() == [False, True, False, True, False]
    expected = np.array(naive(network, [0, 2, 1, 2, 0]))[[0, 2, 4]]
    assert nats[[0, 2, 4]] == pytest.approx(expected, abs=1e-4)


def test_nothing_to_score() -> None:
    vocabulary = CharVocabulary.of_text(SYMBOLS)
    for text in ("", "~~"):
        found = sum_scores(vocabulary, score_text(network_of(9), vocabulary, [vocabulary.tokenize(text)]))
        assert math.isnan(found.loss)
        assert (found.chars, found.unknown) == (0, len(text))


def test_progress_reaches_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BLOCK", 3000)
    vocabulary = CharVocabulary.of_text(SYMBOLS)
    told: list[tuple[int, int]] = []
    pieces = [vocabulary.tokenize(some_text(1000, seed)) for seed in range(7)]
    assert len(list(score_text(network_of(9), vocabulary, pieces, lambda *far: told.append(far)))) == 3
    assert told[0] == (0, 3000)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {3000, 6000, 7000}


@given(st.lists(st.lists(st.integers(9, 11), max_size=9), max_size=9))
def test_lines_are_cut_after_their_ends(pieces: list[list[int]]) -> None:
    arrays = [np.array(piece, dtype=np.uint8) for piece in pieces]
    whole = b"".join(array.tobytes() for array in arrays)
    expected = whole.split(b"\n")
    found = [line.tobytes() for line in split_lines(CharVocabulary([]), arrays)]
    assert b"".join(found) == whole
    assert [line.removesuffix(b"\n") for line in found] == (expected if expected[-1] else expected[:-1])


def test_an_endless_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 10)
    piece = np.full(6, ord("a"), dtype=np.uint8)
    with pytest.raises(CorpusError, match="a line is longer than 10 characters"):
        list(split_lines(CharVocabulary([]), [piece, piece, piece]))


@pytest.mark.parametrize(("window", "beside", "long"), [(2**19, 256, 2**15), (50, 3, 20)])
def test_every_line_begins_afresh(monkeypatch: pytest.MonkeyPatch, window: int, beside: int, long: int) -> None:
    monkeypatch.setattr(lines, "WINDOW", window)
    monkeypatch.setattr(lines, "BATCH", beside)
    monkeypatch.setattr(lines, "LONG", long)
    vocabulary = CharVocabulary.of_text(SYMBOLS)
    network = network_of(9)
    text = some_text(400) + "\n\n~~\nab~c" + "abcdefgh" * 9
    pieces = [vocabulary.tokenize(text[begin : begin + 37]) for begin in range(0, len(text), 37)]
    found = list(score_lines(network, vocabulary, split_lines(vocabulary, pieces)))
    wanted = text.splitlines(keepends=True)
    assert [line.tolist() for line, _ in found] == [list(map(ord, line)) for line in wanted]
    for line, (_, got) in zip(wanted, found, strict=True):
        ids = vocabulary.encode(line)
        known = ids[ids >= 0]
        assert (got.chars, got.unknown) == (len(known), len(ids) - len(known))
        if len(known):
            assert got.loss == pytest.approx(np.mean(naive(network, known)), abs=1e-4)


def test_unknown_characters_are_charged_as_if_all_were_equally_likely() -> None:
    small, large = CharVocabulary.of_text("ab"), CharVocabulary.of_text(SYMBOLS)
    network, codes = network_of(2), small.tokenize("abxyba")
    score = sum_scores(small, score_text(network, small, [codes]))
    assert (score.chars, score.unknown_chars) == (4, 2)
    assert score.unknown_share == pytest.approx(1 / 3)
    assert score.charged_loss == pytest.approx((score.nats + 2 * math.log(2)) / 6)
    whole = sum_scores(large, score_text(network_of(9), large, [large.tokenize("abba")]))
    assert (whole.unknown_share, whole.charged_loss) == (0, whole.loss)


def test_the_characters_of_unknown_words_are_counted() -> None:
    vocabulary = WordVocabulary([" an", "\ufffd"], unknown=1, merged=MergedTokens(30, 4.0))
    codes = vocabulary.tokenize(" an elephant an")
    score = sum_scores(vocabulary, score_text(network_of(2), vocabulary, [codes]))
    assert (score.unknown, score.unknown_chars) == (1, len(" elephant"))
    assert score.unknown_nats == pytest.approx(9 * math.log(30))
    assert (score + score).charged_loss == pytest.approx(score.charged_loss)
