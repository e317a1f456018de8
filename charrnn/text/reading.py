"""From sources to text, piece by piece: decoding, line ends, and refusing what is no text.

    reader = TextReader(find_sources(["book.txt.gz"])[0], ReadingSettings(), "char")
    for piece in reader:
        ...                     # str of up to about a million characters; bytes in byte mode
    reader.notes                # ["612 line ends CRLF or CR were read as LF; ..."]

Pieces end anywhere in the text, but never inside a character.
"""

import codecs
from collections.abc import Callable, Iterator, Sequence

from charrnn.errors import CorpusError, UsageError
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import CONTROL_SHARE, CONTROLS, Opened, Source, read_fully, total_size

PIECE = 2**20  # bytes
BOMS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark begins it
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
BOM = "\ufeff"

OnProgress = Callable[[int, int], None]  # bytes done, of how many (0: unknown)


class TextReader:
    """Iterates over the pieces of one text made of several sources.

    Attributes:
        notes: what the user should know of what was read, complete after the last piece.
        verbatim: whether all that was given out so far is, byte for byte, what the sources hold.
        bytes_read, total_bytes: how far it is; the total is 0 where that cannot be known.

    Raises:
        UsageError: if there is no such encoding.
        CorpusError: while iterating, if a source cannot be read, is not text, or does not decode.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        settings: ReadingSettings,
        tokens: str = "char",
        progress: OnProgress | None = None,
    ) -> None:
        self._sources = list(sources)
        self._encoding = _checked_encoding(settings.encoding)
        self._keep_newlines = settings.keep_newlines or tokens == "byte"
        self._tokens = tokens
        self._progress = progress
        self._line_ends = 0
        self._packed = False
        self.verbatim = True
        self.notes: list[str] = []
        self.bytes_read = 0
        self.total_bytes = total_size(self._sources)

    def __iter__(self) -> Iterator[str | bytes]:
        for source in self._sources:
            with source.opened() as opened:
                if opened.packing:
                    self.verbatim = False
                    self.total_bytes = 0
                pieces = self._bytes(opened) if self._tokens == "byte" else self._text(source.name, opened)
                yield from pieces
        if self._line_ends:
            self.notes.append(
                f"{self._line_ends:,} line ends CRLF or CR were read as LF; --keep-newlines leaves them as they are"
            )

    def _bytes(self, opened: Opened) -> Iterator[bytes]:
        while piece := read_fully(opened.stream, PIECE):
            self._count(len(piece))
            yield piece

    def _text(self, name: str, opened: Opened) -> Iterator[str]:
        """One source's text. A CR at a piece's end waits for what follows it."""
        held, first = "", True
        for text in self._decoded(name, opened):
            piece = held + text
            if first and piece:
                first = False
                _refuse_controls(piece, name)
                if piece.startswith(BOM):
                    self.verbatim = False
                    piece = piece[1:]
            held = ""
            if not self._keep_newlines and "\r" in piece:
                if piece.endswith("\r"):
                    piece, held = piece[:-1], "\r"
                piece = self._normalized(piece)
            if piece:
                yield piece
        if held:
            yield self._normalized(held)

    def _normalized(self, piece: str) -> str:
        self.verbatim = False
        self._line_ends += piece.count("\r")
        return piece.replace("\r\n", "\n").replace("\r", "\n")

    def _decoded(self, name: str, opened: Opened) -> Iterator[str]:
        data = read_fully(opened.stream, PIECE)
        encoding = self._encoding or next((BOMS[mark] for mark in BOMS if data.startswith(mark)), "utf-8")
        decoder = codecs.getincrementaldecoder(encoding)()
        offset = 0
        while True:
            waiting = len(decoder.getstate()[0])
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeError as error:
                at = offset - waiting + getattr(error, "start", 0)
                raise CorpusError(_undecodable(name, opened, encoding, at, error)) from None
            if "\0" in text:
                raise CorpusError(_with_nul(name, encoding, text))
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


def _checked_encoding(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        found = codecs.lookup(name)
        if not getattr(found, "_is_text_encoding", True):
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
            "to learn any file as bytes, use --tokens byte"
        )


def _undecodable(name: str, opened: Opened, encoding: str, at: int, error: UnicodeError) -> str:
    found = ""
    if isinstance(error, UnicodeDecodeError) and error.start < len(error.object):
        found = f"byte 0x{error.object[error.start]:02x} "
    unpacked = " of the unpacked text" if opened.packing else ""
    return (
        f"{name} is not {encoding.upper()} text: {found}at offset {at}{unpacked}; "
        "name its encoding (for example --encoding latin-1), or learn any file as bytes with --tokens byte"
    )


def _with_nul(name: str, encoding: str, text: str) -> str:
    wide = text[:4096].count("\0") > 0.3 * len(text[:4096])
    big = wide and text[:4096:2].count("\0") > text[1:4096:2].count("\0")
    ways = f"--encoding {'utf-16-be' if big else 'utf-16-le'} if that is what it is, or " if wide else ""
    return (
        f"{name} is not {encoding.upper()} text: it holds NUL bytes; "
        f"{'use ' + ways if wide else ''}to learn any file as bytes, use --tokens byte"
    )
