"""The prompt of `charrnn generate --interactive`.

Lines are edited with the standard library's readline, which has all that a prompt of one line needs.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.display.escape import unescape, visible
from charrnn.cli.display.notes import write_notes
from charrnn.cli.interrupts import outlive_interrupt
from charrnn.errors import CharrnnError, GenerationError
from charrnn.inference.settings import SamplingSettings
from charrnn.settings import check_settings

if TYPE_CHECKING:
    from charrnn.inference.generation.samples import Sample
    from charrnn.inference.session import Session, Turn

HELP = """\
TEXT     add a text and continue it (start with > if it looks like a command; \\n is a line end, \\t a tab)
Enter    continue
2        choose continuation 2 of several (-n)
u        undo the last turn
r        retry: replace the last continuation with another one
t 0.5    change the temperature
p        print the whole text
s FILE   save the text; s! FILE replaces an existing file
? q      help, quit"""
COMMAND = re.compile(r"(?P<name>u|r|p|\?|t|s!?|\d+)(?: +(?P<argument>.+))?")


class Prompt:
    """Reads lines from stdin and obeys them until the last one; texts go to stdout, notes to stderr.

    Args:
        session: the text, and the model that writes it.
        echo: whether to print what was typed before its continuation.
        quiet: whether to leave out notes.
    """

    def __init__(self, session: "Session", *, echo: bool, quiet: bool) -> None:
        self._session = session
        self._echo = echo
        self._quiet = quiet
        self._commands: dict[str, Callable[[str], None]] = {
            "u": lambda _: self._undo(),
            "r": lambda _: self._show(session.retry()),
            "p": lambda _: self._print(session.text),
            "?": lambda _: write_notes([HELP], quiet=False),
            "t": self._set_temperature,
            "s": lambda name: self._save(name, overwrite=False),
            "s!": lambda name: self._save(name, overwrite=True),
        }

    def run(self) -> None:
        """Obey all lines."""
        write_notes(["type a text to continue, ? for help, q to quit"], quiet=self._quiet)
        if self._session.prime:
            self._obey("")
        for line in _read_lines():
            if line == "q":
                return
            self._obey(line)

    def _obey(self, line: str) -> None:
        """Obey one line; what is wrong with it is reported, and the session goes on."""
        try:
            command = COMMAND.fullmatch(line)
            if command is None:
                self._show(self._session.go_on(_encode(unescape(line.removeprefix(">")))))
            elif command["name"].isdecimal() and command["argument"] is None:
                self._show(self._session.choose(int(command["name"])), chosen=True)
            elif command["name"] in self._commands and (command["argument"] is None) == (command["name"] in "urp?"):
                self._commands[command["name"]](command["argument"] or "")
            else:
                self._show(self._session.go_on(_encode(unescape(line))))
        except CharrnnError as error:
            write_notes([str(error)], quiet=False)
        except OSError as error:
            write_notes([f"{error.filename}: {error.strerror}"], quiet=False)
        except KeyboardInterrupt:
            outlive_interrupt()
            write_notes(["interrupted; the text is unchanged"], quiet=self._quiet)

    def _show(self, turn: "Turn", *, chosen: bool = False) -> None:
        if chosen or len(turn.samples) == 1:
            self._print(self._join(turn, turn.samples[turn.choice]))
            return
        for number, sample in enumerate(turn.samples, 1):
            self._print(f"{number}  ".encode() + self._join(turn, sample))

    def _join(self, turn: "Turn", sample: "Sample") -> bytes:
        return turn.typed + sample.text if self._echo else sample.text

    def _print(self, text: bytes) -> None:
        shown = text.decode("utf-8", "backslashreplace")
        sys.stdout.write((visible(shown) if sys.stdout.isatty() else shown) + "\n")
        sys.stdout.flush()

    def _undo(self) -> None:
        self._session.undo()
        self._print(self._session.text)

    def _set_temperature(self, argument: str) -> None:
        try:
            temperature = float(argument)
        except ValueError:
            raise GenerationError(f"the temperature must be a number, as in t 0.5; found {argument!r}") from None
        if errors := check_settings(SamplingSettings(temperature=temperature)):
            raise GenerationError(errors[0].removeprefix("--"))
        self._session.set_temperature(temperature)

    def _save(self, name: str, *, overwrite: bool) -> None:
        path = Path(name)
        if path.exists() and not path.is_dir() and not overwrite:
            raise GenerationError(f"{path} already exists; to replace it, type: s! {path}")
        self._session.save(path, overwrite=overwrite)
        write_notes([f"saved to {path}"], quiet=self._quiet)


def _read_lines() -> Iterator[str]:
    """The lines of stdin; on a terminal, after a prompt and with editing."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        for line in sys.stdin:
            yield line.removesuffix("\n")
        return
    with suppress(ImportError):
        import readline  # noqa: F401 - editing and history for `input`
    with suppress(EOFError):
        while True:
            yield input("> ")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
