"""Measures charrnn in comparison with other programs and with the limits of the machine.

python scripts/benchmark.py                          everything, in a quarter of an hour, as tables in Markdown
python scripts/benchmark.py generate                 start-up, one stream, many samples, large vocabularies
python scripts/benchmark.py quality TEXT...          held-out loss by training time, with automatic settings
python scripts/benchmark.py quality TEXT... --grid   the same, compared with a grid of fixed settings
python scripts/benchmark.py kernel                   training by the kernel, compared with PyTorch's layers
python scripts/benchmark.py classify FILE.tsv...     classifiers, compared with logistic regression on n-grams
python scripts/benchmark.py gpu                      training and generation on a GPU, compared with a bare loop

Alternatives are measured in the same run, in turns, and the best turn of each counts, so a burst of work by another
program affects all of them alike.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout: no installation or path is needed

from scripts.benchmarks import classification, generation, gpu, kernel, quality, report
from scripts.common import run_script

COMMANDS = (generation, quality, classification, kernel, gpu)  # each module adds its command


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(run=lambda _options: report.print_report())
    commands = parser.add_subparsers(metavar="COMMAND")
    for module in COMMANDS:
        module.add_to(commands)
    return parser.parse_args(arguments)


def main() -> None:
    """Run the given command, or measure everything."""
    options = parse_arguments()
    options.run(options)


if __name__ == "__main__":
    sys.exit(run_script("benchmark.py", main))
