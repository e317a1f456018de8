"""The linear model of n-grams: it learns, is judged on texts that it has not seen, and NumPy agrees."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from charrnn.errors import TrainingError
from charrnn.inference.classification.classifier import NgramScorer
from charrnn.model.config import ClassifierConfig
from charrnn.text.documents.corpus import LabelledCorpus, read_labelled
from charrnn.text.ngrams import count_ngrams
from charrnn.text.settings import TextSettings
from charrnn.training.linear import selection
from charrnn.training.linear.calibration import log_loss
from charrnn.training.linear.regression import score_rows
from charrnn.training.linear.selection import FeatureMap, NgramModel, learn_ngrams

TEXTS = ["abc abc", "abd", "xyz", "xya"]
WORDS = ("red", "green", "blue", "black", "white")


def write_texts(folder: Path, count: int, seed: int = 0) -> LabelledCorpus:
    """Texts whose class is that of a word among others, one in ten mislabelled."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        key = draw.choice("abc")
        words = [draw.choice(WORDS) for _ in range(4)] + [f"x{key}z"]
        draw.shuffle(words)
        rows.append(f"{draw.choice('abc') if draw.random() < 0.1 else key}\t{' '.join(words)}")
    path = folder / "texts.tsv"
    path.write_text("\n".join(rows))
    return read_labelled([str(path)], TextSettings(task="classify"))


def learn(corpus: LabelledCorpus, share: float = 1.0) -> NgramModel:
    learned = learn_ngrams(corpus, corpus.valid, share, None, lambda: None)
    assert learned is not None
    return learned


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> LabelledCorpus:
    return write_texts(tmp_path_factory.mktemp("texts"), 300)


@pytest.fixture(scope="module")
def learned(corpus: LabelledCorpus) -> NgramModel:
    return learn(corpus)


def make_scorer(corpus: LabelledCorpus, learned: NgramModel) -> NgramScorer:
    sizes = (len(corpus.labels), False, "last", learned.features, learned.kinds)
    config = ClassifierConfig("rnn", 1, 2, 2, 9, *sizes)
    return NgramScorer(config, learned.tensors)


def test_it_tells_held_out_texts_apart(corpus: LabelledCorpus, learned: NgramModel) -> None:
    labels = corpus.valid.labels
    assert (learned.scores.argmax(axis=1) == labels).mean() > 0.8
    assert learned.accuracy == pytest.approx(0.93, abs=0.05)
    assert log_loss(learned.scores, labels) < 0.5  # as confident as it may be
    scores = make_scorer(corpus, learned).score(["black xbz", "xcz"])
    assert scores.argmax(axis=1).tolist() == [1, 2]


def test_numpy_scores_as_the_training_does(corpus: LabelledCorpus) -> None:
    texts = corpus.spell(corpus.train)
    counts = count_ngrams(texts)
    for kinds in (1, 2, 3):
        features = FeatureMap.learn(counts, kinds, 10**6)
        rows = features.make_rows(counts)
        weights = torch.randn(rows.width + 1, 3, generator=torch.Generator().manual_seed(0))
        model = NgramModel(kinds, 1.0, 0.5, features.to_tensors(weights), np.empty(0))
        scorer = make_scorer(corpus, model)
        np.testing.assert_allclose(scorer.score(texts), score_rows(rows, weights), rtol=1e-4, atol=1e-4)
        assert scorer.score([]).shape == (0, 3)


@pytest.mark.parametrize("share", [1.0, 1e-3])
def test_few_texts_are_all_validated_by_models_of_the_others(tmp_path: Path, share: float) -> None:
    corpus = write_texts(tmp_path, 50)
    assert corpus.valid is corpus.train
    learned = learn(corpus, share)
    assert learned.scores.shape == (50, 3)
    right = (learned.scores.argmax(axis=1) == corpus.train.labels).mean()
    assert right == pytest.approx(learned.accuracy)
    assert right < 1


def test_too_few_texts_have_no_such_model(tmp_path: Path) -> None:
    corpus = write_texts(tmp_path, 5)
    assert learn_ngrams(corpus, corpus.valid, 1.0, None, lambda: None) is None


def test_of_many_texts_some_are_enough(corpus: LabelledCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MOST_CHARACTERS", 1500)
    learned = learn(corpus, share=0.004)
    assert (learned.scores.argmax(axis=1) == corpus.valid.labels).mean() > 0.6


def test_a_saved_model_is_the_same(learned: NgramModel) -> None:
    again = NgramModel.from_state(learned.get_state(), learned.arrays())
    assert again.get_state() == learned.get_state()
    assert all((again.arrays()[name] == array).all() for name, array in learned.arrays().items())
    doubled = learned.scale(2)
    np.testing.assert_allclose(doubled["ngram.weight"], 2 * learned.tensors["ngram.weight"])
    assert (doubled["ngram.idf"] == learned.tensors["ngram.idf"]).all()


def test_a_model_that_another_version_saved_is_refused(learned: NgramModel) -> None:
    with pytest.raises(TrainingError, match=r"from another version of charrnn .* start over with --overwrite"):
        NgramModel.from_state({**learned.get_state(), "bits": 18}, learned.arrays())


def test_it_stops_on_request(corpus: LabelledCorpus) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn_ngrams(corpus, corpus.valid, 1.0, None, stop)


@pytest.mark.parametrize("kinds", [1, 2, 3])
def test_n_grams_of_two_texts_are_features_and_rare_ones_weigh_more(kinds: int) -> None:
    counts = count_ngrams(TEXTS)
    features = FeatureMap.learn(counts, kinds, 10**6)
    having = dict.fromkeys(counts.hashes.tolist(), 0)
    for text in TEXTS:
        for hashed in count_ngrams([text], kinds).hashes.tolist():
            having[hashed] += 1
    assert features.hashes.tolist() == sorted(hashed for hashed, texts in having.items() if texts >= 2)
    expected = [np.log(5 / (1 + having[hashed])) + 1 for hashed in features.hashes.tolist()]
    np.testing.assert_allclose(features.idf, expected, rtol=1e-6)


def test_rows_have_the_features_that_a_text_has() -> None:
    features = FeatureMap.learn(count_ngrams(TEXTS), 3, 10**6)
    rows = features.make_rows(count_ngrams(["abc", "\u4e2d"]))
    assert (len(rows), rows.width) == (2, len(features.hashes))
    dense = rows.to_matrix().to_dense().numpy()
    present = np.isin(features.hashes, count_ngrams(["abc"]).hashes)
    assert ((dense[0] > 0) == present).all()
    assert (dense[1] > 0).sum() == 1  # the space at its ends


def test_the_most_frequent_n_grams_are_kept_if_there_are_too_many() -> None:
    counts = count_ngrams(TEXTS)
    every = FeatureMap.learn(counts, 1, 10**6)
    some = FeatureMap.learn(counts, 1, len(every.hashes) - 1)
    assert 0 < len(some.hashes) < len(every.hashes)
    assert set(some.hashes.tolist()) < set(every.hashes.tolist())
    assert some.idf.max() < every.idf.max()
    assert not len(FeatureMap.learn(counts, 1, 0).hashes)
