r"""Putting what comes from a model or a user into HTML as text and data, never as markup."""

import base64
import hashlib
import html
import json
from typing import Any


def embed_json(data: Any) -> str:
    r"""JSON to stand in a script element: ASCII, with the characters that HTML could take for its own as \u003c."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def escape_text(text: str) -> str:
    """Text to stand in an element or a quoted attribute: ASCII; bytes that are not UTF-8 as backslash escapes."""
    return html.escape(printable(text)).encode("ascii", "xmlcharrefreplace").decode()


def printable(text: str) -> str:
    """Text whose bytes that are not UTF-8, surrogates in Python, are backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def content_hash(text: str) -> str:
    """The hash of a script or style element's content, as a content security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
