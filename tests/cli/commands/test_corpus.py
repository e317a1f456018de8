import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import pytest

from charrnn.corpora.midi import read_midi
from charrnn.corpora.score import Note

LINE = "0 C4:4\n"


def test_from_the_command_line_to_a_closed_pipe(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "charrnn", "corpus", "stdlib"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert len(process.stdout.read(5000)) == 5000
        process.stdout.close()  # as head does
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


def test_a_corpus_is_written_completely_or_not_at_all(in_process: Any, monkeypatch: Any, tmp_path: Path) -> None:
    def read_half() -> Iterator[str]:
        yield "half"
        raise OSError("the disk is broken")

    path = tmp_path / "new" / "text.txt"
    monkeypatch.setattr("charrnn.corpora.plain.read_stdlib", read_half)
    assert in_process("corpus", "stdlib", "-o", str(path))[0] == 1
    assert list(path.parent.iterdir()) == []
    monkeypatch.setattr("charrnn.corpora.plain.read_stdlib", lambda: iter(["whole ", "text"]))
    assert in_process("corpus", "stdlib", "-o", str(path))[0] == 0
    assert path.read_text() == "whole text"


@pytest.mark.parametrize(
    ("arguments", "stdin", "out"),
    [
        (["fasta", "-", "--wrap", "4", "--headers"], b">a\nacgtNNac\ng\n>b\n", ">a\nACGT\nACG\n>b\n"),
        (["names", "-"], b"Czech\tAbl\nDutch\tAbl\n\n", "Abl\n"),
        (["names", "-", "--encoding", "latin-1"], b"B\xf6hm\n", "Böhm\n"),
        (["abc", "-"], b"X: 3\nT:Jig\nZ:me\nK:G\nGAB|\n", "X:1\nT:Jig\nK:G\nGAB|\n\n"),
        (["brackets", "--length", "9", "--seed", "1"], b"", "()(111()1)"),
    ],
)
def test_subcommands_read_pipes(in_process: Any, arguments: list[str], stdin: bytes, out: str) -> None:
    status, written, notes = in_process("corpus", *arguments, stdin=stdin)
    assert (status, written) == (0, out)
    assert notes == f"{arguments[0]}: {len(out)} characters\n"
    assert in_process("corpus", *arguments, "--quiet", stdin=stdin) == (0, out, "")


def test_a_file_is_written_and_never_overwritten_unasked(in_process: Any, tmp_path: Path) -> None:
    file = tmp_path / "new" / "names.txt"
    command = ("corpus", "names", "-", "-o", str(file))
    assert in_process(*command, stdin=b"Ann\n") == (0, "", f"names: 4 characters written to {file}\n")
    status, _, err = in_process(*command, stdin=b"Bob\n")
    assert (status, file.read_text()) == (1, "Ann\n")
    assert err == f"charrnn: {file} already exists; replace it with --overwrite, or name another file with -o\n"
    assert in_process(*command, "--overwrite", "--quiet", stdin=b"Bob\n") == (0, "", "")
    assert file.read_text() == "Bob\n"


def test_text_to_midi_and_back(in_process: Any, tmp_path: Path) -> None:
    text = "0 C4:24 E4:24 p\n24 C4:12\n\n12 G3:6 f\n"
    song = tmp_path / "song.mid"
    arguments = ("corpus", "text2midi", "-o", str(song), "--tempo", "90")
    status, _, err = in_process(*arguments, stdin=b"no music\n" + text.encode())
    assert (status, err.splitlines()[0]) == (0, "text2midi: 4 notes, 1 line skipped")
    assert [note.onset for note in read_midi(song.read_bytes(), "song")] == [0, 0, 24, 36 + 96 + 12]
    assert mido.MidiFile(song).tracks[0][0].tempo == mido.bpm2tempo(90)
    assert in_process("corpus", "midi", str(song))[1] == "0 C4:24 E4:24 p\n24 C4:12\n120 G3:6 f\n\n"


def test_several_pieces_do_not_overlap(in_process: Any, tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    status, _, _ = in_process("corpus", "text2midi", "-o", str(song), "--grid", "4", stdin=f"{LINE}\n{LINE}".encode())
    assert status == 0
    assert read_midi(song.read_bytes(), "song", grid=4) == [Note(0, 60, 4), Note(20, 60, 4)]


def test_notes_that_do_not_fit_are_reported(in_process: Any, tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    status, _, err = in_process("corpus", "text2midi", "-o", str(song), stdin=b"0" + b" C4:9" * 17 + b"\n")
    assert status == 0
    assert err.splitlines()[0] == "text2midi: 15 notes, 2 dropped (more than 15 at once at one pitch), 0 lines skipped"


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["text2midi"], b"la la\n", "no notes in stdin, 1 line skipped; a line of notes looks like this: 12 C4:24 E4:"),
        (["fasta", "-"], b"hello", "not FASTA: line 1 should start with > and a name; found 'hello'"),
        (["fasta", "-"], b">a\nAC\nA1\n", "not FASTA: line 3 is neither a header nor a sequence; found 'A1'"),
        (["fasta", "-"], b"\n", "no sequence: the input is empty"),
        (["fasta", "-"], b">a\nNNN\n", "no sequence in stdin; give --keep-n if N is an amino acid"),
        (
            ["abc", "-"],
            b"It was the best of times\n",
            "no ABC tunes in stdin; a tune starts with X:, and K:",
        ),
        (["names", "-"], b"\n\n", "no names in stdin; give a file with one name per line"),
        (["midi", "-"], b"RIFF1234", "stdin is not a MIDI file: it does not start with MThd"),
        (["midi", "-"], b"MThd\0\0", "stdin is not a complete MIDI file (it is cut off)"),
        (["names", "missing.tsv"], b"", "there is no file or folder missing.tsv; check the name"),
        (["tinyshakespeare", "-"], b"To be", "stdin is not tiny Shakespeare: it has 5 bytes, not the 1,115,394 with"),
        (["shakespeare", "missing.tar.gz"], b"", "missing.tar.gz cannot be read: No such file or directory"),
    ],
)
def test_inputs_that_cannot_be_converted(
    in_process: Any, tmp_path: Path, arguments: list[str], stdin: bytes, message: str
) -> None:
    file = tmp_path / "out"
    status, out, err = in_process("corpus", *arguments, "-o", str(file), stdin=stdin)
    assert (status, out, file.exists()) == (1, "", False)
    assert err.startswith(f"charrnn: {message}")
    assert len(err.splitlines()) == 1


