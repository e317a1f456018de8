"""Vocabularies from model files; only the module of their kind is imported."""

from importlib import import_module
from typing import Any

from charrnn.errors import ModelFileError, quote_value
from charrnn.text.vocabulary.base import Vocabulary

KINDS = {"char": "characters.CharVocabulary", "byte": "characters.ByteVocabulary", "word": "words.WordVocabulary"}


def vocabulary_from_json(description: dict[str, Any], size: int) -> Vocabulary:
    """See `Vocabulary.from_json`; ModelFileError also if the kind of vocabulary is unknown."""
    tokens = description.get("tokens")
    if not isinstance(tokens, str) or tokens not in KINDS:
        raise ModelFileError(
            f"the model's vocabulary is damaged, or of a kind that this version of charrnn does not know: "
            f"{quote_value(tokens)}"
        )
    module, name = KINDS[tokens].split(".")
    kind: type[Vocabulary] = getattr(import_module(f"charrnn.text.vocabulary.{module}"), name)
    return kind.from_json(description, size)
