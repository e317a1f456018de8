"""Writing with words: primes that end inside one, lengths, stops, and what is never written."""

import dataclasses

import numpy as np
import pytest

from charrnn.errors import GenerationError
from charrnn.inference.generation.samples import Sample
from charrnn.inference.model import Model, make_request
from charrnn.inference.settings import SamplingSettings
from charrnn.text.vocabulary.words import WordVocabulary
from tests.models import make_model

WORDS = ["The", " the", " there", " cat", " catch", " sat", " on", ".", "..", "\n", " ", "  ", "\ufffd"]


@pytest.fixture
def model() -> Model:
    return make_model(WordVocabulary(WORDS, unknown=len(WORDS) - 1))


def samples(model: Model, prime: str, length: int = 60, stop: tuple[str, ...] = (), count: int = 20) -> list[Sample]:
    start = model.prime(prime)
    request = make_request(SamplingSettings(temperature=1.5), length, stop, loss=True)
    request = dataclasses.replace(request, prefix=start.prefix)
    return list(model.samples(model.read(start.ids), seeds=range(count), request=request))


@pytest.mark.parametrize(
    ("prime", "read", "prefix"),
    [
        ("The ca", "The", " ca"),
        ("The cat", "The", " cat"),
        ("The cat ", "The cat", " "),
        ("The cat\n", "The cat\n", ""),
        ("The cat.", "The cat", "."),
        ("", "", ""),
    ],
)
def test_a_word_that_has_begun_is_completed(model: Model, prime: str, read: str, prefix: str) -> None:
    start = model.prime(prime)
    assert model.vocabulary.decode(start.ids).decode() == read
    assert start.prefix.decode() == prefix
    found = samples(model, prime)
    assert len({sample.text for sample in found}) > 5
    for sample in found:
        fitting = [word for word in WORDS if word.startswith(prefix)]
        joined = prefix + sample.text.decode()
        assert any(joined.startswith(word) for word in fitting)


def test_an_unknown_word_in_a_prime_is_named(model: Model) -> None:
    with pytest.raises(GenerationError, match="never seen 'dog', 'eats'; change the prime"):
        model.prime("The dog eats the")
    with pytest.raises(GenerationError, match="never seen 'zeb'"):
        model.prime("The zeb")
    assert model.prime("The dog sat", skip_unknown=True).ids.tolist() == [0, 12]


def test_a_text_ends_with_the_word_that_reaches_its_length(model: Model) -> None:
    for length in (1, 7, 60):
        for sample in samples(model, "The ca", length):
            assert sample.finish == "length"
            assert length <= len(sample.text.decode()) < length + max(map(len, WORDS))
    assert {sample.text for sample in samples(model, "The ca", 0)} == {b""}


def test_a_stop_is_found_across_words(model: Model) -> None:
    free, stopped = samples(model, "The", 200), samples(model, "The", 200, stop=("at on",))
    assert any(sample.finish == "stop" for sample in stopped)
    for whole, cut in zip(free, stopped, strict=True):
        at = whole.text.find(b"at on")
        assert cut.text == (whole.text if at < 0 else whole.text[:at])


def test_unknown_words_are_never_written(model: Model) -> None:
    assert all("\ufffd" not in sample.text.decode() for sample in samples(model, "", 300))


def test_the_loss_is_that_of_the_words_written(model: Model) -> None:
    for sample in samples(model, "", 40, count=5):
        ids = model.vocabulary.encode(sample.text)
        nats, state = [], model.network.initial_state()
        bias = np.where(np.arange(len(WORDS)) == len(WORDS) - 1, -np.inf, 0)
        for index in ids:
            scores = (model.network.next_logits(state)[0] + bias).astype(np.float64)
            nats.append(np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[index])
            model.network.read(np.array([[index]]), state)
        if model.vocabulary.decode(ids) == sample.text and sample.loss is not None:
            assert sample.loss == pytest.approx(float(np.sum(nats)) / len(sample.text), rel=1e-3)


def test_a_score_is_told_by_token_and_by_character(model: Model) -> None:
    found = model.score("The cat sat on the dog.")
    assert (found.tokens, found.chars, found.unknown) == (6, len("The cat sat on the."), 1)
    assert found.token_loss == pytest.approx(found.nats / 6)
    assert found.bpc == pytest.approx(found.nats / np.log(2) / found.chars)
