"""Notes as text: a line for each moment at which notes begin, free of tempo, for many voices.

    0 C3:24 E4:12 mf        at once: C3 for a quarter note, E4 for an eighth, moderately loud
    12 F4:12                an eighth later: F4 for an eighth, as loud as before
    12 G3:24 G4:24 p        another eighth later: two quarter notes, softly

A line has the steps since the line before it, its notes from low to high, each with its length in steps, and
how loud they are where that changes. A quarter note has `GRID` steps: 24 hold triplets and thirty-second notes.
C4 is middle C. An empty line ends a piece.

What is heard follows from a few characters near by, which is what a model of characters learns best: no bar numbers,
no times since the beginning, no separate ends of notes.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

GRID = 24
MOST = 9999  # steps of a wait or a length: four digits
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
VELOCITIES = {"ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 126}
NOTE = re.compile(r"([A-G])([#b]?)(-?\d):(\d{1,4})")
WAIT = re.compile(r"\d{1,4}")


@dataclass(frozen=True, order=True)
class Note:
    """One note; times in steps of the grid, `pitch` as MIDI counts (60 is middle C), `velocity` from 1 to 127."""

    onset: int
    pitch: int
    length: int
    velocity: int = VELOCITIES["mf"]


@dataclass
class Piece:
    """What a text says, and how many of its lines said nothing."""

    notes: list[Note]
    skipped: int = 0


def write_notes(notes: Iterable[Note]) -> Iterator[str]:
    """The lines of a piece, without ends.

    Notes that begin together are as loud as their mean; a note or a silence longer than `MOST` is cut to that.
    """
    now, loudness = 0, ""
    for onset, together in groupby(sorted(notes), key=lambda note: note.onset):
        chord = list(together)
        words = [f"{name_of(note.pitch)}:{min(MOST, note.length)}" for note in chord]
        mark = dynamic(sum(note.velocity for note in chord) / len(chord))
        if mark != loudness:
            words.append(mark)
        yield " ".join([str(min(MOST, onset - now)), *words])
        now, loudness = onset, mark


def read_notes(lines: Iterable[str]) -> Iterator[Piece]:
    """The pieces of a text; a line that is no music is skipped and counted, as if it were not there."""
    piece, now, velocity = Piece([]), 0, VELOCITIES["mf"]
    for line in lines:
        words = line.split()
        if not words:
            if piece.notes or piece.skipped:
                yield piece
            piece, now, velocity = Piece([]), 0, VELOCITIES["mf"]
            continue
        found = read_line(words)
        if found is None:
            piece.skipped += 1
            continue
        wait, chord, mark = found
        now += wait
        velocity = VELOCITIES.get(mark, velocity)
        piece.notes += [Note(now, pitch, length, velocity) for pitch, length in chord]
    if piece.notes or piece.skipped:
        yield piece


def read_line(words: list[str]) -> tuple[int, list[tuple[int, int]], str] | None:
    """Wait, notes (pitch, length) and loudness of a line's words, or None if they are no music.

    >>> read_line(["12", "C4:24", "Bb4:6", "p"])
    (12, [(60, 24), (70, 6)], 'p')
    """
    wait, *rest = words
    mark = rest.pop() if rest and rest[-1] in VELOCITIES else ""
    notes = [NOTE.fullmatch(word) for word in rest]
    if not WAIT.fullmatch(wait) or not notes:
        return None
    chord = []
    for note in notes:
        if note is None:
            return None
        pitch = NAMES.index(note[1]) + (note[2] == "#") - (note[2] == "b") + 12 * (int(note[3]) + 1)
        if not 0 <= pitch <= 127 or int(note[4]) == 0:
            return None
        chord.append((pitch, int(note[4])))
    return int(wait), chord, mark


def name_of(pitch: int) -> str:
    """A pitch as musicians call it: `name_of(61) == "C#4"`."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def dynamic(velocity: float) -> str:
    """The mark nearest to a velocity: `dynamic(83) == "mf"`."""
    return min(VELOCITIES, key=lambda mark: abs(VELOCITIES[mark] - velocity))


def transposed(notes: Iterable[Note], semitones: int) -> list[Note] | None:
    """The same notes higher, or lower if negative; None if one would leave what MIDI can say."""
    moved = [Note(note.onset, note.pitch + semitones, note.length, note.velocity) for note in notes]
    return moved if all(0 <= note.pitch <= 127 for note in moved) else None
