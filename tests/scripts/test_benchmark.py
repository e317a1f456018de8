from pathlib import Path

import pytest

from scripts import benchmark


def test_its_command_line_knows_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.parse_arguments(["generate", "--cell", "gru"]).cell == ["gru"]
    options = benchmark.parse_arguments(["quality", "a.txt", "b.txt", "--times", "13s", "--grid", "--seeds", "3"])
    assert options.texts == [Path("a.txt"), Path("b.txt")]
    assert options.grid
    assert options.seeds == 3
    with pytest.raises(SystemExit, match="2"):
        benchmark.parse_arguments(["quality", "a.txt", "--times", "soon"])
    assert "must be a duration like 30s or 5m; found soon" in capsys.readouterr().err
