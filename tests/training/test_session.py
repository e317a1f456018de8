import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from charrnn.cli.display.training.plain import PlainReporter
from charrnn.inference.loading import load_language_model
from charrnn.model.config import Tensors
from charrnn.model.file import load_model
from charrnn.model.header import ModelHeader
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.settings import TextSettings
from charrnn.text.vocabulary.words import split_words
from charrnn.training import session as module
from charrnn.training.checkpoint.checkpointer import RunState
from charrnn.training.devices import clock
from charrnn.training.interruption import StopRequest
from charrnn.training.network.base import RecurrentNetwork
from charrnn.training.reporting import Command, Evaluation, Reporter, Summary
from charrnn.training.session import Session
from charrnn.training.tasks import language_validation
from charrnn.training.tasks.task import Task
from tests.training.runs import make_plan, make_session


class Listener(Reporter):
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.evaluations: list[Evaluation] = []
        self.histograms = 0
        self.samples: list[str] = []
        self.shares: list[float] = []

    def on_start(self, task: Task, device: str, history: Sequence[Evaluation] = ()) -> None:
        self.heard.append("started")

    def on_validation(self, share: float) -> None:
        self.shares.append(share)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self.evaluations.append(evaluation)

    def on_weights(self, step: int, network: RecurrentNetwork) -> None:
        assert all(p.grad is not None for p in network.parameters())
        self.histograms += 1

    def on_sample(self, step: int, text: str) -> None:
        self.samples.append(text)

    def on_finish(self, summary: Summary, next_commands: Sequence[Command] = ()) -> None:
        self.heard.append("finished")


def session(corpus: Corpus, output: Path, listener: Reporter, **options: Any) -> Session:
    sizes = {"hidden_size": 24, "layers": 1, "embedding_size": 8, "dropout": 0.0}
    return make_session(
        make_plan(corpus, batch_size=8, seq_len=16, lr=0.02, **sizes, **options), corpus, output, listener
    )


def test_a_run_of_steps_evaluates_saves_the_best_and_sums_up(corpus: Corpus, tmp_path: Path) -> None:
    listener, output = Listener(), tmp_path / "models" / "rhyme.safetensors"
    summary = session(corpus, output, listener, steps=120).run()
    assert [e.step for e in listener.evaluations] == [50, 100, 120]
    assert listener.heard == ["started", "finished"]
    assert listener.histograms == 3
    assert summary.steps == 120
    best = min(listener.evaluations, key=lambda e: e.valid_loss)
    assert (summary.valid_loss, summary.best_step) == (best.valid_loss, best.step)
    assert summary.valid_loss < 1.5 < math.log(len(corpus.vocabulary))
    assert summary.to_json()["valid_bpc"] == pytest.approx(summary.valid_loss / math.log(2))
    assert summary.to_json()["valid_perplexity"] == pytest.approx(math.exp(summary.valid_loss))
    header, _ = load_model(output)
    assert header.training["valid_loss"] == summary.valid_loss
    assert header.training["corpus"] == "rhyme"
    json.dumps(header.training)


def test_the_model_file_scores_what_validation_found(corpus: Corpus, tmp_path: Path) -> None:
    output = tmp_path / "rhyme.safetensors"
    summary = session(corpus, output, Listener(), steps=80).run()
    text = corpus.vocabulary.decode(corpus.valid)
    assert load_language_model(output).score(text).loss == pytest.approx(summary.valid_loss, rel=1e-5)


def test_epochs_end_a_run(corpus: Corpus, tmp_path: Path) -> None:
    summary = session(corpus, tmp_path / "m.safetensors", Listener(), epochs=2.0).run()
    assert summary.epochs == pytest.approx(2.0, abs=0.05)
    assert summary.chars == pytest.approx(2 * len(corpus.train), rel=0.05)


def test_time_ends_a_run(corpus: Corpus, tmp_path: Path) -> None:
    listener = Listener()
    summary = session(corpus, tmp_path / "m.safetensors", listener, time="1s").run()
    assert summary.seconds >= 1.0
    assert listener.evaluations


class SlowStart(Listener):
    """Takes its time before the first step, as tracing a graph does."""

    def __init__(self, now: "Now") -> None:
        super().__init__()
        self._now = now

    def on_start(self, task: Task, device: str, history: Sequence[Evaluation] = ()) -> None:
        self._now.seconds += 1000.0


