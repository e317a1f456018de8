"""Alignments by NCBI BLAST+ (Camacho et al. 2009): how alike two sequences are, and by what chance."""

import math
import random
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scripts.experiment.running import ExperimentError

FIELDS = "qseqid evalue pident length"
# All hits up to an E-value of 1000, so that even a random sequence has a best one; two cores.
OPTIONS = ("-task", "blastn", "-evalue", "1000", "-max_hsps", "1", "-max_target_seqs", "5", "-num_threads", "2")


@dataclass(frozen=True)
class Hit:
    """A sequence's best alignment: its E-value (how many as good ones chance would give), identity, bases."""

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
        """The one least likely by chance."""
        return min(self.hits, key=lambda hit: (hit.evalue, -hit.length), default=Hit(math.inf, 0.0, 0))

    @property
    def median(self) -> float:
        """E-value that half of the sequences reach; those without a hit count as infinite."""
        return median([hit.evalue for hit in self.hits] + [math.inf] * (self.queries - len(self.hits)))

    def share(self, evalue: float) -> float:
        """Share of the sequences that have a hit at most that likely by chance."""
        return sum(hit.evalue <= evalue for hit in self.hits) / self.queries


def database(path: Path, sequences: Iterable[str]) -> Path:
    """A BLAST database of some sequences, beside their FASTA file."""
    fasta(path, sequences)
    _run(["makeblastdb", "-in", str(path), "-dbtype", "nucl"])
    return path


def align(sequences: Sequence[str], against: Path) -> Alignments:
    """The best hit of each sequence in a database."""
    query = against.with_suffix(".query")
    fasta(query, sequences)
    printed = _run(["blastn", "-query", str(query), "-db", str(against), *OPTIONS, "-outfmt", f"6 {FIELDS}"])
    return Alignments(best_hits(printed), len(sequences))


def best_hits(printed: str) -> list[Hit]:
    r"""The best hit of each query in blastn's table.

    >>> best_hits("q0\t2e-9\t91.3\t80\nq0\t0.5\t100.0\t19\n")
    [Hit(evalue=2e-09, identity=91.3, length=80)]
    """
    best: dict[str, Hit] = {}
    for line in printed.splitlines():
        query, evalue, identity, length = line.split("\t")
        hit = Hit(float(evalue), float(identity), int(length))
        if query not in best or hit.evalue < best[query].evalue:
            best[query] = hit
    return list(best.values())


def shuffled(sequences: Iterable[str], seed: int = 0) -> list[str]:
    """Each sequence with its symbols in random order: the same composition, nothing else."""
    draw = random.Random(seed)
    return ["".join(draw.sample(sequence, len(sequence))) for sequence in sequences]


def fasta(path: Path, sequences: Iterable[str]) -> None:
    """Write sequences as q0, q1 ..."""
    path.write_text("".join(f">q{number}\n{sequence}\n" for number, sequence in enumerate(sequences)))


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExperimentError(f"{command[0]}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    return done.stdout
