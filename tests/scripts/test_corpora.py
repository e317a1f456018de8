import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from charrnn.corpora.midi import read_midi
from charrnn.corpora.score import Note
from scripts import corpora

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def called(*arguments: object, stdin: bytes = b"") -> int:
        monkeypatch.setattr(sys, "argv", ["corpora.py", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        return corpora.main()

    return called


def test_a_corpus_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def breaking() -> Iterator[str]:
        yield "half"
        raise OSError("the network fell asleep")

    path = tmp_path / "new" / "text.txt"
    with pytest.raises(OSError, match="asleep"):
        corpora.write(breaking(), str(path))
    assert list(path.parent.iterdir()) == []
    assert corpora.write(["whole ", "text"], str(path)) == 10
    assert path.read_text() == "whole text"


def test_from_the_command_line_to_stdout() -> None:
    command = [sys.executable, corpora.__file__, "stdlib", "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert len(process.stdout.read(5000)) == 5000
        process.stdout.close()  # as head does
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("arguments", "stdin", "out"),
    [
        (["fasta", "-", "--wrap", "4", "--headers"], b">a\nacgtNNac\ng\n>b\n", ">a\nACGT\nACG\n>b\n"),
        (["names", "-"], b"Czech\tAbl\nDutch\tAbl\n\n", "Abl\n"),
        (["abc", "-"], b"X: 3\nT:Jig\nZ:me\nK:G\nGAB|\n", "X:1\nT:Jig\nK:G\nGAB|\n\n"),
        (["brackets", "--length", "3", "--lines"], b"", "(2)"),
    ],
)
def test_commands_read_pipes(
    run: Run, capfdbinary: pytest.CaptureFixture[bytes], arguments: list[str], stdin: bytes, out: str
) -> None:
    assert run(*arguments, stdin=stdin) == 0
    written = capfdbinary.readouterr()
    if arguments[0] == "brackets":
        assert set(written.out.decode()) <= set("()1234\n")
    else:
        assert written.out.decode() == out
    assert written.err.startswith(arguments[0].encode())


def test_text_to_midi_and_back(run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = "0 C4:24 E4:24 p\n24 C4:12\n\n12 G3:6 f\n"
    song = tmp_path / "song.mid"
    assert run("text2midi", "-o", song, "--tempo", "90", stdin=b"no music\n" + text.encode()) == 0
    assert "4 notes, 1 lines skipped" in capfd.readouterr().err
    assert [note.onset for note in read_midi(song.read_bytes(), "song")] == [0, 0, 24, 36 + 96 + 12]
    assert run("midi", song) == 0
    assert capfd.readouterr().out == "0 C4:24 E4:24 p\n24 C4:12\n120 G3:6 f\n\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["text2midi"], b"la la\n", "no notes in -, 1 lines skipped; a line is like this: 12 C4:24 E4:24 mf"),
        (["fasta", "-"], b"hello", "not FASTA: line 1 should begin with > and a name; found 'hello'"),
        (["fasta", "-"], b">a\nAC\nA1\n", "not FASTA: line 3 is neither a name nor a sequence; found 'A1'"),
        (["fasta", "-"], b"\n", "no sequence: the input is empty"),
        (["midi", "-"], b"RIFF1234", "stdin is not a MIDI file: it does not begin with MThd"),
        (["midi", "-"], b"MThd\0\0", "stdin is not a whole MIDI file (it ends too early)"),
        (["names", "missing.tsv"], b"", "no text at missing.tsv; check the name"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    run: Run, capfd: pytest.CaptureFixture[str], arguments: list[str], stdin: bytes, message: str
) -> None:
    assert run(*arguments, stdin=stdin) == 1
    assert capfd.readouterr().err == f"corpora.py: {message}\n"


def test_limits_of_options(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("midi", "a.mid", "--keys", "0")
    assert "must be 1 to 24; found 0" in capfd.readouterr().err


def test_several_pieces_do_not_overlap(run: Run, tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    assert run("text2midi", "-o", song, "--grid", "4", stdin=b"0 C4:4\n\n0 C4:4\n") == 0
    assert read_midi(song.read_bytes(), "song", grid=4) == [Note(0, 60, 4), Note(20, 60, 4)]
