"""What abc2midi (James Allwright, Seymour Shlien; Debian's abcmidi) says of a tune."""

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
class Verdict:
    """One tune's: whether it became a MIDI file without an error; its bars, and those of a wrong length.

    A bar that is shorter because a repeat begins or ends in it is not wrong for abc2midi.
    """

    converted: bool
    bars: int
    wrong_bars: int


def judged(tunes: Sequence[str]) -> list[Verdict]:
    """A verdict on each tune."""
    verdicts = []
    with tempfile.TemporaryDirectory() as folder:
        tune_file, midi_file = Path(folder, "tune.abc"), Path(folder, "tune.mid")
        for tune in tunes:
            tune_file.write_text(tune.strip() + "\n", encoding="utf-8", errors="replace")
            midi_file.unlink(missing_ok=True)
            command = ["abc2midi", str(tune_file), "-o", str(midi_file)]
            done = subprocess.run(command, capture_output=True, check=False)
            said = (done.stdout + done.stderr).decode("utf-8", "replace")
            verdicts.append(verdict(tune, said, written=midi_file.exists() and not done.returncode))
    return verdicts


def verdict(tune: str, said: str, *, written: bool) -> Verdict:
    r"""What abc2midi's messages mean.

    >>> verdict("X:1\nM:2/4\nK:G\nGA|B2c2d2|", "Warning in line-char 4-11 : Track 0 Bar 2 has 3/2 time units "
    ...         "while the time signature has 1", written=True)
    Verdict(converted=True, bars=2, wrong_bars=1)
    """
    music = "\n".join(line for line in tune.split("\n") if line[1:2] != ":")
    wrong = len(set(WRONG_BAR.findall(said)))  # in a repeat they are told again
    return Verdict(written and not ERROR.search(said), len(NOTES_BEFORE_BAR.findall(music)), wrong)
