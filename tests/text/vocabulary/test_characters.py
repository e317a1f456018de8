"""Symbols, ids and back."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import ModelFileError
from charrnn.text.vocabulary import vocabulary_from_json
from charrnn.text.vocabulary.base import UNKNOWN
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary


@given(text=st.text())
def test_any_text_comes_back(text: str) -> None:
    vocabulary = CharVocabulary.of_text(text)
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text.encode()
    assert vocabulary.encode(text.encode()).tolist() == ids.tolist()


@given(data=st.binary())
def test_any_bytes_come_back(data: bytes) -> None:
    vocabulary = ByteVocabulary.of_text(data)
    assert vocabulary.decode(vocabulary.encode(data)) == data


def test_what_it_does_not_have_is_unknown() -> None:
    vocabulary = CharVocabulary.of_text("hello")
    assert vocabulary.encode("hole!\U0001f600").tolist() == [1, 3, 2, 0, UNKNOWN, UNKNOWN]
    assert vocabulary.lookup(np.array([104, 200], dtype=np.uint8)).tolist() == [1, UNKNOWN]


def test_the_symbol_for_rare_characters_survives_the_file() -> None:
    merged = CharVocabulary([97, 98, 0xFFFD], unknown=2)
    assert merged.to_json() == {"tokens": "char", "symbols": "ab\ufffd", "unknown": 2}
    again = vocabulary_from_json(merged.to_json(), 3)
    assert again.unknown == 2
    assert again.never_generated == [2]
    plain = vocabulary_from_json({"tokens": "char", "symbols": "ab\ufffd"}, 3)
    assert plain.unknown is None
    assert plain.never_generated == []


@pytest.mark.parametrize("symbols", ["a\ud800", "\udcff"])
def test_symbols_that_are_no_text_are_refused(symbols: str) -> None:
    with pytest.raises(ModelFileError, match="it contains codes that are not characters"):
        vocabulary_from_json({"tokens": "char", "symbols": symbols}, len(symbols))


@pytest.mark.parametrize("unknown", [0, 3, -1, 2.0, True, "2", [2]])
def test_a_wrong_symbol_for_rare_characters_is_refused(unknown: Any) -> None:
    with pytest.raises(ModelFileError, match="is not U\\+FFFD"):
        vocabulary_from_json({"tokens": "char", "symbols": "ab\ufffd", "unknown": unknown}, 3)
