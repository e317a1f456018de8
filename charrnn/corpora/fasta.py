"""FASTA, the format of genomes and proteins, to plain sequences that a model can learn.

>chr2L Drosophila          ->   CGACAATGCACGA...
CGACAATGNNNNNN
nnnCACGA
"""

import re
from collections.abc import Iterable, Iterator

from charrnn.errors import CorpusError

SYMBOLS = re.compile(r"[A-Za-z*-]*")  # nucleotides and amino acids with their ambiguity codes, stop, gap
COMPLEMENT = str.maketrans("ACGTURYKMBDHVSWN", "TGCAAYRMKVHDBSWN")


def sequences(
    lines: Iterable[str], *, headers: bool = False, wrap: int = 0, keep_n: bool = False, both_strands: bool = False
) -> Iterator[str]:
    """The sequences of FASTA lines in upper case, each from a line of its own, in pieces of the lines' size.

    Args:
        lines: without their ends.
        headers: whether the lines that name records are kept; the result is FASTA then.
        wrap: symbols a line; 0 writes a record on one line.
        keep_n: whether N stays: in proteins it is an amino acid, in genomes it says that nothing is known.
        both_strands: whether each record is followed by its reverse complement; holds a record in memory.

    Raises:
        CorpusError: if that is no FASTA.
    """
    for record in _records(lines):
        header = next(record)
        pieces: Iterable[str] = (line.upper() if keep_n else line.upper().replace("N", "") for line in record)
        if headers:
            yield header + "\n"
        if both_strands:
            whole = "".join(pieces)
            yield from _laid_out([whole], wrap)
            if headers:
                yield f"{header} reverse complement\n"
            pieces = [reverse_complement(whole)]
        yield from _laid_out(pieces, wrap)


def reverse_complement(sequence: str) -> str:
    """The other strand of a DNA sequence, as it is read: `reverse_complement("AACG") == "CGTT"`."""
    return sequence.translate(COMPLEMENT)[::-1]


def _records(lines: Iterable[str]) -> Iterator[Iterator[str]]:
    """For each record an iterator over its header and its lines; one is to be used up before the next."""
    rest = iter(enumerate(lines, 1))
    following = next(((number, line) for number, line in rest if line.strip() and line[0] != ";"), None)
    if following is None:
        raise CorpusError("no sequence: the input is empty")
    if not following[1].startswith(">"):
        raise CorpusError(f"not FASTA: line {following[0]} should begin with > and a name; found {following[1][:40]!r}")
    upcoming: str | None = following[1].rstrip()

    def record(header: str) -> Iterator[str]:
        nonlocal upcoming
        upcoming = None
        yield header
        for number, line in rest:
            symbols = line.strip()
            if symbols.startswith(">"):
                upcoming = symbols
                return
            if symbols.startswith(";"):
                continue  # a comment, in old files
            if not SYMBOLS.fullmatch(symbols):
                raise CorpusError(f"not FASTA: line {number} is neither a name nor a sequence; found {symbols[:40]!r}")
            yield symbols

    while upcoming is not None:
        current = record(upcoming)
        yield current
        for _ in current:  # what was left unread
            pass


def _laid_out(pieces: Iterable[str], wrap: int) -> Iterator[str]:
    """One record's symbols on one line, or on lines of `wrap`; nothing for an empty record."""
    held, some = "", False
    for piece in pieces:
        some = some or bool(piece)
        if not wrap:
            yield piece
            continue
        held += piece
        whole = len(held) // wrap * wrap
        yield "".join(held[at : at + wrap] + "\n" for at in range(0, whole, wrap))
        held = held[whole:]
    if held or (some and not wrap):
        yield held + "\n"
