"""What a model is, in words: size, vocabulary, corpus, held-out loss, date."""

import datetime as dt
import math
from typing import Any

from charrnn.model.header import ModelHeader

UNITS = {"char": "characters", "byte": "bytes", "word": "words and punctuation marks"}
LARGEST = 2**53  # of a number that is believed


def describe_model(header: ModelHeader, file_date: str | None = None) -> list[tuple[str, str]]:
    """Names and values to show. All of them are text that may come from a stranger: escape it.

    Args:
        header: of the model file.
        file_date: when the file was written (ISO 8601), for a model that does not say when it learned.
    """
    config, training = header.config, header.training
    layers = "1 layer" if config.layers == 1 else f"{config.layers} layers"
    units = UNITS.get(str(header.vocabulary.get("tokens")), "symbols")
    rows = [
        ("Network", f"{config.cell.upper()}, {layers} of {config.hidden_size:,} units"),
        ("Weights", f"{config.parameters:,}"),
        ("Vocabulary", f"{config.vocab_size:,} {units}"),
    ]
    if header.labels:
        rows.append(("Labels", f"{len(header.labels):,}"))
    corpus, chars, epochs = training.get("corpus"), _get_number(training, "chars"), _get_number(training, "epochs")
    if isinstance(corpus, str) and corpus:
        read = f", read {epochs:.1f} times" if epochs else ""
        rows.append(("Training text", corpus + read))
    elif chars:
        rows.append(("Training text", f"{chars:,.0f} characters"))
    loss = _get_number(training, "valid_loss")
    if loss is not None:
        choices = math.exp(min(loss, 30.0))
        bits = f"{loss / math.log(2):.2f} bits, like a choice among {choices:.1f}"
        rows.append(("Held-out loss", f"{loss:.3f} nats per character ({bits})"))
    learned = training.get("date")
    if isinstance(learned, str) and learned:
        rows.append(("Training date", _format_date(learned)))
    elif file_date:
        rows.append(("File dated", _format_date(file_date)))
    return rows


def _format_date(text: str) -> str:
    """`_format_date("2026-03-01") == "1 March 2026"`; what is no such date stays as it is."""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        return text
    return f"{date.day} {date:%B %Y}"


def _get_number(training: dict[str, Any], name: str) -> float | None:
    """A number of the training summary, if it is one that can be shown."""
    value = training.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        return None
    return float(value)
