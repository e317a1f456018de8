"""Measures charrnn against what others do and what the machine allows.

python scripts/benchmark.py                          everything in under ten minutes, as tables in Markdown
python scripts/benchmark.py generate                 start, one stream, many samples, large vocabularies
python scripts/benchmark.py quality TEXT...          held-out loss by time, with the settings that were chosen
python scripts/benchmark.py quality TEXT... --grid   the same beside a grid of settings run for the same times
python scripts/benchmark.py gpu                      learning and writing on a GPU, beside bare loops

All that is compared is measured in the same run, in turns, and the best of the turns counts: another program's burst
of work then costs no one more than the others.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the folder above scripts, when this file is what Python runs

from scripts.benchmarks import generation, gpu, quality, whole

COMMANDS = (generation, quality, gpu)  # each module adds its command


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(run=lambda _options: whole.whole())
    commands = parser.add_subparsers(metavar="COMMAND")
    for module in COMMANDS:
        module.add_to(commands)
    return parser.parse_args(arguments)


def main() -> None:
    """Run the command that is named, or measure everything."""
    options = parsed()
    options.run(options)


if __name__ == "__main__":
    main()
