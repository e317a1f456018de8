"""Notes as text: one line for each moment at which notes begin, for any number of voices, independent of tempo.

    0 C3:24 E4:12 mf        together: C3 for a quarter note and E4 for an eighth, mezzo-forte
    12 F4:12                an eighth later: F4 for an eighth, dynamics unchanged
    12 G3:24 G4:24 p        another eighth later: two quarter notes, piano

A line consists of the steps since the line before it, its notes in ascending order, each with its length in steps,
and the dynamics where they change. A quarter note has `GRID` steps: 24 can represent triplets and thirty-second notes.
C4 is middle C. An empty line ends a piece.

Everything follows from a few characters nearby, which suits a character-level model: there are no bar numbers, absolute
times or separate note-off events.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

GRID = 24
MAX_STEPS = 9999  # of a wait or a length: four digits
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
VELOCITIES = {"ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 126}
NOTE = re.compile(r"([A-G])([#b]?)(-?\d):(\d{1,4})")
WAIT = re.compile(r"\d{1,4}")


@dataclass(frozen=True, order=True)
class Note:
    """One note; times in grid steps, `pitch` as a MIDI number (60 is middle C), `velocity` from 1 to 127."""

    onset: int
    pitch: int
    length: int
    velocity: int = VELOCITIES["mf"]


@dataclass
class Piece:
    """The notes of one piece of a text, and the number of its lines that are not notes."""

    notes: list[Note]
    skipped: int = 0


def write_notes(notes: Iterable[Note]) -> Iterator[str]:
    """Yield the lines of a piece, without line ends.

    Notes that begin together share the dynamics of their mean velocity; waits and lengths are cut to `MAX_STEPS`.
    """
    now, dynamics = 0, ""
    for onset, together in groupby(sorted(notes), key=lambda note: note.onset):
        chord = list(together)
        words = [f"{pitch_name(note.pitch)}:{min(MAX_STEPS, note.length)}" for note in chord]
        mark = nearest_dynamics(sum(note.velocity for note in chord) / len(chord))
        if mark != dynamics:
            words.append(mark)
        yield " ".join([str(min(MAX_STEPS, onset - now)), *words])
        now, dynamics = onset, mark


def read_notes(lines: Iterable[str]) -> Iterator[Piece]:
    """Yield the pieces of a text; lines that are not notes are skipped and counted."""
    piece, now, velocity = Piece([]), 0, VELOCITIES["mf"]
    for line in lines:
        words = line.split()
        if not words:
            if piece.notes or piece.skipped:
                yield piece
            piece, now, velocity = Piece([]), 0, VELOCITIES["mf"]
            continue
        parsed = parse_line(words)
        if parsed is None:
            piece.skipped += 1
            continue
        wait, chord, mark = parsed
        now += wait
        velocity = VELOCITIES.get(mark, velocity)
        piece.notes += [Note(now, pitch, length, velocity) for pitch, length in chord]
    if piece.notes or piece.skipped:
        yield piece


def parse_line(words: list[str]) -> tuple[int, list[tuple[int, int]], str] | None:
    """Return wait, notes (pitch, length) and dynamics ("" if unchanged) of a line's words, or None if it is invalid.

    >>> parse_line(["12", "C4:24", "Bb4:6", "p"])
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
        pitch = PITCH_CLASSES.index(note[1]) + (note[2] == "#") - (note[2] == "b") + 12 * (int(note[3]) + 1)
        if not 0 <= pitch <= 127 or int(note[4]) == 0:
            return None
        chord.append((pitch, int(note[4])))
    return int(wait), chord, mark


def pitch_name(pitch: int) -> str:
    """Return a pitch in scientific notation: `pitch_name(61) == "C#4"`."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def nearest_dynamics(velocity: float) -> str:
    """Return the dynamics mark nearest to a velocity: `nearest_dynamics(83) == "mf"`."""
    return min(VELOCITIES, key=lambda mark: abs(VELOCITIES[mark] - velocity))


def transpose(notes: Iterable[Note], semitones: int) -> list[Note] | None:
    """Return the notes `semitones` higher, or lower if negative; None if one would leave MIDI's range of pitches."""
    transposed = [Note(note.onset, note.pitch + semitones, note.length, note.velocity) for note in notes]
    return transposed if all(0 <= note.pitch <= 127 for note in transposed) else None
