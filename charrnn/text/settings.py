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
        "The text's encoding, such as latin-1 or shift_jis.",
        shown_default="utf-8, or what a byte-order mark says",
    )
    keep_newlines: bool = setting(False, "Leave line ends (CR, CRLF) as they are.")


@dataclass(frozen=True)
class ColumnSettings:
    """The columns of a labelled TSV or CSV file."""

    panel: ClassVar[str] = TEXT
    columns: str | None = setting(
        None, "Columns of a labelled file: LABEL,TEXT, by number or by header name.", shown_default="1,2"
    )


@dataclass(frozen=True)
class TextSettings(ReadingSettings):
    """How the corpus is tokenized, and what is held out."""

    task: str = setting(
        "language",
        "Learn to write a text, or to classify labelled texts (TSV or CSV files).",
        choices=("language", "classify"),
    )
    tokens: str | None = setting(
        None,
        "Learn characters (Unicode code points), raw bytes, or words and what stands between them.",
        choices=("char", "byte", "word"),
        shown_default="char; with --task classify the texts decide",
    )
    min_count: int = setting(
        1, "Characters (or words) that occur less often become U+FFFD, which is never generated.", at_least=1
    )
    max_vocab: int | None = setting(
        None,
        "Size of the vocabulary: the most frequent characters (or words); all others become U+FFFD.",
        at_least=2,
        shown_default="all characters, 10000 words",
    )
    valid: str | None = setting(None, "Text to validate on, instead of the end of the corpus.")
    valid_fraction: float | None = setting(
        None, "Share of the corpus, at its end, held out to validate on.", above=0, below=1, shown_default="0.1"
    )


@dataclass(frozen=True)
class NoveltySettings:
    """What `charrnn novelty` counts and prints."""

    panel: ClassVar[str] = TEXT
    span: int = setting(30, "Characters of the shortest span that counts as copied.", at_least=2, at_most=16384)
    new: bool = setting(False, "Print the lines that are not in the corpus, each once; the figures go to stderr.")
