"""From sources to text, piece by piece: decoding, line ends, and refusing what is not text.

    reader = TextReader.from_names(["book.txt.gz"], ReadingSettings())
    for piece in reader:
        ...                     # str of up to about a million characters, or bytes
    reader.notes                # ["612 line ends CRLF or CR were read as LF; ..."]

Pieces end anywhere in the text, but never inside a character.
"""

import codecs
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Self

from charrnn.errors import CorpusError, UsageError
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import (
    CONTROL_SHARE,
    CONTROLS,
    HEAD,
    Source,
    SourceStream,
    find_sources,
    read_fully,
    refuse_format,
    total_size,
)
from charrnn.wording import count_of

PIECE = 2**20  # bytes
LONGEST_LINE = 2**28  # characters, or bytes; the longest human chromosome, which may be one line, has 248,956,422
BOMS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark is its beginning
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
BOM = "\ufeff"
FASTA = re.compile(r">[^\n]*\n[ACGTUNacgtun\r\n]{60}")  # of bases
SURROGATES = re.compile("[\ud800-\udfff]")

OnProgress = Callable[[int, int], None]  # bytes done, of how many (0: unknown)


class TextReader:
    """Iterates over the pieces of one text made of several sources.

    Args:
        sources: read one after the other.
        settings: encoding and line ends; neither applies to bytes.
        binary: whether to read bytes instead of characters.
        progress: called after each piece with bytes read and bytes in total.

    Attributes:
        notes: for the user, about what was read; complete after the last piece.
        verbatim: whether everything read so far is, byte for byte, what the sources hold.
        bytes_read, total_bytes: the progress; the total is 0 if it is not known.

    Raises:
        UsageError: if there is no such encoding.
        CorpusError: while iterating, if a source cannot be read, is not text, or does not decode.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        settings: ReadingSettings,
        *,
        binary: bool = False,
        progress: OnProgress | None = None,
    ) -> None:
        self._sources = list(sources)
        self._encoding = _check_encoding(settings.encoding)
        self._keep_newlines = settings.keep_newlines
        self._binary = binary
        self._progress = progress
        self._line_ends = 0
        self.verbatim = True
        self.notes: list[str] = []
        self.bytes_read = 0
        self.total_bytes = total_size(self._sources)

    @classmethod
    def from_names(
        cls,
        names: Sequence[str | os.PathLike[str]],
        settings: ReadingSettings,
        *,
        binary: bool = False,
        progress: OnProgress | None = None,
    ) -> Self:
        """A reader of files, folders and stdin; see `find_sources`, whose notes are the reader's first."""
        sources, notes = find_sources(names, binary=binary)
        reader = cls(sources, settings, binary=binary, progress=progress)
        reader.notes += notes
        return reader

    def __iter__(self) -> Iterator[str | bytes]:
        for source in self._sources:
            with source.open() as opened:
                if opened.compression:
                    self.verbatim = False
                    self.total_bytes = 0
                yield from self._read_bytes(opened) if self._binary else self._read_text(source.name, opened)
        if self._line_ends:
            ends, were = count_of(self._line_ends, "line end"), "was" if self._line_ends == 1 else "were"
            self.notes.append(f"{ends} CRLF or CR {were} read as LF; --keep-newlines keeps them")

    def lines(self) -> Iterator[str | bytes]:
        """The lines of the text without their line feeds; no other character ends a line."""
        for line in split_lines(self):
            yield line[:-1] if line[-1:] in ("\n", b"\n") else line

    def estimate_total(self, count: int) -> int:
        """The estimated number of characters or lines of the text, of which `count` have been read; 0 if not known."""
        return count * self.total_bytes // max(1, self.bytes_read)

    def open_single_file(self) -> BinaryIO | None:
        """Open the one regular file that is the only source; None if there is no such file."""
        return self._sources[0].open_regular() if len(self._sources) == 1 else None

    def _read_bytes(self, opened: SourceStream) -> Iterator[bytes]:
        while piece := read_fully(opened.stream, PIECE):
            self._count(len(piece))
            yield piece

    def _read_text(self, name: str, opened: SourceStream) -> Iterator[str]:
        """The text of one source. A CR at the end of a piece waits for what follows it."""
        rest, first = "", True
        for text in self._decode(name, opened):
            piece = rest + text
            if first and piece:
                first = False
                _refuse_controls(piece, name)
                if FASTA.match(piece):
                    self.notes.append(
                        f"{name} is a FASTA file, whose headers and line ends count as text; to get plain bases, type: "
                        f"charrnn corpus fasta {name}"
                    )
                if piece.startswith(BOM):
                    self.verbatim = False
                    piece = piece[1:]
            rest = ""
            if not self._keep_newlines and "\r" in piece:
                if piece.endswith("\r"):
                    piece, rest = piece[:-1], "\r"
                piece = self._normalize_newlines(piece)
            if piece:
                yield piece
        if rest:
            yield self._normalize_newlines(rest)

    def _normalize_newlines(self, piece: str) -> str:
        self.verbatim = False
        self._line_ends += piece.count("\r")
        return piece.replace("\r\n", "\n").replace("\r", "\n")

    def _decode(self, name: str, opened: SourceStream) -> Iterator[str]:
        data = read_fully(opened.stream, PIECE)
        head = data[:HEAD]
        encoding = self._encoding or next((BOMS[mark] for mark in BOMS if data.startswith(mark)), "utf-8")
        decoder = codecs.getincrementaldecoder(encoding)()
        surrogates_possible = not codecs.lookup(encoding).name.startswith(("utf-8", "utf-16", "utf-32"))
        offset = 0
        while True:
            waiting = len(decoder.getstate()[0])
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeError as error:
                refuse_format(name, head)
                at = offset - waiting + getattr(error, "start", 0)
                raise CorpusError(_describe_undecodable(name, opened, encoding, at, error)) from None
            if "\0" in text:
                refuse_format(name, head)
                raise CorpusError(_describe_nul(name, encoding, text))
            if surrogates_possible and SURROGATES.search(text):
                raise CorpusError(
                    f"{name} is not {encoding.upper()} text: it contains surrogates, which are not characters; "
                    "give another encoding, or use --tokens byte to learn any file as bytes"
                )
            yield text
            if not data:
                return
            self._count(len(data))
            offset += len(data)
            data = read_fully(opened.stream, PIECE)

    def _count(self, size: int) -> None:
        self.bytes_read += size
        if self._progress:
            self._progress(self.bytes_read, self.total_bytes)


