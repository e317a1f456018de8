"""Where text comes from: files, folders and stdin, compressed or not, as one stream of bytes each.

Compression is recognized by a file's first bytes, not by its name, and undone while reading, so that a small file
that decompresses to a huge one takes no memory.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from charrnn.errors import CorpusError, UsageError
from charrnn.wording import count_of

STDIN = "-"
SNIFF_SIZE = 8192  # bytes of a file in a folder that decide whether it is text
HEAD = 16  # bytes that identify the kind of a file
CONTROL_SHARE = 0.05  # of the beginning of a text; with more it is not text
ZSTD_PIECE = 2**12  # bytes decompressed at a time: a few may become very many
COMPRESSIONS = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0", "zstd": b"\x28\xb5\x2f\xfd"}
MIDI, PDF, ZIP = "a MIDI file", "a PDF document", "a ZIP archive, as office documents and e-books are"
FORMATS = {  # by the first bytes
    b"\x89PNG\r\n": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"%PDF-": PDF,
    b"PK\x03\x04": ZIP,
    b"MThd": MIDI,
    b"RIFF": "a sound, image or video file (RIFF)",
    b"ID3": "an MP3 file",
    b"OggS": "an Ogg sound or video file",
    b"fLaC": "a FLAC sound file",
    b"\x7fELF": "a program",
    b"SQLite format 3": "an SQLite database",
}
FORMATS_AS_TEXT = {
    MIDI: "convert it to text with: charrnn corpus midi {name} -o FILE.txt",
    PDF: "extract its text first, for example with: pdftotext {name} FILE.txt",
    ZIP: "unpack it first, or save it as plain text",
}
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
# Errors of decompression: each library raises its own.
DECOMPRESSION_ERRORS = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
# Control characters that text does not have; tab, line ends, form feed, backspace and escape do occur.
CONTROLS = bytes(set(range(32)) - {8, 9, 10, 11, 12, 13, 27})


@dataclass(frozen=True)
class Source:
    """One file, or stdin (`path` None)."""

    name: str
    path: Path | None

    @contextmanager
    def open(self) -> Iterator["SourceStream"]:
        """Open the source; its bytes are decompressed.

        Raises:
            CorpusError: if it cannot be opened or read, is compressed and damaged, or is a model file.
        """
        with _convert_errors(self.name):
            raw = self._open_raw()
        try:
            with _convert_errors(self.name):
                yield _decompress(self.name, raw)
        finally:
            if self.path is not None:
                raw.close()

    def open_regular(self) -> BinaryIO | None:
        """Open the regular file that is read from its beginning, if it is one; stdin may be redirected."""
        with suppress(OSError):
            if self.path is None and sys.stdin.buffer.tell():
                return None
            file = self.path.open("rb") if self.path else os.fdopen(os.dup(sys.stdin.fileno()), "rb")
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file
            file.close()
        return None

    def _open_raw(self) -> BinaryIO:
        if self.path is not None:
            return self.path.open("rb", buffering=0)
        return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)  # a test's stdin may have no raw stream


@dataclass(frozen=True)
class SourceStream:
    """A source while it is read.

    Attributes:
        stream: the decompressed bytes.
        compression: what was undone, such as "gzip", or None.
    """

    stream: io.RawIOBase | BinaryIO
    compression: str | None


def find_sources(names: Sequence[str | os.PathLike[str]], *, binary: bool = False) -> tuple[list[Source], list[str]]:
    """The sources with these names, in order, a folder as its text files in sorted order; and notes on files left out.

    The name `-` is stdin. If `binary`, files of a folder that are not text are included.

    Raises:
        CorpusError: if there is no file with a name, or no text in a folder.
        UsageError: if stdin is named twice.
    """
    if [os.fspath(name) for name in names].count(STDIN) > 1:
        raise UsageError("- (stdin) can be read only once; give it once")
    sources: list[Source] = []
    notes: list[str] = []
    for name in [os.fspath(name) for name in names]:
        path = Path(name)
        if name == STDIN:
            sources.append(Source("stdin", None))
        elif path.is_dir():
            sources += _find_in_folder(path, notes, binary=binary)
        elif not path.exists():
            raise CorpusError(f"there is no file or folder {name}; check the name")
        else:
            sources.append(Source(name, path))
    return sources, notes


def corpus_name(name: str | os.PathLike[str]) -> str:
    """The name of a corpus by that of its first source: `texts/book.txt.gz` is "book", `-` is "stdin"."""
    if os.fspath(name) == STDIN:
        return "stdin"
    path = Path(name)
    if path.suffix.lower() in COMPRESSED_SUFFIXES:
        path = path.with_suffix("")
    return path.stem or path.absolute().name or "corpus"


def total_size(sources: Sequence[Source]) -> int:
    """The number of bytes of all sources, or 0 if it is not known before they are read."""
    sizes = []
    for source in sources:
        with suppress(OSError):
            status = source.path.stat() if source.path else os.fstat(sys.stdin.fileno())
            sizes.append(status.st_size if stat.S_ISREG(status.st_mode) else 0)
    return sum(sizes) if len(sizes) == len(sources) and all(sizes) else 0


def looks_binary(head: bytes) -> bool:
    """Whether a file that begins so is not text in an encoding that contains ASCII."""
    return b"\0" in head or len(head) - len(head.translate(None, CONTROLS)) > CONTROL_SHARE * len(head)


def _find_in_folder(folder: Path, notes: list[str], *, binary: bool) -> list[Source]:
    """The files of a folder and its subfolders, without hidden ones, in order of their paths."""
    sources: list[Source] = []
    others: list[Source] = []
    for path in sorted(_walk_files(folder)):
        source = Source(str(path), path)
        if binary or _is_text(source):
            sources.append(source)
        else:
            others.append(source)
    if not sources:
        verb = "is" if len(others) == 1 else "are"
        seen = f" ({count_of(len(others), 'file')} there {verb} not text)" if others else ""
        raise CorpusError(f"no text files in the folder {folder}{seen}; {_advise(str(folder), others)}")
    if others:
        left_out = count_of(len(others), "other")
        notes.append(f"{folder}: {count_of(len(sources), 'text file')} read, {left_out} skipped")
    return sources


def _advise(folder: str, others: Sequence[Source]) -> str:
    """What to type for a folder without text."""
    kinds = set()
    for source in others:
        with source.open() as opened:
            kinds.add(find_format(read_fully(opened.stream, HEAD)))
    return FORMATS_AS_TEXT[MIDI].format(name=folder) if kinds == {MIDI} else "give a folder or file with text"


def find_format(head: bytes) -> str | None:
    """The format of a file that begins so, in words, if it is a common one that is no text."""
    return next((name for magic, name in FORMATS.items() if head.startswith(magic)), None)


def refuse_format(name: str, head: bytes) -> None:
    """Raise a CorpusError if a file begins like one of a format that is no text: which, and what makes a text of it."""
    kind = find_format(head)
    if kind is not None:
        advice = FORMATS_AS_TEXT.get(kind, "give a file with text, or use --tokens byte to learn any file as bytes")
        raise CorpusError(f"{name} is not text: it is {kind}; {advice.format(name=name)}")


def _walk_files(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise CorpusError(f"{error.filename} cannot be read: {error.strerror}")

    for parent, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _is_text(source: Source) -> bool:
    try:
        with source.open() as opened:
            head = read_fully(opened.stream, SNIFF_SIZE)
    except _ModelFoundError:
        return False
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")  # UTF-16, whose every other byte may be zero
    return bool(head) and (wide or not looks_binary(head))


def read_fully(stream: io.RawIOBase | BinaryIO, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end; one read of a pipe returns what it has."""
    pieces = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class _ModelFoundError(CorpusError):
    """A model file in place of a text."""


