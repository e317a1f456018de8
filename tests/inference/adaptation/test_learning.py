"""Models that have learned from a text: they go on where it ends, and are files like others."""

from pathlib import Path

import numpy as np
import pytest

from charrnn.errors import CorpusError
from charrnn.inference.adaptation.adapter import Adapter
from charrnn.inference.adaptation.learning import adapt_network
from charrnn.inference.adaptation.mixture import AdaptedScorer
from charrnn.inference.generation.on_device import DeviceGenerator, choose_device
from charrnn.inference.labelled import LabelledModel
from charrnn.inference.loading import load
from charrnn.inference.model import Model
from charrnn.inference.scoring.lines import score_sequences
from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary
from charrnn.text.vocabulary.words import WordVocabulary
from tests.models import make_model

FIXTURES = Path(__file__).parents[2] / "fixtures" / "models"
TEXT = "to be, or not to be.\n" * 60


def test_an_adapted_model_knows_the_text_better() -> None:
    model = make_model(CharVocabulary.of_text(TEXT))
    adapted = model.adapt(TEXT)
    assert adapted.score(TEXT).loss < model.score(TEXT).loss - 0.2
    assert model.score(TEXT) == make_model(CharVocabulary.of_text(TEXT)).score(TEXT)


def test_it_goes_on_where_the_text_ends() -> None:
    model = make_model(CharVocabulary.of_text(TEXT))
    result = adapt_network(model.network, model.vocabulary, [model.vocabulary.tokenize(TEXT[:-5])])
    adapter = Adapter(model.network)
    adapter.read(model.vocabulary.encode(TEXT[:-5]))
    learned = adapter.to_network(carry_state=True)
    assert result.network.initial_state().hidden == pytest.approx(learned.initial_state().hidden, abs=0.05)
    assert result.trained == model.score(TEXT[:-5])
    assert result.adapted.chars == len(TEXT) - 5
    assert result.network.tensors["decoder.weight"] == pytest.approx(learned.tensors["decoder.weight"], abs=0.05)


def test_where_learning_does_harm_little_of_it_is_kept() -> None:
    model = make_model(CharVocabulary.of_text("abcdefgh"), "gru")
    typical = model.generate(length=3000, temperature=1, seed=1)  # of which the model knows everything already
    adapted = model.adapt(typical)
    learned = Adapter(model.network)
    learned.read(model.vocabulary.encode(typical))
    harmed = learned.to_network(carry_state=True)
    name, trained = "decoder.weight", model.network.tensors["decoder.weight"]
    kept = np.abs(adapted.network.tensors[name] - trained).mean()
    assert kept < 0.5 * np.abs(harmed.tensors[name] - trained).mean()


def test_an_adapted_model_is_a_file_like_others(tmp_path: Path) -> None:
    model = make_model(CharVocabulary.of_text(TEXT), "gru", embedding_size=5)
    adapted = model.adapt(TEXT)
    save_model(tmp_path / "a.safetensors", adapted.header, adapted.network.tensors)
    loaded = load(tmp_path / "a.safetensors")
    assert isinstance(loaded, Model)
    assert loaded.header == adapted.header
    assert loaded.header.training["adapted_chars"] == len(TEXT)
    assert loaded.generate("to", length=80, seed=3) == adapted.generate("to", length=80, seed=3)
    assert loaded.score(TEXT) == adapted.score(TEXT)


def test_figures_of_the_training_are_not_handed_on() -> None:
    model = make_model(CharVocabulary.of_text(TEXT))
    model.header.training.update(corpus="plays", valid_loss=1.5, valid_bpc=2.2, steps=9)
    assert model.adapt(TEXT).header.training == {"corpus": "plays", "steps": 9, "adapted_chars": len(TEXT)}


def test_words_and_bytes() -> None:
    words = make_model(WordVocabulary(sorted(set(WordVocabulary.tokenize(TEXT)))))
    assert words.adapt(TEXT).score(TEXT).loss < words.score(TEXT).loss - 0.05
    binary = make_model(ByteVocabulary.of_text(TEXT.encode()))
    assert binary.adapt(TEXT.encode()).score(TEXT.encode()).loss < binary.score(TEXT.encode()).loss - 0.2


def test_of_documents_each_line_is_one() -> None:
    vocabulary = CharVocabulary.of_text("abc").with_marks()
    model = make_model(vocabulary)
    pieces = [vocabulary.tokenize("abc\nab"), vocabulary.tokenize("c\n")]
    result = adapt_network(model.network, vocabulary, pieces)
    assert (result.network.tensors["initial_hidden"] == model.network.tensors["initial_hidden"]).all()
    scorer = AdaptedScorer(model.network, vocabulary)
    for _ in range(2):
        scorer.adapter.restart()
        scorer.score(
            vocabulary.tokenize("abc"), np.concatenate(score_sequences(model.network, [vocabulary.encode("abc")]))
        )
        scorer.adapter.read(np.array([vocabulary.end], dtype=np.int32))
    expected = scorer.adapter.to_network(share=scorer.mean_weight, carry_state=False).tensors["decoder.weight"]
    assert result.network.tensors["decoder.weight"] == pytest.approx(expected, abs=1e-4)
    assert result.adapted.chars == result.trained.chars == 6


def test_a_text_of_strangers_is_refused() -> None:
    with pytest.raises(CorpusError, match="contains no character that the model knows"):
        make_model(CharVocabulary.of_text("abc")).adapt("123")


def test_progress_is_reported() -> None:
    reports: list[tuple[int, int]] = []
    make_model(CharVocabulary.of_text(TEXT)).adapt(TEXT, lambda done, total: reports.append((done, total)))
    assert reports[-1] == (len(TEXT), len(TEXT))


def test_a_labelled_model_adapts_the_model_of_one_label() -> None:
    labelled = load(FIXTURES / "labelled.safetensors")
    assert isinstance(labelled, LabelledModel)
    text = "cow pig hen\n" * 20
    adapted = labelled.adapt(text, label="number")
    assert not isinstance(adapted, LabelledModel)
    state = labelled.for_label("number").network.tensors["initial_hidden"]
    assert (adapted.network.tensors["initial_hidden"] == state).all()
    usual = labelled.adapt(text).network.tensors["initial_hidden"]  # "animal" has the most texts
    assert (usual == labelled.for_label("animal").network.tensors["initial_hidden"]).all()


def test_an_adapted_model_generates_on_the_same_device() -> None:
    model = make_model(CharVocabulary.of_text(TEXT))
    expected = model.adapt(TEXT).generate(length=50, seed=2, temperature=0)
    model.generator = DeviceGenerator(model.network, model.vocabulary, choose_device("cpu"))
    adapted = model.adapt(TEXT)
    assert isinstance(adapted.generator, DeviceGenerator)
    assert adapted.generate(length=50, seed=2, temperature=0) == expected
