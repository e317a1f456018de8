"""What all kinds of vocabulary have in common."""

import json

import numpy as np
import pytest

from charrnn.errors import ModelFileError
from charrnn.text.vocabulary import vocabulary_from_json
from charrnn.text.vocabulary.base import Vocabulary
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary
from charrnn.text.vocabulary.words import WordVocabulary

TEXT = "caf\u00e9 au lait\n"
KINDS = (
    CharVocabulary.of_text(TEXT),
    ByteVocabulary.of_text(TEXT.encode()),
    WordVocabulary(["caf\u00e9", " au", " lait", "\n"]),
)
each_kind = pytest.mark.parametrize("vocabulary", KINDS, ids=lambda vocabulary: vocabulary.tokens)


def test_every_code_has_a_label_of_one_line() -> None:
    for vocabulary, count in ((CharVocabulary([]), 300), (ByteVocabulary([]), 256)):
        for code in [*range(count), *([0x2028, 0x1F600, 0xFFFD] if count == 300 else [])]:
            label = vocabulary.to_label(code)
            assert len(label.splitlines()) == 1
            assert "\t" not in label
    assert [WordVocabulary([]).to_label(word) for word in (" a\\b", "\n")] == [r" a\\b", r"\n"]
    assert ByteVocabulary([]).to_label(0xE9) == r"\xe9"


@each_kind
def test_a_text_comes_back_in_every_form(vocabulary: Vocabulary) -> None:
    text = TEXT.encode() if vocabulary.binary else TEXT
    codes = vocabulary.tokenize(text)
    assert vocabulary.join(codes) == TEXT
    assert vocabulary.decode(vocabulary.lookup(codes)) == TEXT.encode()
    assert "".join(vocabulary.to_strings(codes)) == (TEXT.encode().decode("latin-1") if vocabulary.binary else TEXT)
    assert vocabulary.count_characters(codes) == len(text) == vocabulary.lengths[vocabulary.encode(text)].sum()
    assert np.flatnonzero(codes == vocabulary.line_end).tolist() == [len(codes) - 1]


@each_kind
def test_unknown_codes_are_named_once(vocabulary: Vocabulary) -> None:
    names = vocabulary.describe_unknown(vocabulary.tokenize("~caf\u00e9~ x1 x2 x3 x4 x5 x6"))
    assert names.startswith(
        {"char": "'~' (U+007E), 'x' (U+0078), ", "byte": "byte 0x7E, byte 0x78, "}.get(vocabulary.tokens, "'~', 'x1', ")
    )
    assert names.endswith(" and 3 others" if not vocabulary.multi_character else " and 2 others")


@each_kind
def test_codes_leave_as_plain_values(vocabulary: Vocabulary) -> None:
    codes = vocabulary.tokenize(TEXT)
    assert codes.astype(vocabulary.export_type).dtype.kind in "iU"
    words, (first, second) = vocabulary.to_numbers(codes[:2], codes[None])
    assert first.dtype == second.dtype == np.int32
    assert second.shape == (1, len(codes))
    assert [words[k] if words else k for k in second[0].tolist()] == codes.tolist()
    assert json.loads(json.dumps([vocabulary.to_record(code) for code in codes.tolist()]))[0] == (
        {"token": "caf\u00e9"} if vocabulary.multi_character else {"char": 99 if vocabulary.binary else "c"}
    )


@each_kind
def test_the_vocabulary_of_documents(vocabulary: Vocabulary) -> None:
    marked = vocabulary.with_marks()
    assert marked.end is not None
    assert marked.decode([marked.end]) == b"\0"
    assert (marked.unknown is None) is vocabulary.binary
    assert marked.decode(marked.encode(TEXT)) == TEXT.encode()
    assert vocabulary_from_json(marked.to_json(), len(marked)).to_json() == marked.to_json()


@pytest.mark.parametrize("tokens", ["syllable", None, ["char"]])
def test_an_unknown_kind_is_refused(tokens: object) -> None:
    with pytest.raises(ModelFileError, match="damaged, or of a kind that this version of charrnn does not know"):
        vocabulary_from_json({"tokens": tokens, "symbols": "ab"}, 2)
