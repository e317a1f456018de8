import math
import random
from collections import Counter
from pathlib import Path

import pytest

from scripts.common import ScriptError
from scripts.experiment import blast
from scripts.experiment.blast import Alignments, Hit
from tests.needs import blastn

TABLE = "q0\t3e-12\t88.250\t120\nq0\t0.004\t100.000\t21\nq2\t7.1\t100.000\t14\nq1\t0.0\t99.1\t500\n"


def test_the_best_hit_of_each_sequence() -> None:
    hits = blast.parse_hits(TABLE)
    assert hits == [Hit(3e-12, 88.25, 120), Hit(7.1, 100.0, 14), Hit(0.0, 99.1, 500)]
    found = Alignments(hits, queries=4)
    assert found.best == Hit(0.0, 99.1, 500)
    assert found.median == pytest.approx((3e-12 + 7.1) / 2)
    assert found.share(1e-3) == 0.5


def test_sequences_without_hits() -> None:
    nothing = Alignments(blast.parse_hits(""), queries=3)
    assert (nothing.best.evalue, nothing.median, nothing.share(1.0)) == (math.inf, math.inf, 0.0)


def test_shuffling_keeps_the_composition() -> None:
    (found,) = blast.shuffle_sequences(["AACCCGT" * 9])
    assert found != "AACCCGT" * 9
    assert Counter(found) == Counter("AACCCGT" * 9)


@blastn
def test_blast_itself(tmp_path: Path) -> None:
    draw = random.Random(0)
    genome = "".join(draw.choices("ACGT", k=5000))
    known = blast.make_database(tmp_path / "genome.fa", [genome])
    found = blast.align([genome[1000:1500]], known)
    assert found.best.length == 500
    assert found.best.evalue < 1e-100
    assert blast.align(blast.shuffle_sequences([genome[1000:1500]]), known).best.evalue > 1e-5


@blastn
def test_what_blast_complains_of_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="makeblastdb: "):
        blast.make_database(tmp_path / "empty.fa", [])
