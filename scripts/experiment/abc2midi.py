"""Checking tunes with abc2midi (James Allwright, Seymour Shlien; Debian's abcmidi)."""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ERROR = re.compile(r"^Error\b", re.MULTILINE)
WRONG_BAR = re.compile(r"^Warning\b.*\bBar (\d+) has \S+ time units", re.MULTILINE)
NOTES_BEFORE_BAR = re.compile(r"[A-Ga-gz][^|]*(?=\|)")


@dataclass(frozen=True)
class TuneCheck:
    """The result for one tune; abc2midi accepts a bar that is shorter because a repeat begins or ends in it.

    Attributes:
        converted: whether it became a MIDI file without an error.
        bars: number of bars.
        wrong_bars: number of bars of a wrong length.
    """

    converted: bool
    bars: int
    wrong_bars: int


def check_tunes(tunes: Sequence[str]) -> list[TuneCheck]:
    """Run abc2midi on each tune."""
    checks = []
    with tempfile.TemporaryDirectory() as folder:
        tune_file, midi_file = Path(folder, "tune.abc"), Path(folder, "tune.mid")
        for tune in tunes:
            tune_file.write_text(tune.strip() + "\n", encoding="utf-8", errors="replace")
            midi_file.unlink(missing_ok=True)
            command = ["abc2midi", str(tune_file), "-o", str(midi_file)]
            done = subprocess.run(command, capture_output=True, check=False)
            output = (done.stdout + done.stderr).decode("utf-8", "replace")
            checks.append(parse_output(tune, output, written=midi_file.exists() and not done.returncode))
    return checks


def parse_output(tune: str, output: str, *, written: bool) -> TuneCheck:
    r"""Interpret the messages of abc2midi.

    Args:
        tune: in ABC.
        output: of abc2midi.
        written: whether there is a MIDI file, and the exit status was 0.

    >>> parse_output("X:1\nM:2/4\nK:G\nGA|B2c2d2|", "Warning in line-char 4-11 : Track 0 Bar 2 has 3/2 time units "
    ...         "while the time signature has 1", written=True)
    TuneCheck(converted=True, bars=2, wrong_bars=1)
    """
    music = "\n".join(line for line in tune.split("\n") if line[1:2] != ":")
    wrong = len(set(WRONG_BAR.findall(output)))  # repeats report a bar again
    return TuneCheck(written and not ERROR.search(output), len(NOTES_BEFORE_BAR.findall(music)), wrong)
