"""The vocabulary of bytes: any file at all is a text of it."""

from functools import cached_property
from typing import Any

import numpy as np

from charrnn.text.vocabulary.base import Codes
from charrnn.text.vocabulary.characters import CodeVocabulary


class ByteVocabulary(CodeVocabulary):
    """A vocabulary of byte values; a str counts as its UTF-8, with surrogates as bytes (PEP 383)."""

    tokens = "byte"
    unit = "byte"
    binary = True
    limit = 256
    document_marks = ("end",)

    @cached_property
    def pieces(self) -> list[bytes]:
        """Each byte."""
        return [bytes([code]) for code in self.codes]

    @classmethod
    def tokenize(cls, text: str | bytes) -> Codes:
        """The byte values of a text."""
        return np.frombuffer(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text, dtype=np.uint8)

    def join(self, codes: Codes) -> str:  # noqa: D102
        return codes.astype(np.uint8).tobytes().decode("utf-8", errors="surrogateescape")

    def to_record(self, code: Any) -> dict[str, int | str]:  # noqa: D102
        return {"char": code}

    def to_display(self, code: Any) -> str:  # noqa: D102
        return chr(code) if code < 0x80 else f"\\x{code:02x}"

    def to_name(self, code: Any) -> str:  # noqa: D102
        return f"byte 0x{code:02X}"

    def to_label(self, code: Any) -> str:  # noqa: D102
        return super().to_label(code) if code < 0x80 else self.to_display(code)
