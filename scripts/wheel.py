"""Installs the wheel in an empty environment and uses it in an empty folder, as somebody without the repository would.

python scripts/wheel.py                              with the versions in constraints.txt
python scripts/wheel.py --constraints other.txt      with others
"""

import argparse
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout: no installation or path is needed

from scripts.common import ROOT, ScriptError, run_script

USE = (
    ("corpus", "brackets", "-l", "20000", "-o", "text.txt"),
    ("train", "text.txt", "--steps", "20", "--quiet"),
    ("evaluate", "-m", "text", "text.txt"),
    ("generate", "-m", "shakespeare", "--prime", "ROMEO:", "-l", "100", "--quiet"),
)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--constraints", type=Path, default=ROOT / "constraints.txt")
    return parser.parse_args(arguments)


def check_wheel(constraints: Path, folder: Path) -> None:
    """Build the wheel, install it in `folder` and use it there.

    Raises:
        ScriptError: if a step fails, or the wheel holds something besides the package.
    """
    venv.create(folder / "env", with_pip=True)
    programs = next(path for path in (folder / "env" / "bin", folder / "env" / "Scripts") if path.is_dir())
    pip = (str(programs / "python"), "-m", "pip")
    limits = ("-c", str(constraints.resolve()), "--disable-pip-version-check", "--quiet")
    _run(ROOT, *pip, "wheel", "--no-deps", "-w", str(folder), *limits, ".")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        rooms = {name.partition("/")[0] for name in opened.namelist()}
    if others := sorted(name for name in rooms - {"charrnn"} if not name.endswith(".dist-info")):
        raise ScriptError(f"{wheel.name} holds more than the package: {', '.join(others)}")
    _run(folder, *pip, "install", *limits, str(wheel))
    empty = folder / "empty"
    empty.mkdir()
    for arguments in USE:
        _run(empty, str(programs / "charrnn"), *arguments)
    print(f"{wheel.name} works in an empty environment")


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        raise ScriptError(f"failed: {' '.join(command)}\n{done.stdout}{done.stderr}")


def main() -> None:
    """Check the wheel."""
    options = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
        check_wheel(options.constraints, Path(folder))


if __name__ == "__main__":
    sys.exit(run_script("wheel.py", main))
