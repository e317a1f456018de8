"""Runs a notebook's cells as Jupyter does, without Jupyter: one namespace, the last expression of a cell is shown."""

import ast
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any


def run_notebook(path: Path, change: Callable[[str], str] = str) -> Iterator[tuple[str, str, Any]]:
    """For each code cell, its source after `change`, what it printed, and the value it shows, None if there is none."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = change("".join(cell["source"]))
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(tree, path.name, "exec"), names)  # noqa: S102 - our own
            shown = None
            if isinstance(last, ast.Expr):
                shown = eval(compile(ast.Expression(last.value), path.name, "eval"), names)  # noqa: S307
        yield source, printed.getvalue(), shown
