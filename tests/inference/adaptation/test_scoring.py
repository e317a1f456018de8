"""Scores of a text as trained and adapted: side by side, and in a mixture that is never much worse."""

import numpy as np
import pytest

from charrnn.inference.adaptation.adapter import SEGMENT
from charrnn.inference.adaptation.scoring import LabelledAdaptedScorer, score_both, score_lines_both
from charrnn.inference.labelled import LabelledModel
from charrnn.inference.model import Model
from charrnn.inference.scoring.lines import score_lines, split_lines
from charrnn.inference.scoring.texts import score_text, sum_columns, sum_scores
from charrnn.model.config import LabelledConfig
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model

TEXT = "the cat sat on the mat.\nthe dog sat on the cat.\n" * 40


@pytest.fixture
def model() -> Model:
    return make_model(CharVocabulary.of_text(TEXT))


def test_the_plain_figures_stand_beside_the_adapted_ones(model: Model) -> None:
    vocabulary, codes = model.vocabulary, model.vocabulary.tokenize(TEXT + "?" + TEXT)
    pieces = [codes[:100], codes[100:]]
    blocks = list(score_both(model.network, vocabulary, pieces))
    assert (np.concatenate([block[0] for block in blocks]) == codes).all()
    plain, adapted = sum_columns(vocabulary, blocks, 2)
    assert plain == sum_scores(vocabulary, score_text(model.network, vocabulary, pieces))
    assert adapted.loss < plain.loss - 0.1
    assert (adapted.chars, adapted.unknown) == (plain.chars, 1)


def test_the_first_segment_has_the_plain_figure(model: Model) -> None:
    codes = model.vocabulary.tokenize(TEXT)
    _, plain, adapted = next(score_both(model.network, model.vocabulary, [codes]))
    assert adapted[: SEGMENT + 1] == pytest.approx(plain[: SEGMENT + 1], abs=1e-4)
    assert np.abs(adapted - plain)[SEGMENT + 1 :].max() > 0.1


def test_lines_are_scored_afresh_and_learned_from_together(model: Model) -> None:
    vocabulary = model.vocabulary
    lines = list(split_lines(vocabulary, [vocabulary.tokenize(TEXT)]))
    rows = list(score_lines_both(model.network, vocabulary, iter(lines)))
    assert [trained for _, trained, _ in rows] == [score for _, score in score_lines(model.network, vocabulary, lines)]
    assert rows[0][2].loss == pytest.approx(rows[0][1].loss, abs=0.05)
    assert rows[-1][2].loss < rows[-1][1].loss - 0.2


def test_texts_of_labels_are_learned_from_together() -> None:
    vocabulary = CharVocabulary.of_text("abcd").with_marks()
    config = LabelledConfig("gru", 1, 16, 0, len(vocabulary), 2)
    draw = np.random.default_rng(0)
    tensors = {name: draw.normal(0, 0.4, shape).astype(np.float32) for name, shape in config.shapes().items()}
    header = ModelHeader(config, vocabulary.to_json(), labels=("x", "y"), label_counts=(3, 1))
    model = LabelledModel(header, vocabulary, tensors)
    texts, classes = ["abcabc", "dada?"] * 60, [0, 1] * 60
    _, plain = model.evaluate(texts, classes)
    scorer = LabelledAdaptedScorer(model)
    first = scorer.score(texts[:2], classes[:2])
    assert first.loss == pytest.approx(model.evaluate(texts[:2], classes[:2])[1].loss, abs=1e-4)  # nothing learned yet
    rest = scorer.score(texts[2:], classes[2:])
    assert rest.loss < plain.loss - 0.05
    assert (first + rest).chars == plain.chars
    assert (first + rest).unknown == plain.unknown == 60
