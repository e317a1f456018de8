import pytest

from charrnn.corpora.score import (
    MAX_STEPS,
    Note,
    Piece,
    nearest_dynamics,
    parse_line,
    pitch_name,
    read_notes,
    transpose,
    write_notes,
)


def test_a_chord_a_melody_and_a_rest() -> None:
    notes = [Note(0, 48, 24, 80), Note(0, 64, 12, 80), Note(12, 65, 12, 82), Note(36, 61, 6, 49)]
    lines = ["0 C3:24 E4:12 mf", "12 F4:12", "24 C#4:6 p"]
    assert list(write_notes(reversed(notes))) == lines
    assert list(read_notes(lines)) == [Piece([*notes[:2], Note(12, 65, 12, 80), notes[3]])]


@pytest.mark.parametrize(
    "line",
    ["C4:24", "12", "12 C4", "12 C4:0", "12 H4:2", "x C4:2", "12 C4:24 mf E4:2", "12 C-2:3", "1 C4:12345", "1 Cb-1:2"],
)
def test_lines_that_are_not_notes_are_skipped(line: str) -> None:
    assert parse_line(line.split()) is None
    assert list(read_notes([line, "0 C4:1", line])) == [Piece([Note(0, 60, 1)], skipped=2)]


def test_pieces_begin_anew() -> None:
    first, second = read_notes(["9 C4:1 ff", "", "", "0 C4:1", ""])
    assert first.notes == [Note(9, 60, 1, 112)]
    assert second.notes == [Note(0, 60, 1, 80)]


def test_names_and_marks() -> None:
    assert [pitch_name(pitch) for pitch in (0, 60, 61, 127)] == ["C-1", "C4", "C#4", "G9"]
    assert [nearest_dynamics(velocity) for velocity in (1, 60, 83, 127)] == ["ppp", "mp", "mf", "fff"]


def test_long_silence_and_long_notes_fit_into_a_line() -> None:
    assert list(write_notes([Note(20_000, 60, 20_000)])) == [f"{MAX_STEPS} C4:{MAX_STEPS} mf"]


def test_transposed_only_as_far_as_midi_goes() -> None:
    assert transpose([Note(0, 60, 1)], -2) == [Note(0, 58, 1)]
    assert transpose([Note(0, 60, 1), Note(0, 127, 1)], 1) is None
