from pathlib import Path

import numpy as np
import pytest
import torch

from charrnn.errors import TrainingError, is_out_of_memory
from charrnn.model.file import load_model
from charrnn.text.corpus import Corpus
from charrnn.training.devices.workers import Workers
from charrnn.training.metrics import StepMetrics
from charrnn.training.network.base import Batch, State
from charrnn.training.recipe.schedule import Schedule
from charrnn.training.reporting import Evaluation, Progress, Reporter
from charrnn.training.session import MAX_RETRIES, Session
from charrnn.training.trainer import MAX_BAD_STEPS
from tests.training.runs import make_plan, make_session


class Listener(Reporter):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.progress: list[Progress] = []
        self.evaluations: list[Evaluation] = []

    def on_note(self, message: str) -> None:
        self.notes.append(message)

    def on_progress(self, progress: Progress) -> None:
        self.progress.append(progress)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self.evaluations.append(evaluation)


def session(corpus: Corpus, output: Path, listener: Reporter, steps: int = 120) -> Session:
    sizes = {"hidden_size": 16, "layers": 1, "embedding_size": 8, "dropout": 0.0}
    plan = make_plan(corpus, batch_size=8, seq_len=16, lr=0.02, steps=steps, **sizes)
    return make_session(plan, corpus, output, listener)


def poison(run: Session, first: int, last: int) -> None:
    """Let steps `first` to `last` have a loss that is not a number."""
    compute = run.task.objective.compute_gradients

    def compute_nan(batch: Batch, workers: Workers) -> tuple[torch.Tensor, State]:
        nats, after = compute(batch, workers)
        if first <= run.trainer.steps + 1 <= last:
            for parameter in run.task.network.parameters():
                assert parameter.grad is not None
                parameter.grad.fill_(np.nan)
            return nats * np.nan, after
        return nats, after

    run.task.objective.compute_gradients = compute_nan  # type: ignore[method-assign]


def test_a_bad_step_changes_no_weight(corpus: Corpus, tmp_path: Path) -> None:
    run = session(corpus, tmp_path / "m.safetensors", Reporter())
    run.trainer.step(0.01, 0.1)
    before = {name: tensor.clone() for name, tensor in run.task.network.state_dict().items()}
    poison(run, 2, 2)
    run.trainer.take_metrics()
    run.trainer.step(0.01, 0.1)
    assert run.trainer.take_metrics() == StepMetrics()
    for name, tensor in run.task.network.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert run.trainer.bad_steps == 1
    run.trainer.step(0.01, 0.1)
    learned = run.trainer.take_metrics()
    assert learned.steps == 1
    assert np.isfinite([learned.loss, learned.grad_norm]).all()
    assert run.trainer.bad_steps == 0


def test_persistent_divergence_goes_back_and_halves_the_rate(corpus: Corpus, tmp_path: Path) -> None:
    listener = Listener()
    run = session(corpus, tmp_path / "m.safetensors", listener)
    poison(run, 60, 60 + MAX_BAD_STEPS - 1)
    went_back: list[int] = []
    go_back = run.trainer.go_back

    def go_back_and_record(tensors: dict[str, torch.Tensor]) -> None:
        go_back(tensors)
        went_back.append(run.trainer.steps)
        assert all(torch.equal(tensors[f"network.{n}"], t) for n, t in run.task.network.state_dict().items())
        assert all((tensors[f"network.{n}"] == good[n]).all() for n in good)

    run.trainer.go_back = go_back_and_record  # type: ignore[assignment, method-assign]
    good: dict[str, torch.Tensor] = {}

    class Keeper(Listener):
        def on_evaluation(self, evaluation: Evaluation) -> None:
            if evaluation.step == 50:
                good.update({n: t.clone() for n, t in run.task.network.state_dict().items()})

    run.reporter = keeper = Keeper()
    summary = run.run()
    assert went_back == [60 + MAX_BAD_STEPS - 1]
    expected = "the loss was not finite from step 60 on: training continues from the last good weights"
    assert keeper.notes == [f"{expected} with half the learning rate (retry 1 of {MAX_RETRIES})"]
    assert run.state.retries == 1
    assert run._rate == pytest.approx(run.schedule.rate(run.progress) / 2)
    assert summary.steps == 120
    assert np.isfinite(summary.valid_loss)


def test_it_gives_up_after_a_few_tries_and_keeps_the_best_model(corpus: Corpus, tmp_path: Path) -> None:
    output, listener = tmp_path / "m.safetensors", Listener()
    run = session(corpus, output, listener, steps=500)
    poison(run, 55, 10**9)
    with pytest.raises(TrainingError, match=r"halved 3 times; the best model, of step 50, is in .*m.safetensors"):
        run.run()
    assert len(listener.notes) == MAX_RETRIES
    assert run.trainer.steps == 54 + (MAX_RETRIES + 1) * MAX_BAD_STEPS
    header, _ = load_model(output)
    assert header.training["best_step"] == 50
    saved, _ = run.checkpointer.files.read_newest()
    assert saved is not None


def test_a_run_that_never_had_a_finite_loss_says_so(corpus: Corpus, tmp_path: Path) -> None:
    output = tmp_path / "m.safetensors"
    run = session(corpus, output, Reporter(), steps=5000)
    poison(run, 1, 10**9)
    with pytest.raises(TrainingError, match=r"training diverged.*smaller --lr \(it was 0.02\)"):
        run.run()
    assert not output.exists()


def test_an_absurd_learning_rate_ends_in_a_clear_line(corpus: Corpus, tmp_path: Path) -> None:
    run = session(corpus, tmp_path / "m.safetensors", Reporter(), steps=400)
    run.schedule = Schedule(1e30)
    with pytest.raises(TrainingError, match="training diverged"):
        run.run()


def test_memory_that_runs_out_is_told_in_one_line(corpus: Corpus, tmp_path: Path) -> None:
    run = session(corpus, tmp_path / "m.safetensors", Reporter())

    def huge(batch: Batch, workers: Workers) -> tuple[torch.Tensor, State]:
        torch.empty(2**60, dtype=torch.uint8)
        raise AssertionError

    run.task.objective.compute_gradients = huge  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"out of memory at step 0; try a smaller --batch-size, --seq-len or"):
        run.run()


def test_other_runtime_errors_stay_what_they_are() -> None:
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(ValueError("out of memory"))
