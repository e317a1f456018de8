"""`charrnn info`: only what the model has."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands.test_classify import VOCABULARY, write_classifier


def test_a_classifier_has_no_figures_of_language_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    write_classifier("m", VOCABULARY)
    status, out, _ = in_process("info", "m")
    assert status == 0
    assert "None" not in out
    assert "valid_bpc" not in out
    assert json.loads(in_process("info", "m", "--json")[1])["valid_loss"] is None
