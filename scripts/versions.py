"""Runs the tests with the lowest or the newest versions of all dependencies, in an environment of their own.

python scripts/versions.py lowest                     the lowest versions that pyproject.toml allows
python scripts/versions.py newest --python 3.13       the newest ones, with another Python
python scripts/versions.py newest -- tests/model      arguments for pytest

Needs uv (`pip install uv`), and room for PyTorch with CUDA: several gigabytes.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout: no installation or path is needed

from scripts.common import ROOT, ScriptError, make_environment, run_script

RESOLUTION = {"lowest": "lowest-direct", "newest": "highest"}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", choices=tuple(RESOLUTION))
    parser.add_argument(
        "--python", default=sys.executable, help="version or path of Python (default: the one that runs this script)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="create the environment in this folder, and keep it"
    )
    parser.add_argument("pytest", nargs="*", metavar="ARGUMENT", help="arguments for pytest, after --")
    return parser.parse_args(arguments)


def list_direct_dependencies() -> list[str]:
    """Return the requirements of the package and of its tests, as pyproject.toml has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


def check_versions(options: argparse.Namespace, folder: Path) -> None:
    """Make an environment in `folder`, print its versions and run the tests there.

    Raises:
        ScriptError: if uv is missing, or a step fails.
    """
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        raise ScriptError("this needs uv; type: pip install uv")
    _run(uv, "venv", "--quiet", "--seed", "--clear", "--python", options.python, str(folder))
    python = next(path for path in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if path.exists())
    resolution = ("--resolution", RESOLUTION[options.versions])
    _run(uv, "pip", "install", "--quiet", "--python", str(python), *resolution, *list_direct_dependencies())
    _run(uv, "pip", "freeze", "--python", str(python))
    _run(str(python), "--version")
    _run(str(python), "-m", "pytest", "-n", "auto", "-p", "no:cacheprovider", *options.pytest)


def _run(*command: str) -> None:
    if subprocess.run(command, cwd=ROOT, env=make_environment(), check=False).returncode:
        raise ScriptError(f"failed: {' '.join(command)}")


def main() -> None:
    """Check the versions that the command line names."""
    options = parse_arguments()
    if options.keep is not None:
        check_versions(options, options.keep)
        return
    with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
        check_versions(options, Path(folder))


if __name__ == "__main__":
    sys.exit(run_script("versions.py", main))
