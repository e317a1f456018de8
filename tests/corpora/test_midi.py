import io
import sys
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.corpora.midi import midi_to_text, read_midi, text_to_midi, write_midi
from charrnn.corpora.score import Note, read_notes, write_notes
from charrnn.errors import CorpusError

NOTES = st.lists(
    st.builds(Note, st.integers(0, 200), st.integers(0, 127), st.integers(1, 100), st.sampled_from([16, 49, 80, 126])),
    min_size=1,
    max_size=40,
)


def timing(notes: list[Note]) -> list[tuple[int, int, int]]:
    """What conversion preserves: onset, pitch, length."""
    return sorted((note.onset, note.pitch, note.length) for note in notes)


def text_of(notes: list[Note]) -> list[str]:
    return list(write_notes(notes))


@given(NOTES, st.sampled_from([1, 4, 12, 24, 480]))
def test_notes_to_midi_and_text_and_back(notes: list[Note], grid: int) -> None:
    data, dropped = write_midi(notes, grid)
    again = read_midi(data, "song", grid)
    assert dropped == 0
    assert timing(again) == timing(notes)
    (piece,) = read_notes(text_of(again))
    assert timing(piece.notes) == timing(notes)
    assert text_of(read_midi(write_midi(piece.notes, grid)[0], "song", grid)) == text_of(again)


TICKS = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(1, 2000), st.integers(0, 127), st.integers(1, 127)), min_size=1
)


@given(TICKS, st.sampled_from([96, 120, 384, 480, 1000]))
def test_any_midi_file_is_quantized_to_the_nearest_step(played: list[tuple[int, int, int, int]], ticks: int) -> None:
    # Each note is on a track of its own, so notes of one pitch may overlap.
    song = mido.MidiFile(type=1, ticks_per_beat=ticks)
    for start, length, pitch, velocity in played:
        on = mido.Message("note_on", note=pitch, velocity=velocity, time=start)
        song.tracks.append(mido.MidiTrack([on, mido.Message("note_on", note=pitch, velocity=0, time=length)]))
    stream = io.BytesIO()
    song.save(file=stream)
    notes = read_midi(stream.getvalue(), "song", 24)
    (piece,) = read_notes(text_of(notes))
    assert timing(piece.notes) == timing(notes)
    key = sorted((start / ticks, pitch, length / ticks) for start, length, pitch, _ in played)
    by_pitch: dict[int, list[tuple[float, float]]] = {}
    for onset, pitch, beats in key:
        by_pitch.setdefault(pitch, []).append((onset, beats))
    for pitch, expected in by_pitch.items():
        onsets = sorted(note.onset for note in notes if note.pitch == pitch)
        lengths = sorted(note.length for note in notes if note.pitch == pitch)
        assert all(abs(on - 24 * e) <= 0.5 for on, e in zip(onsets, sorted(o for o, _ in expected), strict=True))
        wanted = sorted(max(1.0, 24 * length) for _, length in expected)
        assert all(abs(found - w) <= 0.5 for found, w in zip(lengths, wanted, strict=True))


@given(st.text("0123456789 ABCDEFG#b:-pmf\nx", max_size=200))
def test_any_text_becomes_a_playable_file(text: str) -> None:
    lines = text.split("\n")
    pieces = list(read_notes(lines))
    notes = [note for piece in pieces for note in piece.notes]
    written = {tuple(line.split()) for line in lines if line.split()}
    assert sum(piece.skipped for piece in pieces) <= sum(bool(line.split()) for line in lines)
    assert bool(written) == bool(pieces)
    if notes:
        data, dropped = write_midi(notes)
        assert len(read_midi(data, "song")) == len(notes) - dropped


def test_more_notes_than_channels_are_dropped() -> None:
    data, dropped = write_midi([Note(0, 60, 9)] * 17)
    assert dropped == 2
    assert read_midi(data, "song") == [Note(0, 60, 9)] * 15


def test_drums_and_empty_files_have_no_notes() -> None:
    song = mido.MidiFile(type=0)
    song.tracks.append(mido.MidiTrack([mido.Message("note_on", channel=9, note=40, time=0)]))
    stream = io.BytesIO()
    song.save(file=stream)
    with pytest.raises(CorpusError, match="contains no notes"):
        read_midi(stream.getvalue(), "drums.mid")


def test_time_in_film_frames_is_refused() -> None:
    data = bytearray(write_midi([Note(0, 60, 9)])[0])
    data[12] = 0xE8  # 24 frames a second
    with pytest.raises(CorpusError, match="film frames"):
        read_midi(bytes(data), "film.mid")


def test_every_truncated_file_is_an_error(tmp_path: Path) -> None:
    data = write_midi([Note(0, 60, 9), Note(9, 62, 9)])[0]
    for size in range(len(data)):
        with pytest.raises(CorpusError, match=r"cut\.mid"):
            read_midi(data[:size], "cut.mid")


def test_a_folder_in_several_keys(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no music")
    (tmp_path / "high.MID").write_bytes(write_midi([Note(0, 127, 12)])[0])
    (tmp_path / "mid.mid").write_bytes(write_midi([Note(0, 60, 12)])[0])
    text = "".join(midi_to_text([str(tmp_path)], keys=3))
    assert text == "0 G9:12 mf\n\n0 F#9:12 mf\n\n0 C4:12 mf\n\n0 C#4:12 mf\n\n0 B3:12 mf\n\n"
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "readme.txt").write_text("no music")
    with pytest.raises(CorpusError, match="no MIDI files"):
        list(midi_to_text([str(tmp_path / "none")]))


def test_without_its_package_a_line_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(CorpusError, match=r"type: pip install mido$"):
        write_midi([])


def test_pieces_of_a_text_follow_each_other() -> None:
    made = text_to_midi(["rubbish", "0 C4:24", "", "12 D4:24"], "text", tempo=60)
    assert (made.notes, made.dropped, made.skipped) == (2, 0, 1)
    assert timing(read_midi(made.data, "song")) == [(0, 60, 24), (24 + 4 * 24 + 12, 62, 24)]


def test_a_text_without_notes_is_an_error() -> None:
    with pytest.raises(CorpusError, match=r"no notes in novel\.txt, 1 line skipped; a line of notes looks like this"):
        text_to_midi(["Call me Ishmael."], "novel.txt")
    with pytest.raises(CorpusError, match=r"no notes in empty\.txt; a line"):
        text_to_midi([], "empty.txt")
