"""Classifying texts of any length."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from charrnn.inference.classification import classifier as module
from charrnn.inference.classification.classifier import Classifier, NgramScorer, chunk_rows
from charrnn.inference.inspection.course import follow
from charrnn.inference.network.classifier import CHUNK, ClassifierNetwork
from charrnn.model.config import HASHES, ClassifierConfig
from charrnn.model.header import ModelHeader
from charrnn.text.ngrams import count_ngrams
from charrnn.text.vocabulary.characters import CharVocabulary

LABELS = ("first", "second")


def make_classifier(ngrams: int = 0) -> Classifier:
    vocabulary = CharVocabulary(map(ord, "\0abcd\ufffd"), unknown=5, end=0)
    hashes: NDArray[Any] = np.unique(count_ngrams(["abc dab", "abcd"]).hashes)[:ngrams]
    sizes = (len(vocabulary), len(LABELS), True, "all", ngrams, 3 if ngrams else 0)
    config = ClassifierConfig("gru", 2, 16, 3, *sizes)
    draw = np.random.default_rng(0)
    tensors: dict[str, Any] = {
        name: draw.normal(0, 0.5, shape).astype(np.float32) for name, shape in config.shapes().items()
    }
    header = ModelHeader(config, vocabulary.to_json(), {}, "classify", LABELS, (1, 1))
    scorer = NgramScorer(config, {**tensors, HASHES: hashes}) if ngrams else None
    return Classifier(header, vocabulary, ClassifierNetwork(config, tensors), scorer)


@pytest.fixture
def classifier() -> Classifier:
    return make_classifier()


def test_memory_does_not_grow_with_the_length_of_a_text(classifier: Classifier) -> None:
    def measure_peak(length: int) -> int:
        text = "abcd" * (length // 4)
        classifier.log_probabilities([text[:100]])
        tracemalloc.start()
        try:
            classifier.log_probabilities([text])
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # Some tens of bytes for the ids of each character; the outputs alone of one layer would take 128.
    assert measure_peak(20 * CHUNK) - measure_peak(2 * CHUNK) < 64 * 18 * CHUNK


def test_long_texts_come_in_smaller_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_CHARACTERS", 10)
    assert list(chunk_rows(iter(["a" * 4] * 4 + ["b" * 30, "c"]))) == [["aaaa"] * 3, ["aaaa", "b" * 30], ["c"]]
    assert list(chunk_rows(["a"] * 5, 2)) == [["a", "a"], ["a", "a"], ["a"]]


def test_scores_of_network_and_n_grams_are_added() -> None:
    mixed, texts = make_classifier(ngrams=30), ["abc dab", "d", "XYZ abc"]
    network, ngrams = mixed.score_parts(texts)
    assert abs(ngrams[0] - ngrams[2]).min() > 0.01
    total = network + ngrams
    expected = total - np.log(np.exp(total).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(mixed.log_probabilities(texts), expected, atol=1e-12)
    along = mixed.running_probabilities(texts[0])
    assert along.shape == (len(texts[0]) + 1, len(LABELS))
    np.testing.assert_allclose(along[-1], np.exp(expected[0]), rtol=1e-5)


def test_a_text_without_known_n_grams_gets_the_bias() -> None:
    known: NDArray[Any] = np.setdiff1d(count_ngrams(["abcd"]).hashes, count_ngrams([""]).hashes)
    config = ClassifierConfig("rnn", 1, 2, 2, 6, len(LABELS), False, "last", len(known), 3)
    draw = np.random.default_rng(0)
    tensors: dict[str, Any] = {name: draw.normal(size=shape) for name, shape in config.shapes().items()}
    scores = NgramScorer(config, {**tensors, HASHES: known}).score(["", "abcd", "XYZ"])
    np.testing.assert_allclose(scores[[0, 2]], np.tile(tensors["ngram.bias"], (2, 1)), rtol=1e-6)
    assert abs(scores[1] - scores[0]).min() > 0.01


def test_a_course_tells_what_network_and_n_grams_add() -> None:
    mixed = make_classifier(ngrams=30)
    course = follow(mixed, "abcd")
    network, ngrams = (scores[0] for scores in mixed.score_parts(["abcd"]))
    other = 1 - course.label
    assert course.sums["network"] == pytest.approx(network[course.label] - network[other])
    assert course.sums["n-grams"] == pytest.approx(ngrams[course.label] - ngrams[other])
    assert course.explanation.startswith("network ")
    assert follow(make_classifier(), "abcd").sums == {}
