"""Writes docs/commands.md: the help page of every command.

python scripts/commands.py            writes the page
python scripts/commands.py --check    exits 1 if it has to be written again
"""

import argparse
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the checkout, whatever is installed

PAGE = ROOT / "docs" / "commands.md"
HEAD = """# Commands
The help pages of all commands. `python scripts/commands.py` writes this page from the settings in the code, and a test
checks that it is up to date. File names in the examples, such as book.txt, stand for your own files.
"""


def render() -> str:
    """The page."""
    os.environ["COLUMNS"] = "80"
    import typer

    from charrnn.cli.app import app

    root = typer.main.get_command(app)
    sections = [HEAD]
    context = typer.Context(root, info_name="charrnn", max_content_width=80, **root.context_settings)
    for name in root.list_commands(context):  # type: ignore[attr-defined]
        command = root.get_command(context, name)  # type: ignore[attr-defined]
        pages = [(f"charrnn {name}", command, typer.Context(command, info_name=name, parent=context))]
        for kind in getattr(command, "commands", {}):
            one = command.commands[kind]
            pages.append((f"charrnn {name} {kind}", one, typer.Context(one, info_name=kind, parent=pages[0][2])))
        for title, one, inner in pages:
            sections.append(f"## {title}\n\n```text\n{one.get_help(inner).rstrip()}\n```\n")
    return "\n".join(sections)


def _normalize(page: str) -> list[str]:
    """The words of a page; versions of typer differ in line breaks, and in brackets around arguments."""
    return re.sub(r"\[([A-Z]+)\]", r"\1", page).split()


def main() -> int:
    """Write or check the page; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare; write nothing")
    page = render()
    if parser.parse_args().check:
        return int(_normalize(PAGE.read_text(encoding="utf-8")) != _normalize(page))
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