def split_lines(pieces: Iterable[str | bytes]) -> Iterator[str | bytes]:
    """The lines of a text in pieces, each with its line feed, which alone ends one; CorpusError if one is too long."""
    parts: list[Any] = []
    length = 0
    empty: Any = ""
    for piece in pieces:
        empty, feed = (b"", b"\n") if isinstance(piece, bytes) else ("", "\n")
        *complete, rest = piece.split(feed)  # type: ignore[arg-type]
        for line in complete:
            yield empty.join([*parts, line, feed])
            parts, length = [], 0
        parts.append(rest)
        length += len(rest)
        check_line_length(length)
    if last := empty.join(parts):
        yield last


def check_line_length(length: int) -> None:
    """Raise a CorpusError if a line would fill the memory, as a text without line ends does."""
    if length > LONGEST_LINE:
        raise CorpusError(
            f"a line is longer than {LONGEST_LINE:,} characters, too long to read as a whole; "
            "check the text, or wrap it with: fold FILE"
        )


def _check_encoding(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        codec = codecs.lookup(name)
        if not getattr(codec, "_is_text_encoding", True):
            raise LookupError(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError):
        raise UsageError(
            f"--encoding {name} is not known; common ones are utf-8, utf-16, latin-1, cp1252, shift_jis, gb18030"
        ) from None
    return name


def _refuse_controls(piece: str, name: str) -> None:
    beginning = piece[:65536]
    controls = sum(map(beginning.count, map(chr, CONTROLS)))
    if controls > CONTROL_SHARE * len(beginning):
        raise CorpusError(
            f"{name} is not text: {controls:,} of its first {len(beginning):,} characters are control characters; "
            "use --tokens byte to learn any file as bytes"
        )


def _describe_undecodable(name: str, opened: SourceStream, encoding: str, at: int, error: UnicodeError) -> str:
    byte = ""
    if isinstance(error, UnicodeDecodeError) and error.start < len(error.object):
        byte = f"byte 0x{error.object[error.start]:02x} "
    unpacked = " of the unpacked text" if opened.compression else ""
    return (
        f"{name} is not {encoding.upper()} text: {byte}at offset {at}{unpacked}; "
        "give its encoding (for example --encoding latin-1), or use --tokens byte to learn any file as bytes"
    )


def _describe_nul(name: str, encoding: str, text: str) -> str:
    wide = text[:4096].count("\0") > 0.3 * len(text[:4096])
    big = wide and text[:4096:2].count("\0") > text[1:4096:2].count("\0")
    ways = f"--encoding {'utf-16-be' if big else 'utf-16-le'} if that is what it is, or " if wide else ""
    return (
        f"{name} is not {encoding.upper()} text: it contains NUL bytes; "
        f"{'use ' + ways if wide else ''}use --tokens byte to learn any file as bytes"
    )
