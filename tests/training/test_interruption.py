"""Signals that arrive while the main thread is in native code, in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from charrnn.training.interruption import StopRequest, stop_on_signals

# A call of native code that lets other threads run, as PyTorch's do, but takes as long as it takes.
IN_NATIVE_CODE = """
import ctypes, pathlib, signal, sys
from charrnn.training import interruption
interruption.GRACE = float(sys.argv[1])
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
stop = interruption.StopRequest()
partial = pathlib.Path(sys.argv[2])
say = lambda message: print(message, flush=True)
with interruption.stop_on_signals(stop, [partial], say, exits=True):
    if len(sys.argv) > 3:
        stop.accepted = True
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))  # nothing wakes it up
    say("ready")
    ctypes.CDLL(None).usleep(3_000_000 if stop.accepted else 60_000_000)
say("done")
"""
DEADLINE = 30  # seconds; the native call takes 60


@contextmanager
def start(partial: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", IN_NATIVE_CODE, *map(str, arguments[:1]), str(partial), *map(str, arguments[1:])],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert line(process) == "ready\n"
        yield process


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize(("second", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_is_answered_and_the_second_ends_native_code(tmp_path: Path, second: int, status: int) -> None:
    partial = tmp_path / "partial"
    partial.touch()
    with start(partial, 1000.0) as process:
        process.send_signal(signal.SIGINT)
        assert line(process) == (
            "SIGINT: stopping after the current step, then saving (press Ctrl-C again to exit at once; earlier saves "
            "are "
            "intact)\n"
        )
        process.send_signal(second)
        assert process.wait(DEADLINE) == status
    assert not partial.exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_request_to_end_waits_for_native_code_only_so_long(tmp_path: Path, number: int, status: int) -> None:
    with start(tmp_path / "partial", 0.5) as process:
        process.send_signal(number)
        assert "then saving (within 0 s" in line(process)
        assert process.wait(DEADLINE) == status


def test_saving_is_not_cut_short(tmp_path: Path) -> None:
    with start(tmp_path / "partial", 0.1, "accepted") as process:
        process.send_signal(signal.SIGTERM)
        assert line(process).startswith("SIGTERM: stopping")
        assert line(process) == "done\n"
        assert process.wait(DEADLINE) == 0


def test_a_process_that_is_not_the_runs_own_gets_an_exception(tmp_path: Path) -> None:
    messages: list[str] = []
    stop, before = StopRequest(), signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with stop_on_signals(stop, [tmp_path / "partial"], messages.append, exits=False):
            os.kill(os.getpid(), signal.SIGINT)
            while not messages:
                time.sleep(0.01)
            assert stop.signal == signal.SIGINT
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it comes whenever the handler runs
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(5.0)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert messages == ["SIGINT: stopping after the current step"]
