import pytest

from charrnn.inference.scoring.lines import split_documents
from charrnn.text.vocabulary.base import Vocabulary
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary
from charrnn.text.vocabulary.words import WordVocabulary

TEXT = "ab\n\nba"


@pytest.mark.parametrize(
    "vocabulary",
    [CharVocabulary(map(ord, "ab")).with_marks(), WordVocabulary(["ab", "ba"]).with_marks()],
    ids=["characters", "words"],
)
def test_a_line_end_is_the_end_of_a_document_that_holds_none(vocabulary: Vocabulary) -> None:
    codes = vocabulary.tokenize(TEXT)
    found = list(split_documents(vocabulary, [codes[:2], codes[2:]]))
    assert [vocabulary.join(line) for line in found] == ["ab\0", "\0", "ba"]
    assert [vocabulary.end in vocabulary.lookup(line) for line in found] == [True, True, False]
    assert all(line.dtype == codes.dtype for line in found)
    assert "\n" in vocabulary.join(codes)  # the text itself is as it was


@pytest.mark.parametrize(
    "vocabulary",
    [CharVocabulary(map(ord, "\nab")).with_marks(), ByteVocabulary(range(256)).with_marks()],
    ids=["characters", "bytes"],
)
def test_a_line_end_that_documents_may_hold_is_left(vocabulary: Vocabulary) -> None:
    found = list(split_documents(vocabulary, [vocabulary.tokenize(TEXT)]))
    assert [vocabulary.join(line) for line in found] == ["ab\n", "\n", "ba"]
