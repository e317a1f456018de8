"""Alignments by NCBI BLAST+ (Camacho et al. 2009): how similar sequences are, and how likely that is by chance."""

import math
import random
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scripts.common import ScriptError

FIELDS = "qseqid evalue pident length"
# Hits up to an E-value of 1000, so that even a random sequence has one; two threads.
OPTIONS = ("-task", "blastn", "-evalue", "1000", "-max_hsps", "1", "-max_target_seqs", "5", "-num_threads", "2")


@dataclass(frozen=True)
class Hit:
    """An alignment: its E-value (the expected number of equally good ones by chance), identity in percent, bases."""

    evalue: float
    identity: float
    length: int


@dataclass(frozen=True)
class Alignments:
    """The best hits of several sequences."""

    hits: list[Hit]
    queries: int

    @property
    def best(self) -> Hit:
        """The hit with the lowest E-value."""
        return min(self.hits, key=lambda hit: (hit.evalue, -hit.length), default=Hit(math.inf, 0.0, 0))

    @property
    def median(self) -> float:
        """Median E-value of the sequences; infinite for those without a hit."""
        return median([hit.evalue for hit in self.hits] + [math.inf] * (self.queries - len(self.hits)))

    def share(self, evalue: float) -> float:
        """Return the share of the sequences that have a hit of at most this E-value."""
        return sum(hit.evalue <= evalue for hit in self.hits) / self.queries


def make_database(path: Path, sequences: Iterable[str]) -> Path:
    """Make a BLAST database beside the FASTA file `path`, which is written; returns the path."""
    write_fasta(path, sequences)
    _run(["makeblastdb", "-in", str(path), "-dbtype", "nucl"])
    return path


def align(sequences: Sequence[str], against: Path) -> Alignments:
    """Align each sequence with a database; returns the best hits."""
    query = against.with_suffix(".query")
    write_fasta(query, sequences)
    output = _run(["blastn", "-query", str(query), "-db", str(against), *OPTIONS, "-outfmt", f"6 {FIELDS}"])
    return Alignments(parse_hits(output), len(sequences))


def parse_hits(output: str) -> list[Hit]:
    r"""Return the best hit of each query in blastn's table.

    >>> parse_hits("q0\t2e-9\t91.3\t80\nq0\t0.5\t100.0\t19\n")
    [Hit(evalue=2e-09, identity=91.3, length=80)]
    """
    best: dict[str, Hit] = {}
    for line in output.splitlines():
        query, evalue, identity, length = line.split("\t")
        hit = Hit(float(evalue), float(identity), int(length))
        if query not in best or hit.evalue < best[query].evalue:
            best[query] = hit
    return list(best.values())


def shuffle_sequences(sequences: Iterable[str], seed: int = 0) -> list[str]:
    """Return each sequence with its symbols in random order, which leaves only its composition."""
    draw = random.Random(seed)
    return ["".join(draw.sample(sequence, len(sequence))) for sequence in sequences]


def write_fasta(path: Path, sequences: Iterable[str]) -> None:
    """Write a FASTA file of sequences named q0, q1 ..."""
    path.write_text("".join(f">q{number}\n{sequence}\n" for number, sequence in enumerate(sequences)))


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ScriptError(f"{command[0]}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    return done.stdout
