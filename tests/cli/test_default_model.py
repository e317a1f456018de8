"""The model that a command takes if none is named: it says which, unless it is to be quiet."""

from pathlib import Path
from typing import Any

import pytest

from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.cli.commands.test_classify import VOCABULARY, write_classifier
from tests.cli.notes import newest
from tests.models import make_model


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "-l", "5", "--seed", "1"),
        ("evaluate", "text.txt"),
        ("classify", "text.txt"),
        ("inspect", "text.txt", "--unit", "0"),
        ("info",),
        ("export", "-o", "page.html", "--overwrite"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_it_is_named_on_one_line_unless_quiet(
    in_process: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("abcab\n")
    if arguments[0] == "classify":
        write_classifier("m", VOCABULARY)
    else:
        made = make_model(CharVocabulary.of_text("abc\n"))
        save_model(Path("models/m.safetensors"), made.header, made.network.tensors)
    status, _, err = in_process(*arguments)
    assert status == 0, err
    assert err.startswith(newest("m"))
    assert err.count("model") == newest("m").count("model")
    status, _, err = in_process(*arguments, "--quiet")
    assert (status, err) == (0, "")
