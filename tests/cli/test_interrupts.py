"""Ctrl-C at moments that no test can time: the module that is then imported sends it."""

import signal
import subprocess
import sys

import pytest

INTERRUPTED = """
import os, runpy, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {reaction}

sys.meta_path.insert(0, Interrupt())
sys.argv = ["charrnn", "info", "nowhere"]
{before}
runpy.run_module("charrnn", run_name="__main__", alter_sys=True)
"""


SEND = "os.kill(os.getpid(), signal.SIGINT)"


def interrupt(module: str, before: str = "", reaction: str = SEND) -> tuple[int, str]:
    """The status and the stderr of a command that gets SIGINT while it imports a module."""
    code = INTERRUPTED.format(module=module, before=before, reaction=reaction)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.parametrize("module", ["charrnn.cli.app", "typer", "charrnn.cli.commands.info", "charrnn.model.file"])
def test_loading_ends_quietly(module: str) -> None:
    assert interrupt(module) == (130, "")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer")
def test_an_interrupt_that_a_callback_loses_ends_the_program_all_the_same() -> None:
    hurry = "import time, charrnn.cli.interrupts as interrupts; interrupts.PATIENCE = 0.01"
    lose = f"exec('try: {SEND}\\nexcept KeyboardInterrupt: time.sleep(30)')"
    assert interrupt("charrnn.cli.commands.info", hurry, lose) == (130, "")


def test_leaving_ends_quietly() -> None:
    late = "import atexit; atexit.register(lambda: __import__('wave'))"
    status, err = interrupt("wave", late)
    assert (status, err) == (130, "charrnn: there is no model nowhere; train one with: charrnn train CORPUS\n")


def test_an_ignored_signal_stays_ignored() -> None:
    status, err = interrupt("typer", "signal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert status == 1
    assert err.startswith("charrnn: there is no model nowhere")
