from pathlib import Path

import pytest

import charrnn
from charrnn.errors import GenerationError, ModelFileError
from charrnn.inference.model import make_request
from charrnn.inference.settings import SamplingSettings
from charrnn.model.file import save_model
from charrnn.text.vocabulary.base import Vocabulary
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary
from charrnn.text.vocabulary.words import WordVocabulary
from tests.models import make_model

LETTERS = CharVocabulary.of_text("ROMEO: abcdefghij\né")


@pytest.fixture
def model(tmp_path: Path) -> charrnn.Model:
    made = make_model(LETTERS)
    save_model(tmp_path / "m.safetensors", made.header, made.network.tensors)
    loaded = charrnn.load(tmp_path / "m.safetensors")
    assert isinstance(loaded, charrnn.Model)
    return loaded


def test_load_generate_stream_and_score(model: charrnn.Model) -> None:
    text = model.generate("ROMEO:", temperature=0.5, length=200, seed=1)
    assert len(text) == 200
    assert "".join(model.stream("ROMEO:", temperature=0.5, length=200, seed=1)) == text
    assert model.generate(b"ROMEO:", temperature=0.5, length=200, seed=1) == text
    assert model.generate("ROMEO: ", temperature=0.5, length=200, seed=1) != text
    assert model.score(text).chars == 200


def test_texts_without_a_seed_differ(model: charrnn.Model) -> None:
    assert model.generate(length=100) != model.generate(length=100)


def test_a_stop_ends_the_text(model: charrnn.Model) -> None:
    text = model.generate(length=300, temperature=1.5, seed=1)
    stop = text[40:42]
    assert model.generate(length=300, temperature=1.5, seed=1, stop=[stop]) == text[: text.index(stop)]


def test_bytes_that_make_no_character_are_replaced() -> None:
    model = make_model(ByteVocabulary.of_text(b"a\xc3\xa9\xff"))
    text = model.generate(length=200, temperature=2, seed=3)
    start = model.network.initial_state()
    request = make_request(SamplingSettings(temperature=2), length=200)
    raw = b"".join(piece.text for piece in model.pieces(start, seeds=[3], request=request))
    assert len(raw) == 200
    assert text == raw.decode("utf-8", "replace")
    assert "é" in text
    assert "\ufffd" in text


def test_what_cannot_be_asked_is_told_at_once(model: charrnn.Model) -> None:
    with pytest.raises(GenerationError, match=r"temperature must be at least 0.*; found -1; top_k must be at least 1"):
        model.generate(temperature=-1, top_k=0)
    with pytest.raises(GenerationError, match="stop must not be empty"):
        model.generate(stop=[""])
    with pytest.raises(GenerationError, match=r"the model has never seen 'Z' \(U\+005A\); change the prime"):
        model.generate("Z")
    with pytest.raises(ModelFileError, match="there is no model nowhere"):
        charrnn.load("nowhere")


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        charrnn.nothing  # noqa: B018


@pytest.mark.parametrize("vocabulary", [CharVocabulary.of_text("ab"), ByteVocabulary.of_text(b"ab")])
def test_a_surrogate_is_refused_in_words(vocabulary: Vocabulary) -> None:
    model = make_model(vocabulary)
    with pytest.raises(GenerationError, match=r"the prime contains half of a character \(U\+D800, a surrogate\)"):
        model.generate("a\ud800")
    with pytest.raises(GenerationError, match=r"a stop string contains half of a character \(U\+D800"):
        model.generate("a", stop=["\ud800"])


def test_bytes_that_are_no_text_are_unknown_to_a_word_model() -> None:
    model = make_model(WordVocabulary(["a", " b"]))
    with pytest.raises(GenerationError, match="the model has never seen"):
        model.generate(b"a\xff ")


def test_top_k_has_a_limit_that_the_kernel_can_hold() -> None:
    with pytest.raises(GenerationError, match="top_k must be at least 1 and at most"):
        make_model(CharVocabulary.of_text("ab")).generate("a", top_k=2**63)
    assert make_model(CharVocabulary.of_text("ab")).generate("a", top_k=2**31 - 1, seed=1, length=30) == make_model(
        CharVocabulary.of_text("ab")
    ).generate("a", seed=1, length=30)
