"""The mixture of a network as trained and a copy that learns: its formula, and that it is never much worse."""

import math

import numpy as np
import pytest

from charrnn.inference.adaptation.adapter import Adapter
from charrnn.inference.adaptation.mixture import SHARE, AdaptedScorer
from charrnn.inference.model import Model
from charrnn.inference.scoring.texts import score_text
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model

TEXT = "the cat sat on the mat.\nthe dog sat on the cat.\n" * 40


@pytest.fixture
def model() -> Model:
    return make_model(CharVocabulary.of_text(TEXT))


def test_at_a_rate_of_zero_the_figures_are_the_plain_ones(model: Model) -> None:
    codes = model.vocabulary.tokenize(TEXT)
    plain = np.concatenate([nats for _, nats in score_text(model.network, model.vocabulary, [codes], streams=1)])
    assert AdaptedScorer(model.network, model.vocabulary, rate=0).score(codes, plain) == pytest.approx(plain, abs=1e-4)


def test_the_mixture_is_that_of_its_formula(model: Model) -> None:
    draw = np.random.default_rng(0)
    trained, learned = draw.exponential(1, 50), draw.exponential(1, 50)
    weight, weights, expected = 0.5, [], []
    for a, b in zip(np.exp(-trained), np.exp(-learned), strict=True):
        weights.append(weight)
        p = (1 - weight) * a + weight * b
        expected.append(-math.log(p))
        weight = (1 - SHARE) * weight * b / p + SHARE / 2
    scorer = AdaptedScorer(model.network, model.vocabulary)
    parts = [
        scorer.mix(t.astype(np.float32), s.astype(np.float32))
        for t, s in zip(*(np.split(x, [20]) for x in (trained, learned)), strict=True)
    ]
    assert np.concatenate(parts) == pytest.approx(expected, abs=1e-5)
    assert scorer.mean_weight == pytest.approx(np.mean(weights))


@pytest.mark.parametrize("worse", [0, 1])
def test_the_mixture_costs_little_more_than_the_better_of_its_parts(model: Model, worse: int) -> None:
    parts = [np.full(20_000, 1.0, dtype=np.float32)] * 2
    parts[worse] = np.tile(np.array([0.5, 3.0], dtype=np.float32), 10_000)
    assert AdaptedScorer(model.network, model.vocabulary).mix(*parts).mean() < 1.0 + 0.002


def test_the_adapted_part_of_the_mixture_is_the_adapter(model: Model) -> None:
    scorer, codes = AdaptedScorer(model.network, model.vocabulary), model.vocabulary.tokenize(TEXT)
    never = np.full(len(codes), 50.0, dtype=np.float32)  # a trained model that knows nothing
    nats = Adapter(model.network).read(model.vocabulary.encode(TEXT))
    assert scorer.score(codes, never)[20:] == pytest.approx(nats[20:], abs=0.01)
