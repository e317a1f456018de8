import io

import pytest

from charrnn.cli.display.escape import VisibleStream, to_cell, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text\n\tindented", "plain text\n\tindented"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("over\rwritten\b\b", r"over\rwritten\x08\x08"),
        ("\x9b31m\x7f\x00", r"\x9b31m\x7f\x00"),
        ("right \u202eto left\u2066", r"right \u202eto left\u2066"),
        ("new\u2028line\u2029", r"new\u2028line\u2029"),
        ("é 日本 ☃ 🐈 क्\u200dष", "é 日本 ☃ 🐈 क्\u200dष"),
        ("soft\u00adhyphen\ufeff", r"soft\xadhyphen\ufeff"),
        ("half \ud83d", r"half \ud83d"),
        ("\\x1b stays as it is", "\\x1b stays as it is"),
    ],
)
def test_controls_are_shown_and_the_rest_is_left_alone(text: str, shown: str) -> None:
    assert visible(text) == shown


def write_pieces(*pieces: bytes) -> bytes:
    out = io.BytesIO()
    stream = VisibleStream(out)
    for piece in pieces:
        assert stream.write(piece) == len(piece)
    stream.flush()
    stream.finish()
    return out.getvalue()


def test_a_character_cut_between_pieces_is_whole() -> None:
    cat = "🐈 é".encode()
    assert write_pieces(*(bytes([byte]) for byte in cat)) == cat


def test_a_control_cut_between_pieces_is_shown() -> None:
    assert write_pieces(b"a\xc2", b"\x9b2Jb") == rb"a\x9b2Jb"
    assert write_pieces(b"\x1b", b"[2J") == rb"\x1b[2J"


def test_bytes_that_are_no_text_are_shown() -> None:
    assert write_pieces(b"ok \xff\xfe \x9b") == rb"ok \xff\xfe \x9b"
    assert write_pieces(b"cut \xf0\x9f") == rb"cut \xf0\x9f"


def test_a_cell_has_neither_tabs_nor_line_ends() -> None:
    assert to_cell("a\tb\nc\r\nd") == "a b c  d"
