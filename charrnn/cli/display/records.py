"""Results as JSON: one object a line, in ASCII, which every parser accepts."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from charrnn.cli.streams import write_line

SURROGATES = re.compile("[\ud800-\udfff]")


def print_record(record: Mapping[str, Any]) -> None:
    """Print a record on a line of its own; see `format_record`."""
    write_line(format_record(record))


def format_record(record: Mapping[str, Any]) -> str:
    """A record as JSON: numbers that are not finite become null, and surrogates, which are no text, U+FFFD."""
    try:
        text = json.dumps(record, allow_nan=False)
    except ValueError:  # a number that is not finite
        return json.dumps(_clean(record))
    return json.dumps(_clean(record)) if "\\ud" in text else text  # a surrogate, or a character of two


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_clean, value))
    if isinstance(value, str):
        return SURROGATES.sub("\ufffd", value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
