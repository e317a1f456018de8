"""MIDI files to notes on a time grid and back, through the package mido (`pip install mido`)."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.corpora.score import GRID, Note, read_notes, transpose, write_notes
from charrnn.errors import CorpusError
from charrnn.text.sources import Source, find_sources
from charrnn.wording import count_of

if TYPE_CHECKING:
    import mido

DRUM_CHANNEL = 9  # General MIDI: its pitches stand for instruments
CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]
MAX_TICKS = 480  # per quarter note
PAUSE = 4  # quarter notes between the pieces of one text


@dataclass(frozen=True)
class Performance:
    """A MIDI file made from a text.

    Attributes:
        data: the file's content.
        notes: number of notes in it.
        dropped: notes that did not fit into it; see `write_midi`.
        skipped: lines of the text that are not notes.
    """

    data: bytes
    notes: int
    dropped: int
    skipped: int


def midi_to_text(files: Sequence[str], grid: int = GRID, keys: int = 1) -> Iterator[str]:
    """Yield the text of MIDI files line by line, an empty line after each piece.

    Each piece is written `keys` times: as it is, then transposed by 1, -1, 2, -2 ... semitones.

    Raises:
        CorpusError: if a file is not a MIDI file or has no notes, or mido is missing.
    """
    for source in find_midi_files(files):
        with source.open() as opened:
            data = opened.stream.read()
        notes = read_midi(data, source.name, grid)
        for step in range(keys):
            transposed = transpose(notes, (step + 1) // 2 * (1 if step % 2 else -1))
            for line in write_notes(transposed or ()):
                yield line + "\n"
            if transposed:
                yield "\n"


def text_to_midi(lines: Iterable[str], name: str, grid: int = GRID, tempo: float = 120.0) -> Performance:
    """Convert text as `midi_to_text` writes it to one MIDI file, its pieces one after the other.

    Lines that are not notes are skipped; `name` is that of the text, for the error message.

    Raises:
        CorpusError: if there are no notes, or mido is missing.
    """
    notes: list[Note] = []
    start = skipped = 0
    for piece in read_notes(lines):
        shifted = [replace(note, onset=note.onset + start) for note in piece.notes]
        start = max((note.onset + note.length + PAUSE * grid for note in shifted), default=start)
        notes += shifted
        skipped += piece.skipped
    if not notes:
        skips = f", {count_of(skipped, 'line')} skipped" if skipped else ""
        raise CorpusError(f"no notes in {name}{skips}; a line of notes looks like this: 12 C4:24 E4:24 mf")
    data, dropped = write_midi(notes, grid, tempo)
    return Performance(data, len(notes) - dropped, dropped, skipped)


def find_midi_files(files: Sequence[str]) -> list[Source]:
    """Return the given files, and those of given folders that have a MIDI file's suffix.

    Raises:
        CorpusError: if there are none.
    """
    sources: list[Source] = []
    for name in files:
        in_folder = Path(name).is_dir()
        sources += [
            source
            for source in find_sources([name], binary=True)[0]
            if not in_folder or source.name.lower().endswith((".mid", ".midi"))
        ]
    if not sources:
        raise CorpusError(f"no MIDI files (.mid, .midi) in {', '.join(files)}")
    return sources


def read_midi(data: bytes, name: str, grid: int = GRID) -> list[Note]:
    """Return the notes of all tracks of a MIDI file, without drums, in order; each lasts at least one grid step.

    Raises:
        CorpusError: if it is not a complete MIDI file, has no notes, or mido is missing.
    """
    song = _parse_file(data, name)
    ticks = song.ticks_per_beat
    if ticks <= 0:
        raise CorpusError(
            f"{name} measures time in film frames (SMPTE), not in beats; convert it to beats with another program"
        )
    notes = [
        Note(_to_steps(start, grid, ticks), pitch, max(1, _to_steps(end - start, grid, ticks)), velocity)
        for track in song.tracks
        for start, end, pitch, velocity in _extract_notes(track)
    ]
    if not notes:
        raise CorpusError(f"{name} contains no notes")
    return sorted(notes)


def write_midi(notes: Iterable[Note], grid: int = GRID, tempo: float = 120.0) -> tuple[bytes, int]:
    """Return a MIDI file for one piano, and the number of notes that did not fit into it.

    Notes of the same pitch that overlap are written to different channels, of which there are 15; more are dropped.

    Times are in grid steps, `grid` per quarter note; `tempo` is quarter notes per minute.
    """
    mido = _import_mido()
    ticks = max(1, MAX_TICKS // grid)  # per step
    free: dict[tuple[int, int], int] = {}  # the step at which a pitch of a channel ends
    events: list[tuple[int, bool, int, int, int]] = []
    dropped = 0
    for note in sorted(notes):
        channel = next((c for c in CHANNELS if free.get((c, note.pitch), 0) <= note.onset), None)
        if channel is None:
            dropped += 1
            continue
        end = note.onset + note.length
        free[channel, note.pitch] = end
        events.append((note.onset * ticks, True, channel, note.pitch, note.velocity))
        events.append((end * ticks, False, channel, note.pitch, 0))
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))])
    now = 0
    for tick, starts, channel, pitch, velocity in sorted(events):  # at the same tick, ends come first
        kind = "note_on" if starts else "note_off"
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    song = mido.MidiFile(type=0, ticks_per_beat=ticks * grid, tracks=[track])
    stream = io.BytesIO()
    song.save(file=stream)
    return stream.getvalue(), dropped


def _parse_file(data: bytes, name: str) -> "mido.MidiFile":
    mido = _import_mido()
    if not data.startswith(b"MThd"):
        raise CorpusError(f"{name} is not a MIDI file: it does not start with MThd")
    try:
        return mido.MidiFile(file=io.BytesIO(data), clip=True)
    except (OSError, EOFError, ValueError, LookupError) as error:  # depends on where the file is damaged
        raise CorpusError(f"{name} is not a complete MIDI file ({str(error) or 'it is cut off'})") from None


def _extract_notes(track: Iterable["mido.Message"]) -> Iterator[tuple[int, int, int, int]]:
    """Yield start and end (in ticks), pitch and velocity of a track's notes; all end with the track at the latest."""
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}
    now = 0
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == DRUM_CHANNEL:
            continue
        key = (message.channel, message.note)
        if message.type == "note_on" and message.velocity:
            sounding.setdefault(key, []).append((now, message.velocity))
        elif sounding.get(key):
            start, velocity = sounding[key].pop(0)
            yield start, now, message.note, velocity
    for (_, pitch), starts in sounding.items():
        for start, velocity in starts:
            yield start, now, pitch, velocity


def _to_steps(ticks: int, grid: int, ticks_per_beat: int) -> int:
    """Convert ticks to grid steps, rounding half up."""
    return (2 * ticks * grid + ticks_per_beat) // (2 * ticks_per_beat)


def _import_mido() -> Any:
    try:
        import mido
    except ImportError:
        raise CorpusError("MIDI needs the package mido; type: pip install mido") from None
    return mido
