"""Makes the README's pictures from real runs: what a terminal shows while a model learns, and what it writes then.

python scripts/pictures.py data/shakespeare.txt --time 60s    docs/training.svg, generating.svg, evaluating.svg

The commands run in a terminal of tmux, which must be installed, and the pictures are what it shows.
"""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from charrnn.settings import parse_duration

COLUMNS = 100
ROWS = {"training": 38, "generating": 22, "evaluating": 24}
SHOWN_AT = 0.9  # of the training time: late enough for a curve
DONE = "charrnn-is-done"
WAIT = 120.0  # seconds, for what takes a few
FONT = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)  # rich names fonts to fetch; a picture fetches nothing


class Terminal:
    """A shell in a terminal of its own, in `folder`."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._socket = folder / "tmux"
        self._server = subprocess.Popen(["tmux", "-D", "-S", str(self._socket), "-f", "/dev/null"])
        while not self._socket.exists():
            time.sleep(0.05)
        shell = "env -u NO_COLOR PS1='$ ' TERM=tmux-256color COLORTERM=truecolor bash --norc --noprofile"
        self._tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(rows), "-c", str(folder), shell)

    def type(self, line: str) -> None:
        """A line, and Enter."""
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def screen(self) -> str:
        """What it shows, with colours as escape sequences."""
        return self._tmux("capture-pane", "-e", "-p")

    def close(self) -> None:
        """End the shell."""
        self._tmux("kill-server")
        self._server.wait()
        self._socket.unlink(missing_ok=True)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-S", str(self._socket), *arguments], check=True, capture_output=True, text=True)
        return done.stdout


def picture(screen: str, title: str, path: Path) -> None:
    """Write a screen as SVG."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi(screen.rstrip()), soft_wrap=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(console.export_svg(title=title, code_format=FONT.sub("", CONSOLE_SVG_FORMAT)))


def show(folder: Path, name: str, command: str, wait: float | None = None) -> str:
    """What a terminal shows `wait` seconds after the command's line, or when it is done."""
    terminal = Terminal(folder, ROWS[name])
    try:
        terminal.type(f"clear; {command}; touch {DONE}")
        begin = time.monotonic()
        done = folder / DONE
        while time.monotonic() - begin < (wait or WAIT) and not done.exists():
            time.sleep(0.2)
        screen = terminal.screen()
        while wait is not None and not done.exists():
            time.sleep(0.2)
        done.unlink(missing_ok=True)
        return screen.rstrip().removesuffix("$").rstrip()
    finally:
        terminal.close()


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--time", default="60s", help="how long to train")
    parser.add_argument("--prime", default="ROMEO:")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the pictures")
    return parser.parse_args(arguments)


def main() -> None:
    """Make the pictures."""
    options = parsed()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copy(options.text, folder)
        charrnn = shlex.join([sys.executable, "-m", "charrnn"])
        train = f"train {shlex.quote(options.text.name)} --time {options.time}"
        generate = f"generate --prime {shlex.quote(options.prime)} -t 0.7 -l 500 --seed 3"
        evaluate = f"head -c 900 {shlex.quote(options.text.name)} | charrnn evaluate --per-char -"
        wait = SHOWN_AT * parse_duration(options.time)
        for name, command, until in (("training", train, wait), ("generating", generate, None)):
            screen = show(folder, name, f"{charrnn} {command}", until)
            picture(screen, f"charrnn {command}", options.docs / f"{name}.svg")
        screen = show(folder, "evaluating", evaluate.replace("charrnn", charrnn))
        picture(screen, evaluate, options.docs / "evaluating.svg")


if __name__ == "__main__":
    main()
