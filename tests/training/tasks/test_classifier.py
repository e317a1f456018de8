"""A whole run that learns to tell texts apart: it learns, saves, resumes to the same bits, and NumPy agrees."""

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
from charrnn.training.checkpoint.files import Checkpoint, RunFiles
from charrnn.training.checkpoint.resume import rebuild_plan
from charrnn.training.devices.workers import Workers
from charrnn.training.interruption import TrainingInterrupt
from charrnn.training.recipe.classifier import ClassifierPlan, make_classifier_plan
from charrnn.training.recipe.throughput import Throughput
from charrnn.training.reporting import Reporter
from charrnn.training.session import Session
from charrnn.training.settings import TrainSettings
from charrnn.training.tasks import classifier_validation
from charrnn.training.tasks.classifier import ClassifierTask, balance_classes, merge_equal_texts
from charrnn.training.tasks.classifier_validation import ClassifierValidation
from charrnn.training.tensorboard import TensorBoard
from tests.training.runs import RESOURCES


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


SIZES = {"hidden_size": 12, "embedding_size": 6, "dropout": 0.2, "batch_size": 32, "lr": 0.02}


def make_plan(corpus: LabelledCorpus, **options: Any) -> ClassifierPlan:
    return make_classifier_plan(
        TrainSettings.from_options({"task": "classify", **options}), corpus, throughput=Throughput(1e11)
    )


def make_session(
    plan: ClassifierPlan,
    corpus: LabelledCorpus,
    output: Path,
    reporter: Reporter | None = None,
    resumed: Checkpoint | None = None,
) -> Session:
    task = ClassifierTask(plan, corpus, RESOURCES)
    return Session(task, RESOURCES, output, reporter or Reporter(), resumed=resumed)


def session(corpus: LabelledCorpus, output: Path, reporter: Reporter | None = None, **options: Any) -> Session:
    return make_session(make_plan(corpus, **SIZES, **options), corpus, output, reporter)


def test_it_learns_and_the_file_scores_what_validation_found(corpus: LabelledCorpus, tmp_path: Path) -> None:
    summary = session(corpus, tmp_path / "m.safetensors", epochs=12.0).run()
    assert summary.accuracy is not None
    assert summary.accuracy > 0.95
    assert summary.to_json()["valid_accuracy"] == summary.accuracy
    assert 1 < summary.epochs < 12.2
    model = load_classifier(tmp_path / "m.safetensors")
    assert model.labels == corpus.labels
    assert model.header.label_counts == corpus.counts
    texts = [corpus.vocabulary.decode(ids[:-1]).decode() for ids in corpus.valid]
    log_probabilities = model.log_probabilities(texts)
    loss = -log_probabilities[np.arange(len(texts)), corpus.valid.labels].mean()
    assert loss == pytest.approx(summary.valid_loss, abs=1e-5)
    again = model.log_probabilities(texts[::-1])[::-1]
    np.testing.assert_allclose(again, log_probabilities, atol=1e-5)


def test_a_stopped_run_resumes_to_the_same_bits(corpus: LabelledCorpus, tmp_path: Path) -> None:
    whole = session(corpus, tmp_path / "whole.safetensors", steps=60, seed=2)
    whole.run()
    output = tmp_path / "broken.safetensors"
    first = session(corpus, output, steps=60, seed=2)
    make_step = first.trainer.step

    def step(rate: float, progress: float) -> None:
        if first.trainer.steps == 24:
            first.stop.signal = 2
        make_step(rate, progress)

    first.trainer.step = step  # type: ignore[method-assign]
    assert first.run().steps == 25
    assert output.exists()
    saved, complaints = RunFiles(output).read_newest()
    assert saved is not None
    assert complaints == []
    plan = rebuild_plan(ClassifierPlan, saved.state["plan"])
    assert plan == first.plan
    torch.manual_seed(99)
    make_session(plan, corpus, output, resumed=saved).run()
    one, two = load_model(tmp_path / "whole.safetensors")[1], load_model(output)[1]
    for name, weight in one.items():
        np.testing.assert_array_equal(weight, two[name])


def test_it_stops_when_validation_no_longer_improves(corpus: LabelledCorpus, tmp_path: Path) -> None:
    run = session(corpus, tmp_path / "m.safetensors", epochs=40.0, patience=1)
    summary = run.run()
    assert summary.epochs < 40
    assert summary.valid_loss == min(each.valid_loss for each in run.state.history)


