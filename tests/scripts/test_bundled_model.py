from pathlib import Path

import pytest

from charrnn.inference.loading import load_language_model as load
from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from scripts.bundled_model import COMMAND, describe, round_model, split_held_out
from tests.models import make_model


def test_a_model_is_rounded_scored_and_described(tmp_path: Path) -> None:
    made = make_model(CharVocabulary.of_text("abc"))
    source, target = tmp_path / "trained.safetensors", tmp_path / "bundled.safetensors"
    save_model(source, made.header, made.network.tensors)
    model, unrounded = round_model(source, target, "abcabc")
    assert target.stat().st_size < source.stat().st_size
    assert model.header.training["command"] == COMMAND
    assert model.header.training["valid_loss"] == load(target).score("abcabc").loss
    assert (
        unrounded == load(source).score("abcabc").loss == pytest.approx(model.header.training["valid_loss"], abs=0.01)
    )
    model.header.training["epochs"] = 2.0
    page = describe(model, target.stat().st_size, 100, "abcabc", unrounded)
    assert "trained on | the first 94 characters" in page
    assert COMMAND in page


def test_the_end_of_the_text_is_held_out() -> None:
    assert split_held_out("a" * 95 + "b" * 5) == "b" * 5
