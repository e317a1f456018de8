"""Features of a linear model: which n-grams they are, and their weights."""

import numpy as np
import pytest

from charrnn.text.ngrams import count_ngrams
from charrnn.training.linear.features import FeatureMap

TEXTS = ["abc abc", "abd", "xyz", "xya"]


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
