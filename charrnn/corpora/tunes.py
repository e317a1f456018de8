"""Tunes in ABC notation (abcnotation.com, standard 2.1), reduced to what affects the sound.

    X:1                     reference number, 1 in every tune: a tune cut out alone is valid ABC
    T:Belfast               title
    M:C|                    metre
    L:1/8                   unit note length
    K:D Major               key, the last line of the header
    ag|(3faf df AdFA|...

Other fields (transcriber, source, ...), comments, annotations, chord symbols, decorations and slurs are dropped.
"""

import random
import re
import zipfile
from collections.abc import Iterable, Iterator

from charrnn.corpora.download import Archive, open_archive

HEADER_FIELDS = "TMLK"
FIELD = re.compile(r"([A-Za-z+]):\s*(.*?)\s*$")
COMMENT = re.compile(r"(?<!\\)%.*")
# Annotations and chord symbols in quotes; !trill!, +trill+, the obsolete line break !; slurs, but not tuplets: (3;
# letters that stand for decorations; staccato dots. The first group is an inline field ([K:D]), which is kept.
SILENT = re.compile(r'(\[[A-Za-z]:[^\]]*\])|"[^"]*"|![^!|\s]+!|\+[a-z]+\+|!\s*$|\((?!\d)|\)|[H-Wh-w~]|\.')
QUOTED_PRINTABLE = re.compile(r"=([0-7][0-9A-F])")  # left in files that were sent by mail
BAR = re.compile(r" *\| *")

COLLECTION = Archive(
    "music21==10.5.1",
    "music21-10.5.1-py3-none-any.whl",
    "dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1",
)
COLLECTION_FILE = re.compile(r"music21/corpus/ryansMammoth/.*\.abc")


def read_collection(archive: str | None = None) -> Iterator[str]:
    """Yield each tune of Ryan's Mammoth Collection (1883) as its ABC file has it, followed by an empty line.

    See `open_archive` for the archive and errors.
    """
    with open_archive(COLLECTION, archive) as path, zipfile.ZipFile(path) as wheel:
        for name in sorted(filter(COLLECTION_FILE.fullmatch, wheel.namelist())):
            yield wheel.read(name).decode("utf-8").replace("\r\n", "\n").rstrip("\n") + "\n\n"


def read_tunes(lines: Iterable[str], seed: int | None = 0) -> Iterator[str]:
    """Yield each tune of ABC files, followed by an empty line; tunes without a key or notes are skipped.

    The order is random, so that the held-out end of the corpus is like the rest; a seed of None keeps the order given.
    """
    tunes = [tune for block in _split_blocks(lines) if (tune := reduce_tune(block))]
    if seed is not None:
        random.Random(seed).shuffle(tunes)
    for tune in tunes:
        yield tune + "\n"


def reduce_tune(lines: Iterable[str]) -> str | None:
    r"""Return one tune in the form above, or None if it has no key or no notes.

    >>> reduce_tune(['X: 7', 'Z: me', 'M: 2/4', 'K:A', 'vA2"4"e|!', 'ace:|'])
    'X:1\nM:2/4\nK:A\nA2e|\nace:|\n'
    """
    header: dict[str, str] = {}
    body: list[str] = []
    for raw in lines:
        line = COMMENT.sub("", QUOTED_PRINTABLE.sub(lambda code: chr(int(code[1], 16)), raw)).rstrip()
        field = FIELD.match(line)
        if field and "K" not in header:
            header.setdefault(field[1], field[2])  # a second title is an alternative one
        elif field:
            if field[1] in "MLK":
                body.append(f"{field[1]}:{field[2]}")  # a change of metre, unit or key; others, as lyrics, are silent
        elif "K" in header and line:
            body.append(BAR.sub("|", " ".join(SILENT.sub(r"\1", line.removesuffix("\\")).split())))
    body = [line for line in body if line]
    if "K" not in header or not any(line[1:2] != ":" for line in body):
        return None
    return "\n".join(["X:1", *(f"{name}:{header[name]}" for name in HEADER_FIELDS if header.get(name)), *body, ""])


def _split_blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the lines of each tune: from its X: to an empty line or the next X:."""
    block: list[str] = []
    for line in lines:
        if line.startswith("X:") or not line.strip():
            if block:
                yield block
            block = []
        if block or line.startswith("X:"):
            block.append(line)
    if block:
        yield block
