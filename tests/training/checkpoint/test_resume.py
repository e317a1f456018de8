import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from charrnn.errors import TrainingError, UsageError
from charrnn.model.file import load_model
from charrnn.text.corpus import Corpus
from charrnn.training.checkpoint.files import EVALUATED, LATEST, Checkpoint, RunFiles
from charrnn.training.checkpoint.resume import (
    check_corpus,
    describe_corpus,
    describe_finished,
    describe_position,
    merge_settings,
    rebuild_plan,
    restore_plan,
)
from charrnn.training.devices.world import World
from charrnn.training.interruption import StopRequest
from charrnn.training.network.base import RecurrentNetwork
from charrnn.training.recipe.language import LanguagePlan, make_language_plan
from charrnn.training.recipe.plan import Budget
from charrnn.training.recipe.throughput import Throughput
from charrnn.training.reporting import Evaluation, Reporter, Summary
from charrnn.training.session import Session
from charrnn.training.settings import LearningSettings, TrainSettings
from charrnn.training.tasks.task import Resources, Task
from tests.devices import CPU, on_devices
from tests.training.runs import make_session


class StopAt(StopRequest):
    """Asks for a stop when the run has made so many steps."""

    def __init__(self, step: int) -> None:
        self._step = step
        self.session: Session | None = None

    @property
    def signal(self) -> int | None:  # type: ignore[override]
        return 2 if self.session is not None and self.session.trainer.steps >= self._step else None


class Listener(Reporter):
    def __init__(self) -> None:
        self.evaluations: list[Evaluation] = []
        self.histories: list[list[Evaluation]] = []

    def on_start(self, task: Task, device: str, history: Sequence[Evaluation] = ()) -> None:
        torch.rand(7)  # tracing a network with dropout draws random numbers too
        self.histories.append(list(history))

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self.evaluations.append(evaluation)


SIZES = {"hidden_size": 20, "layers": 2, "embedding_size": 8, "dropout": 0.3}


def settings(cell: str = "lstm", **learning: Any) -> TrainSettings:
    options = {"batch_size": 8, "seq_len": 16, "lr": 0.02, "steps": 130, **learning}
    return TrainSettings.from_options({"cell": cell, **SIZES, **options})


def run(
    corpus: Corpus,
    output: Path,
    chosen: TrainSettings,
    stop: int = 10**9,
    listener: Reporter | None = None,
    device: torch.device = CPU,
) -> tuple[Session, Summary]:
    """Begin, or go on with what is saved; stop before `stop` steps."""
    saved, _ = RunFiles(output).read_newest()
    if saved is None:
        plan = make_language_plan(chosen, corpus, throughput=Throughput(1e11))
    else:
        plan = restore_plan(LanguagePlan, chosen.learning, ("steps",), saved)
    description = {
        "settings": dataclasses.asdict(chosen),
        "corpus": describe_corpus(corpus),
        "vocabulary": corpus.vocabulary.to_json(),
    }
    session = make_session(plan, corpus, output, listener, saved, description, Resources(device, World()))
    session.stop = StopAt(stop)
    session.stop.session = session
    return session, session.run()


def assert_same_run(a: Session, b: Session) -> None:
    """Weights, optimizer, carried state, counters and figures are equal to the bit."""
    for name, tensor in a.trainer.state_tensors().items():
        assert torch.equal(tensor, b.trainer.state_tensors()[name]), name
    assert a.trainer.get_state() == b.trainer.get_state()
    mine, other = (dataclasses.asdict(s.state) for s in (a, b))
    for name in (
        "seconds",
        "step_seconds",
        "evaluation_cost",
        "last_evaluation",
        "rollback_generation",
        "best_training",
    ):
        del mine[name], other[name]
    assert mine == other
    assert_same_model(a.output, b.output)


def assert_same_model(a: Path, b: Path) -> None:
    (first, weights), (second, others) = load_model(a), load_model(b)
    assert first.training["best_step"] == second.training["best_step"]
    for name, weight in weights.items():
        np.testing.assert_array_equal(weight, others[name])


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_run_that_is_stopped_again_and_again_ends_as_if_it_had_not_been(
    corpus: Corpus, tmp_path: Path, cell: str
) -> None:
    whole, _ = run(corpus, tmp_path / "whole.safetensors", settings(cell))
    broken = tmp_path / "broken.safetensors"
    for stop in (1, 49, 50, 77, 129):
        session, _ = run(corpus, broken, settings(cell), stop)
        assert session.trainer.steps == stop
    resumed, _ = run(corpus, broken, settings(cell))
    assert_same_run(whole, resumed)


@on_devices
@pytest.mark.parametrize("weight_dropout", [0.0, 0.2])
def test_a_resumed_run_learns_what_one_without_a_stop_does(
    corpus: Corpus, tmp_path: Path, weight_dropout: float, device: torch.device
) -> None:
    """To a tolerance, because a GPU does not always add in the same order; a CPU does, and above all bits are equal."""
    chosen = settings(steps=90, weight_dropout=weight_dropout)
    whole, _ = run(corpus, tmp_path / "whole.safetensors", chosen, device=device)
    broken = tmp_path / "broken.safetensors"
    run(corpus, broken, chosen, 70, device=device)
    resumed, _ = run(corpus, broken, chosen, device=device)
    for name, tensor in whole.trainer.state_tensors().items():
        torch.testing.assert_close(resumed.trainer.state_tensors()[name], tensor, rtol=1e-3, atol=1e-3)
    assert whole.trainer.get_state() == resumed.trainer.get_state()


