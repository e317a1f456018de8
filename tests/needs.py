"""What some tests need of the system. Where it is missing, a test is skipped and says why.

    @linux
    def test_a_full_device(): ...

`.ci/run` installs the programs and then lets no test be skipped: see `tests/conftest.py`.
"""

import shutil
import sys
from typing import Any

import pytest

from tests.browser import CHROMIUM

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: /proc, /dev/full")
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX system: named pipes, modes, limits")
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
blastn = pytest.mark.skipif(not shutil.which("blastn"), reason="needs BLAST+ (Debian: ncbi-blast+)")
wat2wasm = pytest.mark.skipif(not shutil.which("wat2wasm"), reason="needs wat2wasm (Debian: wabt)")
abc2midi = pytest.mark.skipif(not shutil.which("abc2midi"), reason="needs abc2midi (Debian: abcmidi)")


def open_pty() -> tuple[int, int]:
    """A new pseudo-terminal: the descriptors of its two ends, as `pty.openpty` returns them."""
    pty = pytest.importorskip("pty", reason="needs a POSIX system: pseudo-terminals")
    ends: tuple[int, int] = pty.openpty()
    return ends


def import_resource() -> Any:
    """The module `resource`: limits and figures of a process."""
    return pytest.importorskip("resource", reason="needs a POSIX system: limits of a process")
