"""Stories about what charrnn learns, each from one command: a corpus, a few runs, and a table that others can check.

python scripts/experiments.py brackets                       a grammar judges nested brackets
python scripts/experiments.py headlines headlines.txt        real words, and what is copied
python scripts/experiments.py genome genome.fa               bits per base; alignments by NCBI BLAST+
python scripts/experiments.py music tunes.abc pieces/        abc2midi judges tunes; histograms of MIDI pieces

Each takes less than ten minutes on two cores and prints its tables in Markdown on stdout, its progress on stderr.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from charrnn.errors import CharrnnError
from charrnn.settings import parse_duration
from scripts.experiment import brackets, genome, headlines, music
from scripts.experiment.running import Story

# What each is told from, and how many samples it takes for each temperature.
STORIES: dict[str, tuple[str, int, Callable[..., Iterator[str]]]] = {
    "genome": ("FASTA files", 40, genome.tell),
    "music": ("ABC files, MIDI files and folders of them", 100, music.tell),
    "headlines": ("headlines, one a line", 500, headlines.tell),
    "brackets": ("", 1000, brackets.tell),
}


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    stories = parser.add_subparsers(required=True, metavar="STORY")
    for name, (files, samples, tell) in STORIES.items():
        about = (sys.modules[tell.__module__].__doc__ or "").splitlines()[0]
        story = stories.add_parser(name, help=about, description=about)
        if files:
            story.add_argument("files", nargs="+", metavar="FILE", help=f"{files}; - is stdin")
        story.add_argument("--time", type=_duration, help="of each training run (default: the story's own)")
        story.add_argument("--samples", type=_count, default=samples, help="for each temperature (%(default)s)")
        story.add_argument("--keep", type=Path, metavar="FOLDER", help="keep corpora, models and what they write there")
        story.set_defaults(tell=tell)
    return parser.parse_args(arguments)


def _duration(text: str) -> str:
    try:
        if parse_duration(text) > 0:
            return text
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"must be a duration like 30s or 5m; found {text}")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 1; found {text}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Tell a story; returns the exit status."""
    options = parsed(arguments)
    given = (options.files,) if hasattr(options, "files") else ()
    try:
        with ExitStack() as stack:
            folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="charrnn-")))
            folder.mkdir(parents=True, exist_ok=True)
            for part in options.tell(Story(folder, options.time, options.samples), *given):
                print(part, end="\n\n", flush=True)
    except (CharrnnError, OSError) as error:
        print(f"experiments.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