def test_a_killed_run_goes_on_from_its_last_save(corpus: Corpus, tmp_path: Path) -> None:
    """A kill loses what came after the last save, the model file's newer weights included."""
    whole, _ = run(corpus, tmp_path / "whole.safetensors", settings())
    broken = tmp_path / "broken.safetensors"
    run(corpus, broken, settings(), 60)
    folder = RunFiles(broken)
    kept = {slot: folder.read(slot) for slot in (EVALUATED, LATEST)}
    run(corpus, broken, settings(), 110)
    for slot, checkpoint in kept.items():
        assert checkpoint is not None
        folder.write(slot, checkpoint)
    resumed, _ = run(corpus, broken, settings())
    assert_same_run(whole, resumed)


def test_the_evaluation_of_an_interrupted_run_is_for_the_model_file_only(corpus: Corpus, tmp_path: Path) -> None:
    output, listener = tmp_path / "m.safetensors", Listener()
    session, summary = run(corpus, output, settings(), 70, listener)
    assert [evaluation.step for evaluation in listener.evaluations] == [50]
    assert session.state.best_step == 50
    header, _ = load_model(output)
    assert header.training["best_step"] == summary.best_step == 70
    assert header.training["valid_loss"] == summary.valid_loss < session.state.best


def test_a_finished_run_has_nothing_left_to_do(corpus: Corpus, tmp_path: Path) -> None:
    output = tmp_path / "m.safetensors"
    first, figures = run(corpus, output, settings())
    before = output.read_bytes()
    again, repeated = run(corpus, output, settings())
    assert again.state.finished
    assert_same_run(first, again)
    assert output.read_bytes() == before
    assert repeated.valid_loss == figures.valid_loss


def test_a_finished_run_is_trained_further(corpus: Corpus, tmp_path: Path) -> None:
    output, listener = tmp_path / "m.safetensors", Listener()
    _, first = run(corpus, output, settings())
    further, second = run(corpus, output, settings(steps=260), listener=listener)
    assert further.trainer.steps == second.steps == 260
    assert second.valid_loss < first.valid_loss
    assert [evaluation.step for evaluation in listener.evaluations] == [150, 200, 250, 260]
    assert [evaluation.step for evaluation in further.state.history][:3] == [50, 100, 130]
    assert listener.histories[0][-1].step == 130


def test_a_run_that_lost_patience_gets_a_new_one_when_it_is_trained_further(corpus: Corpus, tmp_path: Path) -> None:
    output = tmp_path / "m.safetensors"
    run(corpus, output, settings(steps=60, patience=1))
    folder = RunFiles(output)
    saved, _ = folder.read_newest()
    assert saved is not None
    saved.state["record"]["stale"] = 1
    folder.write(LATEST, saved)
    same, _ = run(corpus, output, settings(steps=60, patience=1))
    assert same.trainer.steps == 60
    further, _ = run(corpus, output, settings(steps=62, patience=1))
    assert further.trainer.steps == 62


def test_a_damaged_newest_state_gives_way_to_the_one_before(corpus: Corpus, tmp_path: Path) -> None:
    output = tmp_path / "m.safetensors"
    run(corpus, output, settings(), 60)
    latest = output.with_suffix(".resume") / "latest.safetensors"
    data = bytearray(latest.read_bytes())
    data[-5] ^= 1
    latest.write_bytes(data)
    saved, complaints = RunFiles(output).read_newest()
    assert saved is not None
    assert saved.state["trainer"]["steps"] == 50
    assert complaints == [f"{latest} is damaged (its digest does not match its content)"]
    whole, _ = run(corpus, tmp_path / "whole.safetensors", settings())
    resumed, _ = run(corpus, output, settings())
    assert_same_run(whole, resumed)


@pytest.fixture
def saved(corpus: Corpus, tmp_path: Path) -> Checkpoint:
    output = tmp_path / "saved.safetensors"
    run(corpus, output, settings(), 20)
    found, _ = RunFiles(output).read_newest()
    assert found is not None
    return found


def test_the_saved_settings_win_over_defaults(saved: Checkpoint) -> None:
    bare = TrainSettings.from_options({"resume": True, "json": True})
    found = merge_settings(bare, (), saved)
    assert found.model.hidden_size == 20
    assert found.learning.steps == 130
    assert found.run.resume
    assert found.run.json


