"""MIDI files to notes on a grid and back, through the package mido (`pip install charrnn[music]`)."""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.corpora.score import GRID, Note, transposed, write_notes
from charrnn.errors import CorpusError
from charrnn.text.sources import Source, find_sources

if TYPE_CHECKING:
    import mido

DRUMS = 9  # the channel whose pitches are instruments
CHANNELS = [channel for channel in range(16) if channel != DRUMS]
MOST_TICKS = 480  # a quarter note, or the nearest multiple of the grid below


def midi_text(files: Sequence[str], grid: int = GRID, keys: int = 1) -> Iterator[str]:
    """The text of MIDI files, piece by piece, an empty line behind each.

    Args:
        files: MIDI files, and folders of them.
        grid: steps of a quarter note.
        keys: how many times each piece is written: as it is, then moved by 1, -1, 2, -2 ... semitones.

    Raises:
        CorpusError: if a file is no MIDI file or holds no notes, or mido is missing.
    """
    for source in midi_sources(files):
        with source.open() as opened:
            data = opened.stream.read()
        notes = read_midi(data, source.name, grid)
        for step in range(keys):
            moved = transposed(notes, (step + 1) // 2 * (1 if step % 2 else -1))
            for line in write_notes(moved or ()):
                yield line + "\n"
            if moved:
                yield "\n"


def midi_sources(files: Sequence[str]) -> list[Source]:
    """The MIDI files among what is named, those in folders by their suffix."""
    found: list[Source] = []
    for name in files:
        in_folder = Path(name).is_dir()
        found += [
            source
            for source in find_sources([name], binary=True)[0]
            if not in_folder or source.name.lower().endswith((".mid", ".midi"))
        ]
    if not found:
        raise CorpusError(f"no MIDI files (.mid, .midi) in {', '.join(files)}")
    return found


def read_midi(data: bytes, name: str, grid: int = GRID) -> list[Note]:
    """All notes of a MIDI file but drums, tracks together, in steps of the grid; none is shorter than one step."""
    song = _opened(data, name)
    ticks = song.ticks_per_beat
    if ticks <= 0:
        raise CorpusError(f"{name} counts time in film frames, not in beats; save it with beats in another program")
    found = [
        Note(_steps(start, grid, ticks), pitch, max(1, _steps(end - start, grid, ticks)), velocity)
        for track in song.tracks
        for start, end, pitch, velocity in _notes_of(track)
    ]
    if not found:
        raise CorpusError(f"{name} holds no notes")
    return sorted(found)


def write_midi(notes: Iterable[Note], grid: int = GRID, tempo: float = 120.0) -> tuple[bytes, int]:
    """A MIDI file for one piano, and how many notes did not fit into it.

    Notes of one pitch that sound at the same time go to channels of their own: 15 fit, more are left out.

    Args:
        notes: in steps of the grid, in any order.
        grid: steps of a quarter note.
        tempo: quarter notes a minute.
    """
    mido = _mido()
    ticks = max(1, MOST_TICKS // grid)  # of a step
    free: dict[tuple[int, int], int] = {}  # when a channel's pitch is silent again
    events: list[tuple[int, bool, int, int, int]] = []
    left_out = 0
    for note in sorted(notes):
        channel = next((c for c in CHANNELS if free.get((c, note.pitch), 0) <= note.onset), None)
        if channel is None:
            left_out += 1
            continue
        end = note.onset + note.length
        free[channel, note.pitch] = end
        events.append((note.onset * ticks, True, channel, note.pitch, note.velocity))
        events.append((end * ticks, False, channel, note.pitch, 0))
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))])
    now = 0
    for tick, starts, channel, pitch, velocity in sorted(events):  # at the same tick ends come first
        kind = "note_on" if starts else "note_off"
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    song = mido.MidiFile(type=0, ticks_per_beat=ticks * grid, tracks=[track])
    stream = io.BytesIO()
    song.save(file=stream)
    return stream.getvalue(), left_out


def _opened(data: bytes, name: str) -> "mido.MidiFile":
    mido = _mido()
    if not data.startswith(b"MThd"):
        raise CorpusError(f"{name} is not a MIDI file: it does not begin with MThd")
    try:
        return mido.MidiFile(file=io.BytesIO(data), clip=True)
    except (OSError, EOFError, ValueError, LookupError) as error:  # what mido raises, by where the damage is
        raise CorpusError(f"{name} is not a whole MIDI file ({str(error) or 'it ends too early'})") from None


def _notes_of(track: Iterable["mido.Message"]) -> Iterator[tuple[int, int, int, int]]:
    """Start, end (in ticks), pitch and velocity of a track's notes; what is never ended ends with the track."""
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}
    now = 0
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        key = (message.channel, message.note)
        if message.type == "note_on" and message.velocity:
            sounding.setdefault(key, []).append((now, message.velocity))
        elif sounding.get(key):
            start, velocity = sounding[key].pop(0)
            yield start, now, message.note, velocity
    for (_, pitch), begun in sounding.items():
        for start, velocity in begun:
            yield start, now, pitch, velocity


def _steps(ticks: int, grid: int, ticks_per_beat: int) -> int:
    """Ticks in steps, the nearest ones; halves go up."""
    return (2 * ticks * grid + ticks_per_beat) // (2 * ticks_per_beat)


def _mido() -> Any:
    try:
        import mido
    except ImportError:
        raise CorpusError("MIDI needs the package mido; type: pip install 'charrnn[music]'") from None
    return mido
