"""Makes the README's pictures from real runs: terminals that show training, generation and evaluation, and a page.

python scripts/pictures.py data/shakespeare.txt --time 60s    docs/training.svg, generating.svg, evaluating.svg
                                                              and page.png; without a text, page.png alone

The commands run in a tmux terminal and the page in Chromium; both must be installed.
"""

import argparse
import base64
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout: no installation or path is needed

from charrnn.settings import parse_duration
from scripts.common import CHARRNN, ROOT, ScriptError, duration, run_script
from tests.browser import CHROMIUM, Browser

COLUMNS = 100
ROWS = {"training": 38, "generating": 22, "evaluating": 24}
CAPTURED_AT = 0.9  # of the training time
DONE = "charrnn-is-done"
PAGE_TEXT = "ROMEO:\nBut soft, what light through yonder window breaks?\nIt is the east, and "
PAGE_SIZE = {"width": 1180, "height": 800, "deviceScaleFactor": 1.5, "mobile": False}
TIMEOUT = 120.0  # seconds, for commands that take a few
FONT = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)  # rich's fonts would be downloaded by the viewer


class Terminal:
    """A shell in a terminal of tmux, in `folder`."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._socket = folder / "tmux"
        self._server = subprocess.Popen(["tmux", "-D", "-S", str(self._socket), "-f", "/dev/null"])
        while not self._socket.exists():
            time.sleep(0.05)
        path = shlex.quote(str(ROOT))
        shell = (
            f"env -u NO_COLOR PYTHONPATH={path} PS1='$ ' TERM=tmux-256color COLORTERM=truecolor bash --norc --noprofile"
        )
        self._tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(rows), "-c", str(folder), shell)

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def capture(self) -> str:
        """Return the screen's content, with colours as escape sequences."""
        return self._tmux("capture-pane", "-e", "-p")

    def close(self) -> None:
        """End the shell."""
        self._tmux("kill-server")
        self._server.wait()
        self._socket.unlink(missing_ok=True)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-S", str(self._socket), *arguments], check=True, capture_output=True, text=True)
        return done.stdout


def write_svg(screen: str, title: str, path: Path) -> None:
    """Write a screen as SVG."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi(screen.rstrip()), soft_wrap=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(console.export_svg(title=title, code_format=FONT.sub("", CONSOLE_SVG_FORMAT)))


def capture_command(folder: Path, name: str, command: str, wait: float | None = None) -> str:
    """Return what a terminal shows `wait` seconds after the start of a command, or at its end."""
    terminal = Terminal(folder, ROWS[name])
    try:
        terminal.type(f"clear; {command}; touch {DONE}")
        begin = time.monotonic()
        done = folder / DONE
        while time.monotonic() - begin < (wait or TIMEOUT) and not done.exists():
            time.sleep(0.2)
        screen = terminal.capture()
        while wait is not None and not done.exists():
            time.sleep(0.2)
        done.unlink(missing_ok=True)
        return screen.rstrip().removesuffix("$").rstrip()
    finally:
        terminal.close()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "text", type=Path, nargs="?", help="text to train on; without it, only the picture of the page is made"
    )
    parser.add_argument("--time", type=duration, default="60s", help="training time (default: %(default)s)")
    parser.add_argument("--prime", default="ROMEO:", help="prime of the generated text (default: %(default)s)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder for the pictures (default: docs)")
    return parser.parse_args(arguments)


def capture_page(path: Path) -> None:
    """Write a picture of the bundled model's page, with a text that has begun."""
    if CHROMIUM is None:
        raise ScriptError("this needs Chromium; type: apt-get install chromium")
    with tempfile.TemporaryDirectory() as scratch, Browser(Path(scratch) / "profile") as browser:
        page = Path(scratch) / "page.html"
        subprocess.run([*CHARRNN, "export", "-m", "shakespeare", "-o", str(page), "--quiet"], check=True)
        browser.call("Emulation.setDeviceMetricsOverride", **PAGE_SIZE)
        browser.call("Emulation.setScrollbarsHidden", hidden=True)
        browser.open(page)
        browser.ask("window.charrnn.ready")
        browser.ask("document.getElementById('text').focus()")
        browser.call("Input.insertText", text=PAGE_TEXT)
        browser.wait_for("document.querySelectorAll('#suggestion-list li').length === 3")
        time.sleep(0.5)  # for what moves
        picture = browser.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(picture))


def main() -> None:
    """Make the pictures."""
    options = parse_arguments()
    if options.text is not None:
        capture_terminals(options)
    capture_page(options.docs / "page.png")


def capture_terminals(options: argparse.Namespace) -> None:
    """Write the pictures of terminals."""
    if shutil.which("tmux") is None:
        raise ScriptError("this needs tmux; type: apt-get install tmux")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copy(options.text, folder)
        charrnn = shlex.join(CHARRNN)
        train = f"train {shlex.quote(options.text.name)} --time {options.time}"
        generate = f"generate --prime {shlex.quote(options.prime)} -t 0.7 -l 500 --seed 3"
        evaluate = f"head -c 900 {shlex.quote(options.text.name)} | charrnn evaluate --per-char -"
        wait = CAPTURED_AT * parse_duration(options.time)
        for name, command, until in (("training", train, wait), ("generating", generate, None)):
            screen = capture_command(folder, name, f"{charrnn} {command}", until)
            write_svg(screen, f"charrnn {command}", options.docs / f"{name}.svg")
        screen = capture_command(folder, "evaluating", evaluate.replace("charrnn", charrnn))
        write_svg(screen, evaluate, options.docs / "evaluating.svg")


if __name__ == "__main__":
    sys.exit(run_script("pictures.py", main))
