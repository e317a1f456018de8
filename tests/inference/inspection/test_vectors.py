import numpy as np
import pytest

from charrnn.inference.inspection.trace_page import project_vectors, symbol_vectors
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model


@pytest.mark.parametrize("shape", [(30, 8), (8, 30), (5, 5), (4, 1), (1, 3)])
def test_the_map_is_that_of_a_singular_value_decomposition(shape: tuple[int, int]) -> None:
    vectors = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    found = project_vectors(vectors)
    left, values, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    wanted = np.pad((left * values)[:, :2], ((0, 0), (0, max(0, 2 - len(values)))))
    np.testing.assert_allclose(np.abs(found.places), np.abs(wanted), atol=1e-4)
    assert (found.places.max(axis=0) >= -found.places.min(axis=0) - 1e-4).all()
    if shape[0] > 1:
        shares = np.pad(values**2 / (values**2).sum(), (0, 1))[:2]
        np.testing.assert_allclose(found.shares, shares, atol=1e-5)


def test_vectors_are_embeddings_or_input_weights() -> None:
    vocabulary = CharVocabulary.of_text("abcd")
    embedded = make_model(vocabulary, embedding_size=3).network
    assert np.array_equal(symbol_vectors(embedded), embedded.tensors["embedding.weight"])
    one_hot = make_model(vocabulary, hidden_size=6).network
    assert symbol_vectors(one_hot).shape == (4, 24)
    assert np.array_equal(symbol_vectors(one_hot)[2], one_hot.tensors["rnn.weight_ih_l0"][:, 2])
