"""A run that stalls returns to its best weights, and brings the learning rate down to zero before it ends."""

from pathlib import Path

import numpy as np
import pytest

from charrnn.model.file import load_model
from charrnn.text.corpus import Corpus
from charrnn.training.checkpoint.files import RunFiles
from charrnn.training.devices.workers import Workers
from charrnn.training.recipe.schedule import Cooldown
from charrnn.training.reporting import Evaluation, Reporter
from charrnn.training.session import Session
from charrnn.training.tasks.language import LanguageTask
from charrnn.training.tasks.task import Measurement, OnShare, ignore_share
from charrnn.training.trainer import Trainer
from tests.training.checkpoint.test_resume import assert_same_run, run, settings

LOSSES = {63: 3.0, 126: 2.0, 189: 2.1, 252: 2.2}  # every two epochs; then it stalls, with a patience of 2
STALLED, END = 252, 303


class Listener(Reporter):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.evaluations: list[Evaluation] = []

    def on_note(self, message: str) -> None:
        self.notes.append(message)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self.evaluations.append(evaluation)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """Makes validation find `LOSSES`, and then 1.9; the learning rate of each step."""
    rates: dict[int, float] = {}
    counts = {"steps": 0}
    step = Trainer.step

    def step_and_record(self: Trainer, rate: float, progress: float) -> None:
        step(self, rate, progress)
        rates[self.steps] = rate
        counts["steps"] = self.steps

    def validate(self: LanguageTask, workers: Workers, on_share: OnShare = ignore_share) -> Measurement:
        return Measurement(LOSSES.get(counts["steps"], 1.9))

    monkeypatch.setattr(Trainer, "step", step_and_record)
    monkeypatch.setattr(LanguageTask, "validate", validate)
    return rates


def test_it_goes_back_and_brings_the_rate_to_zero(corpus: Corpus, tmp_path: Path, steps: dict[int, float]) -> None:
    listener, output = Listener(), tmp_path / "m.safetensors"
    session, summary = run(corpus, output, settings(steps=2500, patience=2), listener=listener)
    assert summary.steps == END
    assert session.state.cooldown is not None
    assert session.state.cooldown.end == END
    (note,) = listener.notes
    back = "validation has not improved since step 126: training continues from that step's weights"
    assert note == f"{back}, and the learning rate falls to zero until step {END}"
    rates = [steps[step] for step in range(STALLED + 1, END + 1)]
    assert rates == sorted(rates, reverse=True)
    assert steps[STALLED] > rates[0] > 0.4 * steps[STALLED]
    assert rates[-1] < 0.05 * rates[0]
    assert [(each.step, each.best) for each in listener.evaluations][-2:] == [(STALLED, False), (END, True)]


def test_it_learns_on_from_the_best_weights(corpus: Corpus, tmp_path: Path, steps: dict[int, float]) -> None:
    output = tmp_path / "m.safetensors"
    stopped, _ = run(corpus, output, settings(steps=2500, patience=2), STALLED)
    _, best = load_model(output)
    resumed, _ = run(corpus, output, settings(steps=2500, patience=2), STALLED)
    for session in (stopped, resumed):
        assert session.trainer.steps == STALLED
        for weights in (session.task.network.export(), session.trainer.average.export()):
            for name, weight in weights.items():
                np.testing.assert_array_equal(weight, best[name])


@pytest.mark.parametrize("stop", [STALLED - 1, STALLED, STALLED + 20])
def test_it_is_resumed_to_the_same_bits(corpus: Corpus, tmp_path: Path, steps: dict[int, float], stop: int) -> None:
    chosen = settings(steps=2500, patience=2)
    whole, _ = run(corpus, tmp_path / "whole.safetensors", chosen)
    broken = tmp_path / "broken.safetensors"
    run(corpus, broken, chosen, stop)
    resumed, _ = run(corpus, broken, chosen)
    assert resumed.trainer.steps == END
    assert_same_run(whole, resumed)


def test_more_steps_train_it_further_at_the_usual_rate(corpus: Corpus, tmp_path: Path, steps: dict[int, float]) -> None:
    output = tmp_path / "m.safetensors"
    run(corpus, output, settings(steps=2500, patience=2))
    saved, _ = RunFiles(output).read_newest()
    assert saved is not None
    assert Cooldown(**saved.state["record"]["annealing"]).end == END
    further, _ = run(corpus, output, settings(steps=5000, patience=2), END + 20)
    assert isinstance(further, Session)
    assert further.state.cooldown is None
    assert steps[END + 20] > steps[END - 1]
