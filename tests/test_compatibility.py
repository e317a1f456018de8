"""Models and interrupted runs of earlier versions open, score and resume as they did."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn.inference.loading import load_classifier, load_language_model
from charrnn.model.file import load_model
from charrnn.training.checkpoint.files import RunFiles

FIXTURES = Path(__file__).parent / "fixtures"
RHYME, KINDS = FIXTURES / "corpora" / "rhyme.txt", FIXTURES / "corpora" / "kinds.tsv"


@pytest.mark.parametrize("name", ["lstm", "gru-bytes", "rnn-words"])
def test_a_language_model_scores_its_held_out_text_as_its_file_says(name: str) -> None:
    model = load_language_model(FIXTURES / "models" / f"{name}.safetensors")
    tokens = model.vocabulary.tokenize(RHYME.read_text())
    held_out = model.vocabulary.join(tokens[len(tokens) - len(tokens) // 10 :])
    assert model.score(held_out).loss == pytest.approx(model.header.training["valid_loss"], rel=1e-4)
    assert len(model.generate(length=20, seed=1)) >= 20


def test_a_labelled_model_writes_with_each_label() -> None:
    model: Any = charrnn.load(FIXTURES / "models" / "labelled.safetensors")
    assert model.labels == ("animal", "number")
    assert model.generate(label="animal", seed=1)


def test_a_classifier_still_knows_its_classes() -> None:
    model = load_classifier(FIXTURES / "models" / "classifier.safetensors")
    likely = model.log_probabilities(["cat dog fox", "one two six"]).argmax(axis=1)
    assert [model.labels[index] for index in likely] == ["animal", "number"]


@pytest.mark.parametrize(("name", "corpus"), [("lstm", RHYME), ("labelled", KINDS), ("classifier", KINDS)])
def test_an_interrupted_run_resumes_to_the_weights_of_an_undisturbed_one(
    tmp_path: Path, name: str, corpus: Path
) -> None:
    shutil.copytree(FIXTURES / "runs" / f"{name}.resume", tmp_path / f"{name}.resume")
    output = tmp_path / f"{name}.safetensors"
    precision: dict[str, Any] = {} if name == "classifier" else {"precision": "fp32"}  # classifiers always learn in it
    charrnn.train(corpus, output=output, resume=True, **precision)
    header, weights = load_model(output)
    before, expected = load_model(FIXTURES / "models" / f"{name}.safetensors")
    assert RunFiles(output).read_newest()[0].state["trainer"]["steps"] == 40  # type: ignore[union-attr]
    if name == "lstm" or header.training["best_step"] != before.training["best_step"]:
        # Restarted readers go to other positions now, and the spacing of evaluations has changed, so other weights may
        # be the best ones.
        assert header.training["valid_loss"] == pytest.approx(before.training["valid_loss"], abs=0.01)
        return
    for tensor, values in expected.items():
        np.testing.assert_allclose(weights[tensor], values, rtol=1e-4, atol=1e-5)  # other machines sum in other orders