def test_weights_that_are_not_finite_end_a_run(corpus: LabelledCorpus, tmp_path: Path) -> None:
    run = session(corpus, tmp_path / "m.safetensors", steps=200)
    with torch.no_grad():
        run.task.network.decoder.weight[0, 0] = float("inf")
    with pytest.raises(Exception, match="training diverged"):
        run.run()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_log_loss_accuracy_and_histograms(corpus: LabelledCorpus, tmp_path: Path) -> None:
    board = TensorBoard(tmp_path / "logs")
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
    plan = make_plan(corpus, cell="rnn", hidden_size=4, embedding_size=6, optimizer="sgd", epochs=150.0)
    summary = make_session(plan, corpus, tmp_path / "m.safetensors").run()
    assert summary.accuracy == 1.0


def test_the_plan_follows_the_texts_and_the_time(corpus: LabelledCorpus) -> None:
    assert make_plan(corpus, time="1s").config.hidden_size <= make_plan(corpus, time="5m").config.hidden_size
    assert make_plan(corpus).budget.seconds == 180.0
    assert make_plan(corpus, epochs=2.0).budget.seconds is None
    assert make_plan(corpus, seq_len=4).seq_len == 4
    assert make_plan(corpus, batch_size=7).batch_size == 7


def test_a_size_that_makes_few_steps_in_its_time_is_warned_of(corpus: LabelledCorpus) -> None:
    (warning,) = make_plan(corpus, hidden_size=2000, time="1s").warnings
    assert "fit in 1s, too few to learn from; give more --time, or a smaller --hidden-size" in warning
    assert not make_plan(corpus, hidden_size=32, time="1m").warnings


def test_a_validation_reads_what_the_time_affords_and_can_be_interrupted(
    corpus: LabelledCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier_validation, "BATCH_DOCUMENTS", 4)
    task = ClassifierTask(make_plan(corpus, **SIZES, steps=9), corpus, RESOURCES)
    few = ClassifierValidation(corpus.valid, RESOURCES.device, int(corpus.valid.lengths.sum()) // 3)
    assert 0 < len(few) <= len(corpus.valid) / 3 + 1
    shares: list[float] = []

    def watch(share: float) -> None:
        shares.append(share)
        if len(shares) == 3:
            raise TrainingInterrupt

    with pytest.raises(TrainingInterrupt):
        task.validate(Workers(1, None), watch)
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[2] < 1
    assert task.network.training


def test_balanced_weights_make_classes_equal() -> None:
    counts = np.array([90, 10])
    weights = balance_classes(counts)
    assert weights.tolist() == pytest.approx([0.5556, 5.0], abs=1e-3)
    assert (weights * counts).tolist() == pytest.approx([50.0, 50.0])


def test_equal_texts_are_learned_once_and_their_class_is_as_frequent_as_before(tmp_path: Path) -> None:
    path = tmp_path / "repeated.tsv"
    rows = [f"rare\tname {i % 10}" for i in range(600)] + [f"common\tword {i}" for i in range(400)]
    path.write_text("\n".join(rows))
    corpus = read_labelled([str(path)])
    merged, shift = merge_equal_texts(corpus)
    assert merged.valid is corpus.valid
    assert len(merged.spell(merged.train)) == len(set(corpus.spell(corpus.train))) == len(merged.train)
    assert corpus.labels == ("common", "rare")
    before, after = (np.bincount(part.labels) for part in (corpus.train, merged.train))
    restored = after / after.sum() * np.exp(shift)
    np.testing.assert_allclose(restored, before / before.sum())


def test_few_texts_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "few.tsv"
    path.write_text("a\tx\nb\ty\n" * 10)
    corpus = read_labelled([str(path)])
    merged, shift = merge_equal_texts(corpus)
    assert merged is corpus
    assert not shift.any()


def test_the_file_scores_held_out_texts_as_validation_said(corpus: LabelledCorpus, tmp_path: Path) -> None:
    run = session(corpus, tmp_path / "m.safetensors", epochs=4)
    summary = run.run()
    assert run.task.make_header({}).config.ngram_features  # type: ignore[attr-defined]
    model = load_classifier(tmp_path / "m.safetensors")
    assert model.header.format == 4
    valid = corpus.valid
    network, ngrams = model.score_parts(corpus.spell(valid))
    right = np.argmax(network + ngrams, axis=1) == valid.labels
    # The n-grams in the file have learned from the held-out texts, too; those of validation have not.
    assert right.mean() >= summary.details["valid_accuracy"] - 0.05
    assert len(summary.details["part_accuracies"]) == 2
