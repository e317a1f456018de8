"""Tunes in ABC notation (abcnotation.com, standard 2.1), reduced to what sounds.

    X:1                     every tune: one that is cut out alone is whole
    T:Belfast               title
    M:C|                    metre
    L:1/8                   unit of length
    K:D Major               key, which ends the head
    ag|(3faf df AdFA|...

Who transcribed a tune, where it was printed, fingerings, bowings and slurs are left out: no melody
follows from them.
"""

import random
import re
from collections.abc import Iterable, Iterator

KEPT = "TMLK"
FIELD = re.compile(r"([A-Za-z+]):\s*(.*?)\s*$")
COMMENT = re.compile(r"(?<!\\)%.*")
# Annotations and chords in quotes; !trill!, +trill+, the old line end !; slurs, but not (3; letters that stand for
# decorations, bowings and rolls; staccato. A field in brackets ([K:D]) sounds; it is kept whole.
SILENT = re.compile(r'(\[[A-Za-z]:[^\]]*\])|"[^"]*"|![^!|\s]+!|\+[a-z]+\+|!\s*$|\((?!\d)|\)|[H-Wh-w~]|\.')
MAILED = re.compile(r"=([0-7][0-9A-F])")  # what mail made of = and of a space before a line's end
BAR = re.compile(r" *\| *")


def tunes(lines: Iterable[str], seed: int | None = 0) -> Iterator[str]:
    """Each tune of ABC files, an empty line behind it; those without a key or notes are left out.

    Args:
        lines: without their ends.
        seed: of the order, mixed so that the held-out end is of the same kind as the rest; None leaves it.
    """
    found = [tune for block in _blocks(lines) if (tune := reduced(block))]
    if seed is not None:
        random.Random(seed).shuffle(found)
    for tune in found:
        yield tune + "\n"


def reduced(lines: Iterable[str]) -> str | None:
    r"""One tune in the form above, or None if it has no key or no notes.

    >>> reduced(['X: 7', 'Z: me', 'M: 2/4', 'K:A', 'vA2"4"e|!', 'ace:|'])
    'X:1\nM:2/4\nK:A\nA2e|\nace:|\n'
    """
    head: dict[str, str] = {}
    body: list[str] = []
    for raw in lines:
        line = COMMENT.sub("", MAILED.sub(lambda code: chr(int(code[1], 16)), raw)).rstrip()
        field = FIELD.match(line)
        if field and "K" not in head:
            head.setdefault(field[1], field[2])  # a second title is another name of the tune
        elif field:
            if field[1] in "MLK":
                body.append(f"{field[1]}:{field[2]}")  # these change what sounds, words below the notes do not
        elif "K" in head and line:
            body.append(BAR.sub("|", " ".join(SILENT.sub(r"\1", line.removesuffix("\\")).split())))
    body = [line for line in body if line]
    if "K" not in head or not any(line[1:2] != ":" for line in body):
        return None
    return "\n".join(["X:1", *(f"{name}:{head[name]}" for name in KEPT if head.get(name)), *body, ""])


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """The lines of each tune: from its X: to an empty line or the next X:."""
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
