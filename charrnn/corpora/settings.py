"""The settings of `charrnn corpus`: defaults, limits and help in one place."""

from dataclasses import dataclass
from typing import ClassVar

from charrnn.corpora.score import GRID
from charrnn.settings import setting

FILES = "Output"


@dataclass(frozen=True)
class CorpusOutput:
    """Where a corpus is written."""

    panel: ClassVar[str] = FILES
    output: str = setting("-", "File to write; - is stdout.", short="-o")
    overwrite: bool = setting(False, "Replace the file if it exists.")
    quiet: bool = setting(False, "Print only errors to stderr.", short="-q")


@dataclass(frozen=True)
class FastaSettings:
    """What to keep of FASTA files."""

    headers: bool = setting(False, "Keep the header lines; the result is FASTA.")
    wrap: int = setting(0, "Symbols per line; 0 writes each record on one line.", at_least=0)
    keep_n: bool = setting(False, "Keep the symbol N, which is an amino acid in proteins.")
    both_strands: bool = setting(False, "Add the reverse complement of each record (DNA).")


@dataclass(frozen=True)
class ItemSettings:
    """How files of names or tunes are read, and the items ordered."""

    seed: int = setting(0, "Seed of the random order.", at_least=0)
    encoding: str | None = setting(None, "Encoding of the files, such as latin-1.", shown_default="utf-8")


@dataclass(frozen=True)
class MidiSettings:
    """How MIDI files become text."""

    grid: int = setting(GRID, "Time steps per quarter note.", at_least=1, at_most=480)
    keys: int = setting(1, "Number of keys to write each piece in, by transposing it.", at_least=1, at_most=24)


@dataclass(frozen=True)
class TextToMidiSettings:
    """How text becomes a MIDI file."""

    grid: int = setting(GRID, "Time steps per quarter note.", at_least=1, at_most=480)
    tempo: float = setting(120.0, "Quarter notes per minute.", at_least=4, at_most=1000)


@dataclass(frozen=True)
class BracketsSettings:
    """The size of the text of brackets."""

    length: int = setting(400_000, "Symbols to write.", short="-l", at_least=1)
    seed: int = setting(0, "Seed of the random numbers.", at_least=0)
    lines: bool = setting(False, "Write each outermost pair of brackets on a separate line.")
