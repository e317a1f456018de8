"""A whole run that learns to tell texts apart: it learns, saves, resumes to the same bits, and NumPy agrees."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from charrnn.inference.loading import load_classifier
from charrnn.model.file import load_model
from charrnn.text.documents.corpus import LabelledCorpus, read_labelled
from charrnn.training.checkpoint.resume import rebuilt
from charrnn.training.checkpoint.state import CheckpointFolder
from charrnn.training.recipe.classifier import ClassifierPlan, plan_classifier
from charrnn.training.session import StopRequest
from charrnn.training.settings import LearningSettings, ModelSettings, RunSettings, TextSettings, TrainSettings
from charrnn.training.tasks.classifier_reporting import ClassifierReporter
from charrnn.training.tasks.classifier_session import ClassifierSession
from charrnn.training.tasks.classifier_tensorboard import ClassifierBoard

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> LabelledCorpus:
    """Words of two made-up languages, one with more."""
    draw = random.Random(0)
    rows = []
    for _ in range(300):
        label, vowels, consonants = draw.choice([("o", "ou", "rstl"), ("a", "ai", "rkml"), ("a", "ai", "rkml")])
        rows.append(label + "\t" + "".join(draw.choice(consonants) + draw.choice(vowels) for _ in range(3)))
    path = tmp_path_factory.mktemp("words") / "words.tsv"
    path.write_text("\n".join(rows))
    return read_labelled([str(path)])


def settings(model: dict[str, Any] | None = None, **learning: Any) -> TrainSettings:
    sizes = ModelSettings(**{"hidden_size": 12, "embedding_size": 6, "dropout": 0.2, **(model or {})})
    return TrainSettings(TextSettings(task="classify"), sizes, LearningSettings(**learning), RunSettings())


def session(
    corpus: LabelledCorpus, output: Path, reporter: ClassifierReporter | None = None, **learning: Any
) -> ClassifierSession:
    plan = plan_classifier(settings(**{"batch_size": 32, "lr": 0.02, **learning}), corpus, peak=1e11)
    return ClassifierSession(plan, corpus, output, CPU, reporter or ClassifierReporter())


def test_it_learns_and_the_file_scores_what_validation_found(corpus: LabelledCorpus, tmp_path: Path) -> None:
    summary = session(corpus, tmp_path / "m.safetensors", epochs=12.0).run()
    assert summary.valid_accuracy > 0.95
    assert 1 < summary.epochs < 12.2
    model = load_classifier(tmp_path / "m.safetensors")
    assert model.labels == corpus.labels
    assert model.header.label_counts == corpus.counts
    texts = [corpus.vocabulary.decode(ids[:-1]).decode() for ids in corpus.valid]
    found = model.log_probabilities(texts)
    loss = -found[np.arange(len(texts)), corpus.valid.labels].mean()
    assert loss == pytest.approx(summary.valid_loss, abs=1e-5)
    again = model.log_probabilities(texts[::-1])[::-1]
    np.testing.assert_allclose(again, found, atol=1e-5)


def test_a_stopped_run_resumes_to_the_same_bits(corpus: LabelledCorpus, tmp_path: Path) -> None:
    whole = session(corpus, tmp_path / "whole.safetensors", steps=60, seed=2)
    whole.run()
    output = tmp_path / "broken.safetensors"
    first = session(corpus, output, steps=60, seed=2)
    first.stop = StopRequest()
    taken = first.trainer.step

    def step(rate: float, progress: float) -> tuple[float, int, float]:
        if first.trainer.steps == 24:
            first.stop.signal = 2
        return taken(rate, progress)

    first.trainer.step = step  # type: ignore[method-assign]
    assert first.run().steps == 25
    assert output.exists()
    saved, complaints = CheckpointFolder.of(output).newest()
    assert saved is not None
    assert complaints == []
    plan = rebuilt(ClassifierPlan, saved.state["plan"])
    assert plan == first.plan
    torch.manual_seed(99)
    ClassifierSession(plan, corpus, output, CPU, ClassifierReporter(), resumed=saved).run()
    one, two = load_model(tmp_path / "whole.safetensors")[1], load_model(output)[1]
    for name, weight in one.items():
        np.testing.assert_array_equal(weight, two[name])


def test_it_stops_when_validation_no_longer_improves(corpus: LabelledCorpus, tmp_path: Path) -> None:
    run = session(corpus, tmp_path / "m.safetensors", epochs=40.0, patience=1)
    summary = run.run()
    assert summary.epochs < 40
    assert summary.valid_loss == min(each.valid_loss for each in run.record.history)


def test_weights_that_are_not_finite_end_a_run(corpus: LabelledCorpus, tmp_path: Path) -> None:
    run = session(corpus, tmp_path / "m.safetensors", steps=200)
    with torch.no_grad():
        run.trainer.network.decoder.weight[0, 0] = float("inf")
    with pytest.raises(Exception, match="training diverged"):
        run.run()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_log_loss_accuracy_and_histograms(corpus: LabelledCorpus, tmp_path: Path) -> None:
    board = ClassifierBoard(tmp_path / "logs")
    session(corpus, tmp_path / "m.safetensors", board, steps=30).run()
    board.close()
    events = EventAccumulator(str(tmp_path / "logs"), size_guidance={"histograms": 0, "scalars": 0})
    events.Reload()
    assert {"loss/valid", "accuracy/valid", "final/valid_accuracy"} <= set(events.Tags()["scalars"])
    assert {"layer_0_backward/weights_from_before", "decoder/weights_gradient"} <= set(events.Tags()["histograms"])
    assert "aten::lstm" in {node.op for node in events.Graph().node}


def test_the_smallest_case_is_learned_by_sgd(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    words = {"en": "house tree water bread", "de": "haus baum wasser brot", "fr": "maison arbre eau pain"}
    path.write_text("".join(f"{label}\t{word}\n" for label, line in words.items() for word in line.split()))
    corpus = read_labelled([str(path)])
    chosen = settings({"cell": "rnn", "hidden_size": 4, "dropout": None}, optimizer="sgd", epochs=150.0)
    plan = plan_classifier(chosen, corpus, peak=1e11)
    summary = ClassifierSession(plan, corpus, tmp_path / "m.safetensors", CPU, ClassifierReporter()).run()
    assert summary.valid_accuracy == 1.0


def test_the_plan_follows_the_texts_and_the_time(corpus: LabelledCorpus) -> None:
    def planned(**learning: Any) -> ClassifierPlan:
        return plan_classifier(dataclasses.replace(settings(**learning), model=ModelSettings()), corpus, peak=1e11)

    assert planned(time="1s").config.hidden_size <= planned(time="5m").config.hidden_size
    assert planned().budget.seconds == 180.0
    assert planned(epochs=2.0).budget.seconds is None
    assert planned(seq_len=4).seq_len == 4
    assert planned(batch_size=7).batch_size == 7
