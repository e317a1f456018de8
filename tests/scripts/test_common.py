import os
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn.errors import CorpusError
from scripts.common import ROOT, ScriptError, make_environment, run_charrnn, run_script, table


@pytest.mark.parametrize("name", ["benchmark", "bundled_model", "experiments", "pictures", "versions", "wheel"])
def test_every_script_runs_in_any_folder_without_a_path(name: str, tmp_path: Path) -> None:
    bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"scripts/{name}.py" in done.stdout


def test_charrnn_is_the_one_of_this_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert make_environment()["PYTHONPATH"].split(os.pathsep) == [str(ROOT), str(tmp_path)]
    monkeypatch.delenv("PYTHONPATH")
    assert make_environment()["PYTHONPATH"] == str(ROOT)


def test_a_failed_command_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_charrnn("corpus", "brackets", "-l", "1") == "()"
    with pytest.raises(ScriptError, match="charrnn corpus ended with status 2; see above"):
        run_charrnn("corpus", "brackets", "-l", "0")
    assert "--length must be at least 1; found 0" in capfd.readouterr().err


def test_errors_of_the_user_are_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise CorpusError("there is no file or folder missing.txt; check the name")

    def interrupt() -> None:
        raise KeyboardInterrupt

    assert run_script("x.py", fail) == 1
    assert capfd.readouterr().err == "x.py: there is no file or folder missing.txt; check the name\n"
    assert run_script("x.py", interrupt) == 130
    assert run_script("x.py", lambda: None) == 0


def test_a_table_is_markdown() -> None:
    assert table(["a", "b c"], [[1, "x"]]) == "| a | b c |\n|---|---|\n| 1 | x |"
    assert table(["a", "b"], [], title="T", numeric=True) == "### T\n\n| a | b |\n|---|---:|"
