"""The command line: its commands, and the exit status and message of each error."""

import os
import sys
import traceback
from typing import Annotated

import typer

from charrnn import __version__
from charrnn.cli.commands import classify, corpus, evaluate, generate, info, inspect, novelty, train
from charrnn.cli.display.escape import visible
from charrnn.cli.options import ReaderGoneError, examples
from charrnn.errors import CharrnnError
from charrnn.training.devices.world import FollowerError, get_rank

app = typer.Typer(
    name="charrnn",
    help="Learn a text one character at a time, then write more of it.",
    epilog=examples("charrnn train book.txt", 'charrnn generate --prime "It was"', "charrnn train --help"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (train, generate, evaluate, classify, novelty, inspect, info, corpus):
    module.add_to(app)

# The base class of usage errors is not public in typer, but that of a public one.
_UsageProblem: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"charrnn {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and exit: 0 done, 1 an error that the user can cause, 2 usage, 130 or 143 if stopped."""
    for name in ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, "1")  # before NumPy is loaded; see `charrnn.inference.network.cores`
    sys.exit(_run())


def _run() -> int:
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except CharrnnError as error:
        return _fail(str(error), error.exit_code, by_all=not isinstance(error, FollowerError))
    except (BrokenPipeError, ReaderGoneError):
        # The reader of our output has closed it; keep Python from failing again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except _UsageProblem as error:
        message = getattr(error, "format_message", error.__str__)()
        return _fail(f"{message} {_advise(message, _command_path(error))}", 2) if message else 2
    except (MemoryError, OSError) as error:
        return _fail(_describe(error), 1)


def _describe(error: MemoryError | OSError) -> str:
    """A message for an error of the system that was not handled before."""
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller --hidden-size, --batch-size or --seq-len"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)


def _fail(message: str, status: int, *, by_all: bool = True) -> int:
    """Print an error; of several processes that meet it `by_all`, only the first one does."""
    if by_all and get_rank():
        return status
    if os.environ.get("CHARRNN_TRACEBACK"):
        traceback.print_exc()
    for line in message.splitlines():
        print(f"charrnn: {visible(line)}", file=sys.stderr)  # noqa: T201 - the one place where errors are printed
    return status


def _advise(message: str, command: str) -> str:
    """What to type after a usage error."""
    if command.endswith(" generate") and "unexpected extra argument" in message:
        return f"A text to continue goes after --prime: {command} --prime TEXT"
    return f"Try: {command} --help"


def _command_path(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "charrnn"
