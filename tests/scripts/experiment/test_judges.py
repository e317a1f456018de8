"""What other programs say is read right, from words like theirs, and from the programs where they are installed."""

import math
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from scripts.experiment import blast
from scripts.experiment.abc2midi import Verdict, judged, verdict
from scripts.experiment.blast import Alignments, Hit
from scripts.experiment.running import ExperimentError

TABLE = "q0\t3e-12\t88.250\t120\nq0\t0.004\t100.000\t21\nq2\t7.1\t100.000\t14\nq1\t0.0\t99.1\t500\n"

TUNE = "X:1\nT:Abc|def\nM:2/4\nL:1/8\nK:G\nGABc|d2c2|B3A2|G4|]"
SAID = """4.84 January 20 2023 abc2midi
Warning in line-char 8-17 : replacing |: with double repeat (::)
Warning in line-char 6-15 : Track 0 Bar 3 has 5/2 time units while the time signature has 2
Warning in line-char 6-15 : Track 0 Bar 3 has 5/2 time units while the time signature has 2 in repeat
writing MIDI file tune.mid
"""
ERROR = "Error in line-char 6-3 : Malformed note : expecting a-g or A-G\n"


def test_the_best_hit_of_each_sequence() -> None:
    hits = blast.best_hits(TABLE)
    assert hits == [Hit(3e-12, 88.25, 120), Hit(7.1, 100.0, 14), Hit(0.0, 99.1, 500)]
    found = Alignments(hits, queries=4)
    assert found.best == Hit(0.0, 99.1, 500)
    assert found.median == pytest.approx((3e-12 + 7.1) / 2)
    assert found.share(1e-3) == 0.5


def test_sequences_without_hits() -> None:
    nothing = Alignments(blast.best_hits(""), queries=3)
    assert (nothing.best.evalue, nothing.median, nothing.share(1.0)) == (math.inf, math.inf, 0.0)


def test_shuffling_keeps_the_composition() -> None:
    (found,) = blast.shuffled(["AACCCGT" * 9])
    assert found != "AACCCGT" * 9
    assert Counter(found) == Counter("AACCCGT" * 9)


def test_abc2midi_tells_errors_and_bars() -> None:
    assert verdict(TUNE, SAID, written=True) == Verdict(converted=True, bars=4, wrong_bars=1)
    assert not verdict(TUNE, SAID + ERROR, written=True).converted
    assert not verdict(TUNE, SAID, written=False).converted


@pytest.mark.skipif(not shutil.which("abc2midi"), reason="abc2midi (Debian's abcmidi) is not installed")
def test_abc2midi_itself() -> None:
    good, short, bad = judged([TUNE.replace("B3A2", "B3A"), TUNE, TUNE.replace("B3A2", "B3?(")])
    assert good == Verdict(converted=True, bars=4, wrong_bars=0)
    assert short == Verdict(converted=True, bars=4, wrong_bars=1)
    assert not bad.converted


@pytest.mark.skipif(not shutil.which("blastn"), reason="BLAST+ (Debian's ncbi-blast+) is not installed")
def test_blast_itself(tmp_path: Path) -> None:
    draw = random.Random(0)
    genome = "".join(draw.choices("ACGT", k=5000))
    known = blast.database(tmp_path / "genome.fa", [genome])
    found = blast.align([genome[1000:1500]], known)
    assert found.best.length == 500
    assert found.best.evalue < 1e-100
    assert blast.align(blast.shuffled([genome[1000:1500]]), known).best.evalue > 1e-5


@pytest.mark.skipif(not shutil.which("blastn"), reason="BLAST+ (Debian's ncbi-blast+) is not installed")
def test_what_blast_complains_of_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="makeblastdb: "):
        blast.database(tmp_path / "empty.fa", [])