class Now:
    """What the module `time` tells the clock of a run."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 0.01
        return self.seconds

    perf_counter = monotonic


def test_what_comes_before_the_first_step_does_not_count_as_time(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Now()
    monkeypatch.setattr(clock, "time", now)
    run = session(corpus, tmp_path / "m.safetensors", SlowStart(now), time="2s")
    save = run.checkpointer.save_first

    def save_slowly(record: RunState, *, resumed: bool) -> None:
        save(record, resumed=resumed)
        now.seconds += 1000.0

    monkeypatch.setattr(run.checkpointer, "save_first", save_slowly)
    summary = run.run()
    assert summary.steps > 10
    assert 2.0 <= summary.seconds < 3.0


def test_what_a_task_prepares_is_no_part_of_the_progress(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Now()
    monkeypatch.setattr(clock, "time", now)
    run = session(corpus, tmp_path / "m.safetensors", Listener(), time="1002s")

    def prepare(on_note: Callable[[str], None], watch: Callable[[], None]) -> bool:
        now.seconds += 1000.0
        return True

    monkeypatch.setattr(run.task, "prepare", prepare)
    summary = run.run()
    assert summary.steps > 10
    assert run.state.setup_seconds == pytest.approx(1000.0, abs=1.0)
    assert 1002.0 <= summary.seconds < 1003.0


def test_a_validation_reports_how_far_it_is(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_validation, "CHUNK", 100)
    monkeypatch.setattr(module, "VALIDATION_INTERVAL", 0.0)
    listener = Listener()
    session(corpus, tmp_path / "m.safetensors", listener, steps=3).run()
    assert len(listener.shares) == math.ceil(len(corpus.valid) / 100)
    assert listener.shares == sorted(listener.shares)
    assert listener.shares[-1] == 1.0


def test_patience_ends_a_run_that_no_longer_improves(corpus: Corpus, tmp_path: Path) -> None:
    listener = Listener()
    run = session(corpus, tmp_path / "m.safetensors", listener, steps=100_000, patience=1)
    summary = run.run()
    assert run.state.cooldown is not None
    assert summary.steps == run.state.cooldown.end < 100_000
    stalled = next(evaluation for evaluation in listener.evaluations if not evaluation.best)
    assert stalled.step < summary.steps


def test_a_stop_saves_what_was_learned(corpus: Corpus, tmp_path: Path) -> None:
    output = tmp_path / "m.safetensors"
    run = session(corpus, output, Listener(), steps=100_000)
    run.stop = StopRequest(signal=2)
    run.trainer.step(0.01, 0.1)
    summary = run.run()
    assert summary.steps == 1
    assert output.exists()


def test_a_run_computes_without_tf32(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backends = (torch.backends.cudnn, torch.backends.cuda.matmul)
    run = session(corpus, tmp_path / "m.safetensors", Listener(), steps=1)
    step = run.trainer.step
    allowed: list[bool] = []

    def watched(rate: float, progress: float) -> None:
        allowed.extend(backend.allow_tf32 for backend in backends)
        step(rate, progress)

    monkeypatch.setattr(run.trainer, "step", watched)
    assert torch.backends.cudnn.allow_tf32
    run.run()
    assert allowed == [False, False]
    assert torch.backends.cudnn.allow_tf32


def test_samples_are_written_on_the_way(corpus: Corpus, tmp_path: Path) -> None:
    listener = Listener()
    run = session(corpus, tmp_path / "m.safetensors", listener, steps=3)
    run.sample_interval = 1e-9

    def write(header: ModelHeader, tensors: Tensors) -> str:
        assert {name: t.shape for name, t in tensors.items()} == header.config.shapes()
        return "a text"

    run.write_sample = write
    run.run()
    assert listener.samples == ["a text"] * 4  # after each step, and of the best weights at the end


def test_unknown_words_are_charged_as_the_model_file_charges_them(
    rhyme: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, output = tmp_path / "rhyme.txt", tmp_path / "rhyme.safetensors"
    text.write_text(rhyme)
    corpus = read_corpus([text], TextSettings(tokens="word", max_vocab=8))
    summary = session(corpus, output, PlainReporter(), steps=30).run().to_json()
    model = load_language_model(output)
    held_out = "".join(split_words(rhyme)[len(corpus.train) :])
    score = model.score(held_out)
    assert summary["valid_unknown_share"] == pytest.approx(score.unknown_share, rel=0.1)  # by the mean length
    assert summary["valid_unknown_share"] > 0.1
    share, rate = summary["valid_unknown_share"], math.log(len(set(rhyme)))
    assert summary["valid_charged_loss"] == pytest.approx((1 - share) * summary["valid_loss"] + share * rate)
    assert summary["valid_charged_loss"] == pytest.approx(score.charged_loss, rel=0.05)
    said = capsys.readouterr().err.splitlines()
    charged = f"charged loss {summary['valid_charged_loss']:.4f}"
    assert any(line.startswith("step 30 ") and charged in line for line in said)
    assert any(line.startswith("valid loss ") and charged in line for line in said)
    assert any(
        line.startswith(f"note: {share:.1%} of the held-out characters belong to unknown tokens") for line in said
    )