@contextmanager
def _convert_errors(name: str) -> Iterator[None]:
    """Turn errors of reading into a `CorpusError` that names the source."""
    try:
        yield
    except DECOMPRESSION_ERRORS as error:
        raise CorpusError(
            f"{name} is not a complete compressed file ({error}); download it again, or unpack it first"
        ) from None
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror or error}") from None


def _decompress(name: str, raw: BinaryIO) -> SourceStream:
    head = read_fully(raw, HEAD)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**40:
        raise _ModelFoundError(
            f"{name} is a model file (safetensors), not a text; to use the model, give it with -m {name}"
        )
    whole = _PrefixedStream(head, raw)
    compression = next((kind for kind, magic in COMPRESSIONS.items() if head.startswith(magic)), None)
    if compression is None or (compression == "bzip2" and not head[3:4].isdigit()):  # a text may begin with BZh
        return SourceStream(whole, None)
    openers: dict[str, Callable[[Any], Any]] = {
        "gzip": lambda stream: gzip.GzipFile(fileobj=stream),
        "bzip2": bz2.BZ2File,
        "xz": lzma.LZMAFile,
        "zstd": lambda stream: _open_zstd(name, stream),
    }
    return SourceStream(openers[compression](io.BufferedReader(whole, 1 << 16)), compression)


def _open_zstd(name: str, stream: BinaryIO) -> io.RawIOBase:
    with suppress(ImportError):
        from compression import zstd  # Python 3.14 has it

        return _Zstd(stream, zstd.ZstdDecompressor, zstd.ZstdError)
    try:
        import zstandard
    except ImportError:
        raise CorpusError(
            f"{name} is compressed with zstd, which needs the package zstandard; "
            f"type: pip install zstandard, or: zstdcat {name} | charrnn ... -"
        ) from None
    return _Zstd(stream, lambda: zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError)


class _Zstd(io.RawIOBase):
    """Decompresses zstd frames one after the other; the file objects of the two libraries differ in what they check.

    Raises:
        EOFError: if the data are damaged, or end inside a frame.
    """

    def __init__(self, stream: BinaryIO, create: Callable[[], Any], error: type[Exception]) -> None:
        super().__init__()
        self._stream = stream
        self._create = create
        self._error = error
        self._frame: Any = None
        self._rest = self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            data = self._rest or self._stream.read(ZSTD_PIECE)
            if not data:
                if self._frame is not None:
                    raise EOFError("it is cut off")
                return 0
            self._ready = self._decompress(data)
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def _decompress(self, data: bytes) -> bytes:
        self._frame = self._frame or self._create()
        try:
            ready: bytes = self._frame.decompress(data)
        except self._error as error:
            raise EOFError(str(error)) from None
        self._rest = b""
        if self._frame.eof:
            self._rest, self._frame = self._frame.unused_data, None
        return ready


class _PrefixedStream(io.RawIOBase):
    """The bytes that were read already, then the rest of a stream."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self._head[: len(view)] or self._rest.read(len(view)) or b""
        self._head = self._head[len(data) :] if self._head else b""
        view[: len(data)] = data
        return len(data)
