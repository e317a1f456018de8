"""Corpora: files -> token ids, in two contiguous parts, one to learn from and one to validate on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from charrnn.errors import CorpusError
from charrnn.text.vocabulary import Ids, Vocabulary

MIN_PART = 2  # characters: one to read and one to predict


@dataclass(frozen=True)
class Corpus:
    """A text as token ids.

    `train` and `valid` are the contiguous head and tail of the text; `valid` is never learned from. The
    vocabulary comes from both, as in the field's usual figures.
    """

    name: str
    vocabulary: Vocabulary
    train: Ids
    valid: Ids


def read_corpus(sources: Sequence[Path], tokens: str = "char", valid_fraction: float = 0.1) -> Corpus:
    """Read text files, in the order given, as one corpus.

    Raises:
        CorpusError: if a file cannot be read or decoded, or there is too little text.
    """
    text = read_text(sources, tokens)
    vocabulary = Vocabulary.of_bytes(text) if isinstance(text, bytes) else Vocabulary.of_text(text)
    ids = vocabulary.encode(text)
    named = ", ".join(map(str, sources))
    if len(ids) == 0:
        raise CorpusError(f"{named} is empty; give a text to learn from")
    border = int(len(ids) * (1 - valid_fraction))
    if border < MIN_PART or len(ids) - border < MIN_PART:
        raise CorpusError(
            f"{named} has {len(ids)} characters, of which {len(ids) - border} to validate on: too few to learn from; "
            "give more text or another --valid-fraction"
        )
    return Corpus(sources[0].stem or "corpus", vocabulary, ids[:border], ids[border:])


def read_text(sources: Sequence[Path], tokens: str = "char") -> str | bytes:
    """The text of all files together: a str of characters, or bytes in byte mode.

    Raises:
        CorpusError: if a file cannot be read, or is not UTF-8 text.
    """
    if tokens == "byte":
        return b"".join(_read_bytes(source) for source in sources)
    return "".join(_decoded(_read_bytes(source), source) for source in sources)


def _read_bytes(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"no text at {source}; check the name") from None
    except IsADirectoryError:
        raise CorpusError(f"{source} is a folder; name the text files in it") from None
    except OSError as error:
        raise CorpusError(f"{source} cannot be read: {error.strerror}") from None


def _decoded(data: bytes, source: Path) -> str:
    if b"\0" in data[:4096]:
        raise CorpusError(f"{source} is not text: it holds NUL bytes; to learn any file as bytes, use --tokens byte")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{source} is not UTF-8 text: byte 0x{data[error.start]:02x} at offset {error.start}; "
            "to learn any file as bytes, use --tokens byte"
        ) from None
