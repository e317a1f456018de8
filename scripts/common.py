"""What the scripts share: running charrnn from this checkout, option types, tables in Markdown."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from charrnn.errors import CharrnnError
from charrnn.settings import parse_duration

ROOT = Path(__file__).resolve().parents[1]
CHARRNN = (sys.executable, "-m", "charrnn")


class ScriptError(CharrnnError):
    """A script that cannot go on: a program is missing, a file does not fit, a command failed."""


def make_environment() -> dict[str, str]:
    """Return the environment in which `python -m charrnn` runs this checkout, in any folder."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run_charrnn(*arguments: str) -> str:
    """Run a command of charrnn, its stderr on ours; returns its stdout.

    Raises:
        ScriptError: if it fails.
    """
    done = subprocess.run([*CHARRNN, *arguments], stdout=subprocess.PIPE, env=make_environment(), check=False)
    if done.returncode:
        raise ScriptError(f"charrnn {arguments[0]} ended with status {done.returncode}; see above")
    return done.stdout.decode("utf-8", "surrogateescape")


def run_json(*arguments: str) -> Any:
    """Run a command of charrnn with `--json`; returns the object that it prints."""
    return json.loads(run_charrnn(*arguments, "--json"))


def run_script(name: str, main: Callable[[], None]) -> int:
    """Call a script's main function; returns the exit status, errors of the user printed in one line."""
    try:
        main()
    except (CharrnnError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def duration(text: str) -> str:
    """Check an option's value: a duration like 30s."""
    try:
        if parse_duration(text) > 0:
            return text
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"must be a duration like 30s or 5m; found {text}")


def count(text: str) -> int:
    """Convert an option's value: a whole number, at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 1; found {text}")
    return int(text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", numeric: bool = False) -> str:
    r"""Return a table in Markdown.

    Args:
        head: names of the columns.
        rows: cells.
        title: a heading above it.
        numeric: whether all columns but the first are aligned to the right.

    >>> print(table(["a", "b"], [[1, "x"]]))
    | a | b |
    |---|---|
    | 1 | x |
    """
    heading = [f"### {title}", ""] if title else []
    rule = "|---|" + ("---:|" if numeric else "---|") * (len(head) - 1)
    return "\n".join([*heading, table_row(head), rule, *map(table_row, rows)])


def table_row(cells: Sequence[object]) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(map(str, cells)) + " |"