def test_limits_of_options_are_reported_together(in_process: Any) -> None:
    status, _, err = in_process("corpus", "midi", "a.mid", "--keys", "0", "--grid", "481")
    assert status == 2
    assert err.splitlines() == [
        "charrnn: --grid must be at least 1 and at most 480; found 481",
        "charrnn: --keys must be at least 1 and at most 24; found 0",
    ]


def test_control_characters_do_not_reach_a_terminal_as_they_are(in_process: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert in_process("corpus", "names", "-", "--quiet", stdin=b"a\x1b[2Jb\n") == (0, "a\\x1b[2Jb\n", "")
    status, out, err = in_process("corpus", "text2midi", stdin=LINE.encode())
    assert (status, out) == (2, "")
    assert "a MIDI file cannot be shown in a terminal; name a file with -o new.mid" in err


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_text_from_the_terminal_is_asked_for(in_process: Any, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(io, "TextIOWrapper", Terminal)
    status, out, err = in_process("corpus", "names", "-", stdin=b"Ann\n")
    assert (status, out) == (0, "Ann\n")
    assert err.startswith("reading the text from this terminal")
    (tmp_path / "names.txt").write_text("Ann\n")
    assert in_process("corpus", "names", str(tmp_path / "names.txt")) == (0, "Ann\n", "names: 4 characters\n")


def test_every_subcommand_has_a_help_page_with_examples(in_process: Any) -> None:
    _, page, _ = in_process("corpus", "--help")
    kinds = ("shakespeare", "tinyshakespeare", "stdlib", "names", "fasta", "abc", "midi", "text2midi", "brackets")
    for kind in kinds:
        assert kind in page
        status, help_page, _ = in_process("corpus", kind, "--help")
        assert status == 0
        assert f"charrnn corpus {kind}" in help_page.split("Examples:")[1]
