"""FASTA, the format of genomes and proteins, to plain sequences.

For example:

    >chr2L Drosophila          ->   CGACAATGCACGA...
    CGACAATGNNNNNN
    nnnCACGA
"""

import gzip
import re
import tarfile
from collections.abc import Iterable, Iterator

from charrnn.corpora.download import Archive, open_archive
from charrnn.errors import CorpusError

SYMBOLS = re.compile(r"[A-Za-z*-]*")  # nucleotides and amino acids with their ambiguity codes, stop, gap
COMPLEMENT = str.maketrans("ACGTURYKMBDHVSWN", "TGCAAYRMKVHDBSWN")

GENOME = Archive(
    "pyrodigal==3.7.1",
    "pyrodigal-3.7.1.tar.gz",
    "0262fc5b5fd0b16c18eb3eb9b6079e1590e6d838c3f8431c46d9027c8e67f600",
)
GENOME_MEMBER = "pyrodigal-3.7.1/src/pyrodigal/tests/data/GCF_001457455.1_NCTC11397_genomic.fna.gz"


def read_genome(archive: str | None = None) -> Iterator[str]:
    """Yield the genome of Corynebacterium diphtheriae NCTC 11397 (NCBI's NZ_LN831026.1), a FASTA file, as one piece.

    See `open_archive` for the archive and errors.
    """
    with open_archive(GENOME, archive) as path, tarfile.open(path) as tar:
        member = tar.extractfile(GENOME_MEMBER)
        assert member is not None  # noqa: S101 - the archive is verified
        yield gzip.decompress(member.read()).decode("ascii")


def read_sequences(
    lines: Iterable[str], *, headers: bool = False, wrap: int = 0, keep_n: bool = False, both_strands: bool = False
) -> Iterator[str]:
    """Yield the sequences of FASTA lines in upper case, piece by piece, each record on a line of its own.

    Args:
        lines: without line ends.
        headers: whether to keep the header lines; the result is FASTA then.
        wrap: symbols per line; 0 writes a record on one line.
        keep_n: whether to keep N, which is an amino acid in proteins and an unknown base in genomes.
        both_strands: whether to add each record's reverse complement; holds one record in memory.

    Raises:
        CorpusError: if the lines are not FASTA.
    """
    for record in _split_records(lines):
        header = next(record)
        pieces: Iterable[str] = (line.upper() if keep_n else line.upper().replace("N", "") for line in record)
        if headers:
            yield header + "\n"
        if both_strands:
            sequence = "".join(pieces)
            yield from _wrap_lines([sequence], wrap)
            if headers:
                yield f"{header} reverse complement\n"
            pieces = [reverse_complement(sequence)]
        yield from _wrap_lines(pieces, wrap)


def reverse_complement(sequence: str) -> str:
    """Return the opposite strand of a DNA sequence: `reverse_complement("AACG") == "CGTT"`."""
    return sequence.translate(COMPLEMENT)[::-1]


def _split_records(lines: Iterable[str]) -> Iterator[Iterator[str]]:
    """Yield an iterator over each record's header and lines; it has to be used before the next is requested."""
    numbered = iter(enumerate(lines, 1))
    first = next(((number, line) for number, line in numbered if line.strip() and line[0] != ";"), None)
    if first is None:
        raise CorpusError("no sequence: the input is empty")
    if not first[1].startswith(">"):
        raise CorpusError(f"not FASTA: line {first[0]} should start with > and a name; found {first[1][:40]!r}")
    upcoming: str | None = first[1].rstrip()

    def read_record(header: str) -> Iterator[str]:
        nonlocal upcoming
        upcoming = None
        yield header
        for number, line in numbered:
            symbols = line.strip()
            if symbols.startswith(">"):
                upcoming = symbols
                return
            if symbols.startswith(";"):
                continue  # a comment in the original format
            if not SYMBOLS.fullmatch(symbols):
                raise CorpusError(
                    f"not FASTA: line {number} is neither a header nor a sequence; found {symbols[:40]!r}"
                )
            yield symbols

    while upcoming is not None:
        record = read_record(upcoming)
        yield record
        for _ in record:  # skip what the caller has not read
            pass


def _wrap_lines(pieces: Iterable[str], wrap: int) -> Iterator[str]:
    """Yield one record's symbols on one line, or on lines of `wrap` symbols; nothing for an empty record."""
    buffer, empty = "", True
    for piece in pieces:
        empty = empty and not piece
        if not wrap:
            yield piece
            continue
        buffer += piece
        end = len(buffer) // wrap * wrap
        yield "".join(buffer[start : start + wrap] + "\n" for start in range(0, end, wrap))
        buffer = buffer[end:]
    if buffer or not (empty or wrap):
        yield buffer + "\n"
