"""Music, as ABC and as MIDI: whether the samples are well-formed, and how similar they are to real pieces."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from charrnn.corpora.midi import find_midi_files, midi_to_text, write_midi
from charrnn.corpora.plain import read_lines
from charrnn.corpora.score import Note, Piece, read_notes
from charrnn.corpora.tunes import read_tunes
from scripts.common import ScriptError, table
from scripts.experiment.abc2midi import check_tunes
from scripts.experiment.workspace import Workspace, require_programs

ABC_TEMPERATURES = (0.3, 0.5, 0.7, 1.0)
MIDI_TEMPERATURES = (0.3, 0.5, 0.7, 0.9, 1.1)
TIME = "120s"  # of each of two runs
TUNE_LENGTH = 3000  # characters at most
PIECE_LENGTH = 2000
KEYS = 12
HELD_OUT = 8  # one piece in eight
PRIME_LINES = 16  # of a held-out piece
SPAN = 60


def run(workspace: Workspace, files: Sequence[str]) -> Iterator[str]:
    """Yield the experiment's tables: of the ABC files among `files`, and of the MIDI files."""
    abc = [name for name in files if Path(name).suffix == ".abc"]
    midi = [name for name in files if name not in abc]
    if abc:
        require_programs(["abc2midi"], "abcmidi")
    sources = find_midi_files(midi) if midi else []  # a wrong name is an error before any training
    if midi and len(sources) < 2:
        raise ScriptError("one MIDI file is too few: some are for training, the others held out")
    if abc:
        yield from _run_abc(workspace, abc)
    if midi:
        yield from _run_midi(workspace, [source.name for source in sources])


def _run_abc(workspace: Workspace, files: Sequence[str]) -> Iterator[str]:
    real = list(read_tunes(read_lines(files)))
    border = len(real) - len(real) // 10
    train = workspace.write_corpus("tunes.txt", real[:border])
    valid = workspace.write_corpus("tunes_held_out.txt", real[border:])
    summary = workspace.train(train, "tunes", TIME, "--valid", str(valid))
    yield f"ABC: {border:,} tunes to train on, {summary['valid_bpc']:.3f} bits per character held out."
    rows = [_make_tunes_row(workspace, "real, held out", real[border:], train)]
    for temperature in ABC_TEMPERATURES:
        samples = workspace.generate(summary["model"], temperature, TUNE_LENGTH, "--prime", "X:1\n", "--stop", "\n\n")
        generated = [sample["prime"] + sample["text"] for sample in samples]
        workspace.write_corpus(f"tunes_{temperature}.abc", (tune + "\n\n" for tune in generated))
        rows.append(_make_tunes_row(workspace, f"T {temperature}", generated, train))
    head = ["tunes", "converted without an error", "all bars right", "bars right", "bars", f"copied in spans of {SPAN}"]
    yield table(head, rows)


def _make_tunes_row(workspace: Workspace, name: str, tunes: Sequence[str], train: Path) -> list[object]:
    checks = check_tunes(tunes)
    bars, wrong = sum(check.bars for check in checks), sum(min(check.bars, check.wrong_bars) for check in checks)
    return [
        name,
        f"{sum(check.converted for check in checks) / len(tunes):.1%}",
        f"{sum(check.wrong_bars == 0 for check in checks) / len(tunes):.1%}",
        f"{1 - wrong / max(1, bars):.1%}",
        f"{bars / len(tunes):.0f}",
        _measure_copies(workspace, tunes, train),
    ]


def _measure_copies(workspace: Workspace, texts: Iterable[str], train: Path) -> str:
    """Return the share of the characters that are in spans which the training text has too."""
    novelty = workspace.measure_novelty((text.strip() + "\n\n" for text in texts), train, SPAN)
    return f"{novelty['copied'] / novelty['chars']:.1%}"


def _run_midi(workspace: Workspace, names: list[str]) -> Iterator[str]:
    random.Random(0).shuffle(names)
    border = len(names) - max(1, len(names) // HELD_OUT)
    train = workspace.write_corpus("pieces.txt", midi_to_text(names[:border], keys=KEYS))
    valid = workspace.write_corpus("pieces_held_out.txt", midi_to_text(names[border:]))
    summary = workspace.train(train, "pieces", TIME, "--valid", str(valid))
    yield (
        f"MIDI: {border} pieces to train on in {KEYS} keys, {len(names) - border} held out "
        f"({', '.join(Path(name).stem for name in names[border:])}): {summary['valid_bpc']:.3f} bits per character."
    )
    training = list(_read_pieces(train.read_text()))
    overlaps = ["pitches", "durations", "waits", "notes at once"]
    head = ["music", "lines skipped", "notes", *overlaps, f"copied in spans of {SPAN}"]
    rows = [_make_notes_row(workspace, "real, held out", [valid.read_text()], training, train)]
    prime = workspace.write_corpus("melody.txt", (line + "\n" for line in valid.read_text().split("\n")[:PRIME_LINES]))
    for temperature in MIDI_TEMPERATURES:
        samples = workspace.generate(summary["model"], temperature, PIECE_LENGTH, "--prime-file", str(prime))
        generated = [sample["text"].rpartition("\n")[0] for sample in samples]  # the last line may be incomplete
        rows.append(_make_notes_row(workspace, f"T {temperature}", generated, training, train))
        first = next(read_notes((samples[0]["prime"] + generated[0]).split("\n")))
        (workspace.folder / f"piece_{temperature}.mid").write_bytes(write_midi(first.notes)[0])
    yield table(head, rows)


def _make_notes_row(
    workspace: Workspace, name: str, texts: Sequence[str], training: list[Piece], train: Path
) -> list[object]:
    pieces = [piece for text in texts for piece in _read_pieces(text)]
    lines = sum(bool(line.strip()) for text in texts for line in text.split("\n"))
    overlaps = [measure_overlap(count_values(pieces), count_values(training)) for count_values in COUNTS]
    return [
        name,
        f"{sum(piece.skipped for piece in pieces) / max(1, lines):.2%}",
        f"{sum(len(piece.notes) for piece in pieces):,}",
        *(f"{share:.2f}" for share in overlaps),
        _measure_copies(workspace, texts, train),
    ]


def _read_pieces(text: str) -> Iterator[Piece]:
    return read_notes(text.split("\n"))


def _count_notes(value: Callable[[Note], int]) -> Callable[[Iterable[Piece]], Counter[int]]:
    return lambda pieces: Counter(value(note) for piece in pieces for note in piece.notes)


def _list_onsets(pieces: Iterable[Piece]) -> list[list[int]]:
    return [sorted(note.onset for note in piece.notes) for piece in pieces]


def count_waits(pieces: Iterable[Piece]) -> Counter[int]:
    """Count the steps between successive moments at which notes begin."""
    moments = [sorted(set(onsets)) for onsets in _list_onsets(pieces)]
    return Counter(after - before for each in moments for before, after in pairwise(each))


def count_chord_sizes(pieces: Iterable[Piece]) -> Counter[int]:
    """Count the notes that begin together."""
    return Counter(size for onsets in _list_onsets(pieces) for size in Counter(onsets).values())


def measure_overlap(one: Counter[int], other: Counter[int]) -> float:
    """Return the overlap of two histograms, from 0 to 1: the sum of the smaller shares."""
    return sum(min(one[key] / one.total(), other[key] / other.total()) for key in one if key in other)


COUNTS = (_count_notes(lambda note: note.pitch), _count_notes(lambda note: note.length), count_waits, count_chord_sizes)
