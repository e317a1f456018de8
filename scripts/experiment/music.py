"""Music, as ABC and as MIDI: whether what the models write is well-formed, and how like the real pieces it is."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from charrnn.corpora.abc import tunes
from charrnn.corpora.lines import lines_of
from charrnn.corpora.midi import midi_sources, midi_text, write_midi
from charrnn.corpora.score import Note, Piece, read_notes
from scripts.experiment.abc2midi import judged
from scripts.experiment.running import ExperimentError, Story, charrnn, need, table

ABC_TEMPERATURES = (0.3, 0.5, 0.7, 1.0)
MIDI_TEMPERATURES = (0.3, 0.5, 0.7, 0.9, 1.1)
TIME = "120s"  # of each of two runs
TUNE = 3000  # characters at most
PIECE = 2000
KEYS = 12
HELD_OUT = 8  # one piece of so many
PRIME = 16  # lines of a held-out piece
SPAN = 60


def tell(story: Story, files: Sequence[str]) -> Iterator[str]:
    """The story's tables: of the ABC files among `files`, and of the MIDI files."""
    abc = [name for name in files if Path(name).suffix == ".abc"]
    midi = [name for name in files if name not in abc]
    if abc:
        need(["abc2midi"], "abcmidi")
    sources = midi_sources(midi) if midi else []  # a wrong name is told before anything is learned
    if midi and len(sources) < 2:
        raise ExperimentError("one MIDI file is too few: some are learned, the others held out")
    if abc:
        yield from _abc(story, abc)
    if midi:
        yield from _midi(story, [source.name for source in sources])


def _abc(story: Story, files: Sequence[str]) -> Iterator[str]:
    real = list(tunes(lines_of(files)))
    border = len(real) - len(real) // 10
    train, valid = story.corpus("tunes.txt", real[:border]), story.corpus("tunes_held_out.txt", real[border:])
    found = story.train(train, "tunes", TIME, "--valid", str(valid))
    yield f"ABC: {border:,} tunes learned, {found['valid_bpc']:.3f} bits per character held out."
    rows = [_tunes_row(story, "real, held out", real[border:], train)]
    for temperature in ABC_TEMPERATURES:
        samples = story.generate(found["model"], temperature, TUNE, "--prime", "X:1\n", "--stop", "\n\n")
        made = [sample["prime"] + sample["text"] for sample in samples]
        story.corpus(f"tunes_{temperature}.abc", (tune + "\n\n" for tune in made))
        rows.append(_tunes_row(story, f"T {temperature}", made, train))
    head = ["tunes", "converted without an error", "all bars right", "bars right", "bars", f"copied in spans of {SPAN}"]
    yield table(head, rows)


def _tunes_row(story: Story, name: str, made: Sequence[str], train: Path) -> list[object]:
    verdicts = judged(made)
    bars, wrong = sum(v.bars for v in verdicts), sum(min(v.bars, v.wrong_bars) for v in verdicts)
    return [
        name,
        f"{sum(v.converted for v in verdicts) / len(made):.1%}",
        f"{sum(v.wrong_bars == 0 for v in verdicts) / len(made):.1%}",
        f"{1 - wrong / max(1, bars):.1%}",
        f"{bars / len(made):.0f}",
        _copied(story, made, train),
    ]


def _copied(story: Story, made: Iterable[str], train: Path) -> str:
    """Share of a text's characters in spans that the training text has too."""
    text = story.corpus("judged.txt", (tune.strip() + "\n\n" for tune in made))
    found: dict[str, Any] = json.loads(charrnn(["novelty", str(train), str(text), "--span", str(SPAN), "--json"]))
    return f"{found['copied'] / found['chars']:.1%}"


def _midi(story: Story, names: list[str]) -> Iterator[str]:
    random.Random(0).shuffle(names)
    border = len(names) - max(1, len(names) // HELD_OUT)
    train = story.corpus("pieces.txt", midi_text(names[:border], keys=KEYS))
    valid = story.corpus("pieces_held_out.txt", midi_text(names[border:]))
    found = story.train(train, "pieces", TIME, "--valid", str(valid))
    yield (
        f"MIDI: {border} pieces learned in {KEYS} keys, {len(names) - border} held out "
        f"({', '.join(Path(name).stem for name in names[border:])}): {found['valid_bpc']:.3f} bits per character."
    )
    known = list(_pieces(train.read_text()))
    head = ["music", "lines skipped", "notes", "pitches", "lengths", "waits", "at once", f"copied in spans of {SPAN}"]
    rows = [_notes_row(story, "real, held out", [valid.read_text()], known, train)]
    prime = story.corpus("melody.txt", (line + "\n" for line in valid.read_text().split("\n")[:PRIME]))
    for temperature in MIDI_TEMPERATURES:
        samples = story.generate(found["model"], temperature, PIECE, "--prime-file", str(prime))
        made = [sample["text"].rpartition("\n")[0] for sample in samples]  # the last line may be half a one
        rows.append(_notes_row(story, f"T {temperature}", made, known, train))
        first = next(read_notes((samples[0]["prime"] + made[0]).split("\n")))
        (story.folder / f"piece_{temperature}.mid").write_bytes(write_midi(first.notes)[0])
    yield table(head, rows)


def _notes_row(story: Story, name: str, made: Sequence[str], known: list[Piece], train: Path) -> list[object]:
    pieces = [piece for text in made for piece in _pieces(text)]
    lines = sum(bool(line.strip()) for text in made for line in text.split("\n"))
    overlaps = [overlap(measure(pieces), measure(known)) for measure in MEASURES]
    return [
        name,
        f"{sum(piece.skipped for piece in pieces) / max(1, lines):.2%}",
        f"{sum(len(piece.notes) for piece in pieces):,}",
        *(f"{share:.2f}" for share in overlaps),
        _copied(story, made, train),
    ]


def _pieces(text: str) -> Iterator[Piece]:
    return read_notes(text.split("\n"))


def _of_notes(value: Callable[[Note], int]) -> Callable[[Iterable[Piece]], Counter[int]]:
    return lambda pieces: Counter(value(note) for piece in pieces for note in piece.notes)


def _onsets(pieces: Iterable[Piece]) -> list[list[int]]:
    return [sorted(note.onset for note in piece.notes) for piece in pieces]


def waits(pieces: Iterable[Piece]) -> Counter[int]:
    """Steps from each moment at which notes begin to the next."""
    moments = [sorted(set(onsets)) for onsets in _onsets(pieces)]
    return Counter(after - before for each in moments for before, after in pairwise(each))


def at_once(pieces: Iterable[Piece]) -> Counter[int]:
    """How many notes begin together."""
    return Counter(size for onsets in _onsets(pieces) for size in Counter(onsets).values())


def overlap(one: Counter[int], other: Counter[int]) -> float:
    """What two histograms have in common, from 0 to 1: the sum of the smaller shares."""
    return sum(min(one[key] / one.total(), other[key] / other.total()) for key in one if key in other)


MEASURES = (_of_notes(lambda note: note.pitch), _of_notes(lambda note: note.length), waits, at_once)
