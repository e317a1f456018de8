"""pip without the ability to start programs, so that it cannot run the set-up code of what it downloads.

    python -P isolated_pip.py ARCHIVE FOLDER ARGUMENTS OF PIP...

Even `pip download --no-deps` builds a source archive's metadata, in a process that runs code from the archive. Here
pip fails at that point, and the archive that it has opened to unpack is copied to FOLDER.
"""

import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty")


def main() -> None:
    """Run pip with the given arguments; exits with its status."""
    archive, folder, *arguments = sys.argv[1:]
    opened: list[str] = []

    def audit(event: str, values: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(values[0], str) and Path(values[0]).name == archive:
            opened.append(values[0])
        elif event in STARTS:
            if opened and not Path(folder, archive).exists():
                shutil.copy(opened[-1], folder)
            raise PermissionError("starting programs is not allowed here")

    sys.addaudithook(audit)
    sys.argv = ["pip", *arguments]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
