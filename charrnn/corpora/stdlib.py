"""Python's own source as a corpus that needs neither file nor network."""

import sysconfig
from collections.abc import Iterator
from pathlib import Path

EXCLUDED_FOLDERS = {"test", "tests", "idle_test", "site-packages", "dist-packages"}


def read_stdlib() -> Iterator[str]:
    """Yield the source of Python's standard library, file by file, without tests and installed packages."""
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        if EXCLUDED_FOLDERS.isdisjoint(path.relative_to(root).parts):
            try:
                yield path.read_text(encoding="utf-8") + "\n"
            except (UnicodeDecodeError, OSError):
                continue  # in another encoding, or not readable by this user
