"""The command line: its commands, and the exit status and message of each error."""

import gc
import os
import sys
import traceback
from contextlib import suppress
from typing import Annotated

import typer

from charrnn import __version__
from charrnn.cli.display.escape import visible
from charrnn.cli.interrupts import STATUS, exit_on_interrupt, raise_on_interrupt
from charrnn.cli.options import LazyGroup, format_examples
from charrnn.cli.streams import ReaderGoneError, flush_stdout, prepare_streams, write_line
from charrnn.errors import FREE_MEMORY, CharrnnError, is_out_of_memory
from charrnn.training.devices.world import FollowerError, get_rank

app = typer.Typer(
    name="charrnn",
    cls=LazyGroup,
    rich_markup_mode=None,
    help="Learn a text one character at a time, then write more of it.",
    epilog=format_examples(["charrnn train book.txt", 'charrnn generate --prime "It was"', "charrnn train --help"]),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# The base class of usage errors is not public in typer, but that of a public one.
_UsageProblem: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def _show_version(requested: bool) -> None:
    if requested:
        write_line(f"charrnn {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", "-v", help="Print the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and exit: 0 done, 1 an error that the user can cause, 2 usage, 130 or 143 if stopped."""
    prepare_streams()
    for name in ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, "1")  # before NumPy is loaded; see `charrnn.inference.network.cores`
    status = STATUS
    with suppress(KeyboardInterrupt):
        raise_on_interrupt()
        status = _run()
        exit_on_interrupt()
    flush_stdout()
    if "triton" not in sys.modules:  # PyTorch with CUDA loads it; its bindings report every object that is left
        gc.freeze()  # the system takes all memory back at once, without a search for cycles
    sys.exit(status)


def _run() -> int:
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except CharrnnError as error:
        return _fail(str(error), error.exit_code, by_all=not isinstance(error, FollowerError))
    except (KeyboardInterrupt, typer.Abort, ReaderGoneError) as error:
        return 0 if isinstance(error, ReaderGoneError) else STATUS
    except _UsageProblem as error:
        message = getattr(error, "format_message", error.__str__)()
        command = getattr(getattr(error, "ctx", None), "command_path", "charrnn")
        return _fail(f"{message} {_advise(message, command)}", 2) if message else 2
    except Exception as error:
        if message := _describe(error):
            return _fail(message, 1)
        raise


def _describe(error: Exception) -> str:
    """A message for an error of the system that was not handled before; empty for a bug."""
    if is_out_of_memory(error):
        return f"out of memory; {FREE_MEMORY}"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    return ""


def _fail(message: str, status: int, *, by_all: bool = True) -> int:
    """Print an error; of several processes that meet it `by_all`, only the first one does."""
    if by_all and get_rank():
        return status
    flush_stdout()
    if os.environ.get("CHARRNN_TRACEBACK"):
        traceback.print_exc()
    for line in message.splitlines():
        print(f"charrnn: {visible(line)}", file=sys.stderr)  # noqa: T201 - the one place where errors are printed
    return status


def _advise(message: str, command: str) -> str:
    """What to type after a usage error."""
    if command.endswith(" generate") and "unexpected extra argument" in message:
        return f"Use --prime for the text to continue: {command} --prime TEXT"
    return f"Try: {command} --help"
