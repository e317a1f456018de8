"""Opening models by path and by name."""

import os
from pathlib import Path

import numpy as np
import pytest

import charrnn
from charrnn.errors import GenerationError, ModelFileError
from charrnn.inference import locating
from charrnn.inference.labelled import LabelledModel
from charrnn.inference.loading import load_classifier, load_language_model, load_scorer
from charrnn.model.config import ClassifierConfig, LabelledConfig, ModelConfig
from charrnn.model.file import save_model
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.characters import CharVocabulary

VOCABULARY = CharVocabulary.of_text("abcd").with_marks()
LABELS = {"labels": ("cats", "dogs"), "label_counts": (3, 4)}


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a plain model, a labelled one and a classifier, the newest, in models/."""
    monkeypatch.chdir(tmp_path)
    size = len(VOCABULARY)
    save("plain", ModelConfig("gru", 1, 4, 0, size))
    save("labelled", LabelledConfig("gru", 1, 4, 0, size, 2), **LABELS)
    save("classes", ClassifierConfig("gru", 1, 4, 0, size, 2, False, "last"), task="classify", **LABELS)
    for age, name in enumerate(("classes", "labelled", "plain"), 1):
        os.utime(f"models/{name}.safetensors", (1e9 - age, 1e9 - age))


def save(name: str, config: ModelConfig, **header: object) -> None:
    draw = np.random.default_rng(0)
    tensors = {key: draw.standard_normal(shape).astype(np.float32) for key, shape in config.shapes().items()}
    header_of_model = ModelHeader(config, VOCABULARY.to_json(), **header)  # type: ignore[arg-type]
    save_model(Path("models", f"{name}.safetensors"), header_of_model, tensors)


def test_every_kind_of_model_is_loaded_by_path_and_by_name() -> None:
    kinds = {"plain": charrnn.Model, "labelled": LabelledModel, "classes": charrnn.Classifier}
    for name, kind in kinds.items():
        for given in (name, f"models/{name}.safetensors", Path("models", f"{name}.safetensors")):
            assert type(charrnn.load(given)) is kind


def test_without_a_name_it_is_the_newest() -> None:
    assert isinstance(charrnn.load(), charrnn.Classifier)
    os.utime("models/plain.safetensors")
    assert type(charrnn.load()) is charrnn.Model


def test_the_bundled_model_has_a_name_and_is_the_last_resort(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    Path("models/plain.safetensors").rename(tmp_path / "package" / "shakespeare.safetensors")
    monkeypatch.setattr(locating, "BUNDLED_IN", (tmp_path / "package",))
    assert isinstance(charrnn.load("shakespeare"), charrnn.Model)
    assert isinstance(charrnn.load(), charrnn.Classifier)
    for path in Path("models").iterdir():
        path.unlink()
    assert isinstance(charrnn.load(), charrnn.Model)
    monkeypatch.setattr(locating, "BUNDLED_IN", ())
    with pytest.raises(ModelFileError, match="no model in models/; give a model with -m FILE, or train one"):
        charrnn.load()


def test_names_that_are_none_get_a_suggestion() -> None:
    with pytest.raises(ModelFileError, match=r"there is no model plian; did you mean models/plain\.safetensors\?"):
        charrnn.load("plian")
    with pytest.raises(ModelFileError, match=r"models is a folder, not a model file; name a \.safetensors file"):
        charrnn.load("models")


def test_a_model_of_another_kind_is_refused() -> None:
    plain, labelled, classes = (Path("models", f"{name}.safetensors") for name in ("plain", "labelled", "classes"))
    with pytest.raises(
        ModelFileError, match="is a classifier, which does not generate text; use it with: charrnn classify -m"
    ):
        load_language_model(classes)
    for load in (load_scorer, load_classifier):
        with pytest.raises(ModelFileError, match="is a language model, not a classifier; train a classifier with"):
            load(plain)
    with pytest.raises(ModelFileError, match="is a language model, not a classifier"):
        load_classifier(labelled)
    assert load_scorer(labelled).labels == load_scorer(classes).labels == LABELS["labels"]
    with pytest.raises(GenerationError, match="a classifier runs only with NumPy; leave out device='cuda'"):
        charrnn.load(classes, "cuda")


def test_a_vocabulary_without_an_end_is_refused() -> None:
    vocabulary = CharVocabulary.of_text("abcdef")
    config = LabelledConfig("gru", 1, 4, 0, len(vocabulary), 2)
    tensors = {name: np.zeros(shape, dtype=np.float32) for name, shape in config.shapes().items()}
    header = ModelHeader(config, vocabulary.to_json(), labels=("a", "b"), label_counts=(1, 1))
    save_model(Path("models/endless.safetensors"), header, tensors)
    with pytest.raises(ModelFileError, match="its vocabulary has no symbol for the end of a text"):
        charrnn.load("endless")
