"""`charrnn novelty`: how much of a text is copied from a corpus."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.display.escape import visible
from charrnn.cli.display.notes import Progress, announce_stdin, write_notes
from charrnn.cli.display.records import print_record
from charrnn.cli.streams import write_line, write_text
from charrnn.errors import CorpusError, UsageError
from charrnn.inference.settings import OutputSettings
from charrnn.text.settings import NoveltySettings, ReadingSettings
from charrnn.wording import count_of

if TYPE_CHECKING:
    from charrnn.text.novelty import Novelty

MOST_SHOWN = 200  # characters of the longest span
EXAMPLES = (
    "charrnn generate -n 200 -l 100 --quiet | charrnn novelty headlines.txt",
    "charrnn generate -n 500 -l 20 --quiet | charrnn novelty names.txt --new",
)


def novelty(
    corpus: Annotated[
        str, typer.Argument(help="The source of possible copies: a file or folder; - is stdin.", show_default=False)
    ],
    text: Annotated[str, typer.Argument(help="The text to compare with it; - is stdin.")] = "-",
    *,
    copying: NoveltySettings,
    reading: ReadingSettings,
    output: OutputSettings,
) -> None:
    """Measure how much of a text is copied from a corpus: the longest shared span, and whole lines."""
    if corpus == text == "-":
        raise UsageError("only one of CORPUS and TEXT can be - (stdin)")
    announce_stdin([corpus, text], quiet=output.quiet)
    from charrnn.text.novelty import Comparison
    from charrnn.text.reading import TextReader

    text_reader, corpus_reader = (TextReader.from_names([name], reading) for name in (text, corpus))
    content = "".join(map(str, text_reader))
    if not content:
        raise CorpusError(f"{'stdin' if text == '-' else text} is empty: nothing to compare")
    comparison = Comparison(content, copying.span)
    with Progress("comparing", unit="characters", quiet=output.quiet) as progress:
        for done in comparison.read(map(str, corpus_reader)):
            progress(done, corpus_reader.estimate_total(done))
    result = comparison.result()
    if copying.new:
        for line in comparison.new_lines():
            if output.json:
                print_record({"line": line})
            else:
                write_text(f"{line}\n")
        if not output.quiet:
            write_line(_format(result, copying.span), to_stderr=True)
    elif output.json:
        print_record(asdict(result))
    else:
        write_line(_format(result, copying.span))
    write_notes([*text_reader.notes, *corpus_reader.notes], quiet=output.quiet)


def _format(result: "Novelty", span: int) -> str:
    from charrnn.text.novelty import MAX_SPAN

    more = " or more" if result.longest == MAX_SPAN else ""
    span_shown = result.span[:MOST_SHOWN] + ("..." if result.longest > MOST_SHOWN else "")
    shown = visible(json.dumps(span_shown, ensure_ascii=False))
    share = result.copied / result.chars
    rows = [
        f"longest copied span  {count_of(result.longest, 'character')}{more}: {shown}",
        f"copied               {share:.1%} of {count_of(result.chars, 'character')}, in spans of {span} or more",
    ]
    if result.lines:
        rows += [
            f"lines                {result.lines:,}",
            f"lines in the corpus  {result.lines_copied:,} ({result.lines_copied / result.lines:.1%})",
            f"repeated lines       {result.lines_repeated:,} ({result.lines_repeated / result.lines:.1%})",
        ]
    return "\n".join(rows)
