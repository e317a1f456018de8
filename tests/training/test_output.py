from pathlib import Path

import pytest

from charrnn.training.output import choose_output
from charrnn.training.settings import RunSettings


def test_a_name_without_a_suffix_gets_that_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose_output(RunSettings(output="models/noext"), ["a.txt"]).output == Path("models/noext.safetensors")
    assert choose_output(RunSettings(output="models/a.bin"), ["a.txt"]).output == Path("models/a.bin")
