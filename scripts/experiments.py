"""Experiments on what charrnn learns: each makes a corpus, trains models and prints tables that others can reproduce.

python scripts/experiments.py brackets                       nested brackets, checked with their grammar
python scripts/experiments.py headlines headlines.txt        share of real words, and of copied text
python scripts/experiments.py genome genome.fa               bits per base; alignments by NCBI BLAST+
python scripts/experiments.py music tunes.abc pieces/        tunes, checked with abc2midi; statistics of MIDI pieces

Each takes less than ten minutes on two cores. Tables in Markdown go to stdout, progress to stderr.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout: no installation or path is needed

from scripts.common import count, duration, run_script
from scripts.experiment import brackets, genome, headlines, music
from scripts.experiment.workspace import Workspace

# The files that each experiment reads, its default number of samples at each temperature, and its function.
EXPERIMENTS: dict[str, tuple[str, int, Callable[..., Iterator[str]]]] = {
    "genome": ("FASTA files", 40, genome.run),
    "music": ("ABC files, MIDI files and folders of them", 100, music.run),
    "headlines": ("headlines, one per line", 500, headlines.run),
    "brackets": ("", 1000, brackets.run),
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = parser.add_subparsers(required=True, metavar="EXPERIMENT")
    for name, (files, samples, run) in EXPERIMENTS.items():
        about = (sys.modules[run.__module__].__doc__ or "").splitlines()[0]
        subparser = subparsers.add_parser(name, help=about, description=about)
        if files:
            subparser.add_argument("files", nargs="+", metavar="FILE", help=f"{files}; - is stdin")
        subparser.add_argument(
            "--time", type=duration, help="time of each training run (default: depends on the experiment)"
        )
        subparser.add_argument(
            "--samples", type=count, default=samples, help="samples per temperature (default: %(default)s)"
        )
        subparser.add_argument(
            "--keep", type=Path, metavar="FOLDER", help="keep corpora, models and samples in this folder"
        )
        subparser.set_defaults(experiment=run)
    return parser.parse_args(arguments)


def run_experiment(options: argparse.Namespace) -> None:
    """Run one experiment and print its tables."""
    files = (options.files,) if hasattr(options, "files") else ()
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="charrnn-")))
        folder.mkdir(parents=True, exist_ok=True)
        for part in options.experiment(Workspace(folder, options.time, options.samples), *files):
            print(part, end="\n\n", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return run_script("experiments.py", partial(run_experiment, parse_arguments(arguments)))


if __name__ == "__main__":
    sys.exit(main())