def test_all_contradictions_are_told_at_once_with_both_values(saved: Checkpoint) -> None:
    given = {"tokens": "byte", "cell": "gru", "hidden_size": 64, "seq_len": 16, "weight_decay": 0.5, "time": "1m"}
    given["device"] = "cpu"
    other = TrainSettings.from_options(given)
    with pytest.raises(UsageError) as caught:
        merge_settings(other, given, saved)
    assert str(caught.value).splitlines() == [
        "--tokens byte differs from the saved run, which has --tokens char; leave it out",
        "--cell gru differs from the saved run, which has --cell lstm; leave it out",
        "--hidden-size 64 differs from the saved run, which has --hidden-size 20; leave it out",
        "--weight-decay 0.5 differs from the saved run, which has --weight-decay 0.1; leave it out",
        "To train from the start instead, replace --resume with --overwrite",
    ]


def test_a_value_that_was_chosen_automatically_may_be_given(saved: Checkpoint) -> None:
    decay = saved.state["plan"]["weight_decay"]
    same = TrainSettings.from_options({"weight_decay": decay})
    assert merge_settings(same, ("weight_decay",), saved).learning.batch_size == 8


@pytest.mark.parametrize(
    ("learning", "expected"),
    [
        (LearningSettings(), None),
        (LearningSettings(steps=130), None),
        (LearningSettings(steps=400), Budget(None, None, 400)),
        (LearningSettings(epochs=3.0), Budget(None, 3.0, None)),
        (LearningSettings(time="10m"), Budget(600.0, None, None)),
        (LearningSettings(time="1m", steps=500), Budget(60.0, None, 500)),
    ],
)
def test_given_limits_replace_the_saved_ones_and_are_totals_of_the_whole_run(
    saved: Checkpoint, learning: LearningSettings, expected: Budget | None
) -> None:
    saved.state["record"]["seconds"] = 7.5
    given = [name for name in ("time", "epochs", "steps") if getattr(learning, name) is not None]
    budget = restore_plan(LanguagePlan, learning, given, saved).budget
    assert budget == (expected or Budget(None, None, 130))


def test_a_changed_text_is_refused_whatever_it_is_called(corpus: Corpus, saved: Checkpoint) -> None:
    check_corpus(dataclasses.replace(corpus, name="other"), saved)
    changed = dataclasses.replace(corpus, fingerprint="of another text")
    with pytest.raises(TrainingError, match="its content has changed"):
        check_corpus(changed, saved)


def test_a_plan_survives_json(corpus: Corpus) -> None:
    chosen = dataclasses.replace(
        make_language_plan(settings(), corpus, throughput=Throughput(1e11)), reasons=("one", "two")
    )
    assert rebuild_plan(LanguagePlan, json.loads(json.dumps(dataclasses.asdict(chosen)))) == chosen


def test_a_plan_of_another_version_is_refused(corpus: Corpus) -> None:
    found = dataclasses.asdict(make_language_plan(settings(), corpus, throughput=Throughput(1e11)))
    with pytest.raises(TrainingError, match=r"another version of charrnn \(momentum\)"):
        rebuild_plan(LanguagePlan, {**found, "momentum": 0.9})
    del found["lr"]
    with pytest.raises(TrainingError, match=r"another version of charrnn \(lr\)"):
        rebuild_plan(LanguagePlan, found)


@pytest.mark.parametrize(
    ("budget", "more"),
    [
        (Budget(steps=20), "--steps 40"),
        (Budget(seconds=300.0), "--time 10m"),
        (Budget(seconds=30.0), "--time 3m10s"),
        (Budget(epochs=2.0), "--epochs 4"),
    ],
)
def test_a_finished_run_names_the_total_that_trains_it_further(saved: Checkpoint, budget: Budget, more: str) -> None:
    saved.state["record"]["seconds"] = 95.0
    assert describe_finished(budget, saved) == (
        f"already finished at step 20, 1m35s into the run; to train further, use --resume {more} "
        "(the total of the whole run)"
    )


class StopInEvaluation(Listener):
    """Asks for a stop when the evaluation of a step has begun."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step
        self.stop = StopRequest()

    def on_weights(self, step: int, network: RecurrentNetwork) -> None:
        if step == self._step:
            self.stop.signal = 2


@pytest.mark.parametrize("step", [50, 130])
def test_an_evaluation_is_interrupted_at_once_and_made_up_for(corpus: Corpus, tmp_path: Path, step: int) -> None:
    whole, _ = run(corpus, tmp_path / "whole.safetensors", settings())
    broken, listener = tmp_path / "broken.safetensors", StopInEvaluation(step)
    plan = make_language_plan(settings(), corpus, throughput=Throughput(1e11))
    description = {"settings": dataclasses.asdict(settings()), "corpus": describe_corpus(corpus)}
    stopped = make_session(plan, corpus, broken, listener, description=description)
    stopped.stop = listener.stop
    stopped.run()
    assert stopped.trainer.steps == step
    assert step not in [evaluation.step for evaluation in listener.evaluations]
    assert listener.stop.accepted
    resumed, _ = run(corpus, broken, settings())
    assert_same_run(whole, resumed)


def test_where_it_goes_on_is_told(saved: Checkpoint) -> None:
    saved.state["record"]["seconds"] = 95.0
    assert describe_position(saved) == "continuing at step 20, 1m35s into the run"
