"""Settings of reading and tokenizing a text: defaults, limits and help texts."""

from dataclasses import dataclass
from typing import ClassVar

from charrnn.settings import TEXT, setting


@dataclass(frozen=True)
class ReadingSettings:
    """How bytes are decoded."""

    panel: ClassVar[str] = TEXT
    encoding: str | None = setting(
        None,
        "Encoding of the text, such as latin-1 or shift_jis.",
        shown_default="utf-8, unless a byte-order mark says otherwise",
    )
    keep_newlines: bool = setting(False, "Keep CR and CRLF line ends; by default they are read as LF.")


@dataclass(frozen=True)
class ColumnSettings:
    """The columns of a labelled TSV or CSV file."""

    panel: ClassVar[str] = TEXT
    columns: str | None = setting(
        None, "Columns of a labelled file, as LABEL,TEXT: numbers or header names.", shown_default="1,2"
    )


@dataclass(frozen=True)
class TextSettings(ReadingSettings):
    """How the corpus is tokenized, and what is held out."""

    task: str = setting(
        "language",
        "Learn to generate text, or to classify labelled texts (TSV or CSV files).",
        choices=("language", "classify"),
    )
    tokens: str | None = setting(
        None,
        "What to learn: characters (Unicode code points), raw bytes, or words and the characters between them.",
        choices=("char", "byte", "word"),
        shown_default="char; with --task classify, chosen from the texts",
    )
    min_count: int = setting(
        1, "Characters (or words) that occur fewer times than this become U+FFFD, which is never generated.", at_least=1
    )
    max_vocab: int | None = setting(
        None,
        "Largest size of the vocabulary: the most frequent characters (or words) are kept, and the rest become U+FFFD.",
        at_least=2,
        shown_default="all characters, 10000 words",
    )
    valid: str | None = setting(None, "Text file to validate on, instead of a part of the corpus.")
    valid_fraction: float | None = setting(
        None,
        "Share of the corpus to hold out for validation: its end, or labelled texts chosen at random.",
        above=0,
        below=1,
        shown_default="0.1",
    )


@dataclass(frozen=True)
class NoveltySettings:
    """What `charrnn novelty` counts and prints."""

    panel: ClassVar[str] = TEXT
    span: int = setting(30, "Shortest span that counts as copied, in characters.", at_least=2, at_most=16384)
    new: bool = setting(False, "Print the lines that are not in the corpus, each once; the figures go to stderr.")
