"""`charrnn novelty`: how much of a text is copied from a corpus."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.display.escape import visible
from charrnn.cli.display.progress import Progress
from charrnn.cli.options import command, examples
from charrnn.errors import CorpusError, UsageError
from charrnn.inference.settings import OutputSettings
from charrnn.text.settings import NoveltySettings, ReadingSettings

if TYPE_CHECKING:
    from charrnn.text.novelty import Comparison, Novelty

SHOWN = 200  # characters of the longest span


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(
        app,
        "novelty",
        epilog=examples(
            "charrnn generate -n 200 -l 100 --quiet | charrnn novelty headlines.txt",
            "charrnn generate -n 500 -l 20 --quiet | charrnn novelty names.txt --new",
        ),
    )(novelty)


def novelty(
    corpus: Annotated[
        str, typer.Argument(help="What may have been copied from: a file or folder; - is stdin.", show_default=False)
    ],
    text: Annotated[str, typer.Argument(help="What is judged; - is stdin.")] = "-",
    *,
    copying: NoveltySettings,
    reading: ReadingSettings,
    output: OutputSettings,
) -> None:
    """Tell how much of a text is copied: the longest span that a corpus holds too, and whole lines."""
    if corpus == text == "-":
        raise UsageError("only one of CORPUS and TEXT can be - (stdin)")
    comparison = _compared(corpus, text, copying, reading, quiet=output.quiet)
    found = comparison.result()
    if copying.new:
        for line in comparison.new_lines():
            typer.echo(line)
    if not (copying.new and output.quiet):
        shown = json.dumps(asdict(found)) if output.json else _described(found, copying.span)
        typer.echo(shown, err=copying.new)


def _compared(
    corpus: str, text: str, copying: NoveltySettings, reading: ReadingSettings, *, quiet: bool
) -> "Comparison":
    from charrnn.text.novelty import Comparison
    from charrnn.text.reading import TextReader
    from charrnn.text.sources import find_sources

    judged = TextReader(find_sources([text])[0], reading)
    reader = TextReader(find_sources([corpus])[0], reading)
    whole = "".join(map(str, judged))
    if not whole:
        raise CorpusError(f"{'stdin' if text == '-' else text} is empty: nothing to judge")
    comparison = Comparison(whole, copying.span)
    with Progress("comparing", unit="characters", quiet=quiet) as progress:
        for done in comparison.read(map(str, reader)):
            progress(done, done * reader.total_bytes // max(1, reader.bytes_read))
    return comparison


def _described(found: "Novelty", span: int) -> str:
    from charrnn.text.novelty import MAX_SPAN

    share = found.copied / found.chars
    more = " or more" if found.longest == MAX_SPAN else ""
    cut = found.span[:SHOWN] + ("..." if found.longest > SHOWN else "")
    rows = [
        f"longest copied span  {found.longest:,} characters{more}: {visible(json.dumps(cut, ensure_ascii=False))}",
        f"copied               {share:.1%} of {found.chars:,} characters, in spans of {span} or more",
    ]
    if found.lines:
        rows += [
            f"lines                {found.lines:,}",
            f"lines in the corpus  {found.lines_copied:,} ({found.lines_copied / found.lines:.1%})",
            f"lines said before    {found.lines_repeated:,} ({found.lines_repeated / found.lines:.1%})",
        ]
    return "\n".join(rows)
