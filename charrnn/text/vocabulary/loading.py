"""Vocabularies from model files."""

from typing import Any

from charrnn.errors import ModelFileError, quote_value
from charrnn.text.vocabulary.base import Vocabulary
from charrnn.text.vocabulary.bytes import ByteVocabulary
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.text.vocabulary.words import WordVocabulary

KINDS: dict[str, type[Vocabulary]] = {kind.tokens: kind for kind in (CharVocabulary, ByteVocabulary, WordVocabulary)}


def vocabulary_from_json(description: dict[str, Any], size: int) -> Vocabulary:
    """See `Vocabulary.from_json`; ModelFileError also if the kind of vocabulary is unknown."""
    tokens = description.get("tokens")
    kind = KINDS.get(tokens) if isinstance(tokens, str) else None
    if kind is None:
        raise ModelFileError(
            f"the model's vocabulary is damaged, or of a kind this charrnn does not know: {quote_value(tokens)}"
        )
    return kind.from_json(description, size)
