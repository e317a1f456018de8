"""A training run from first step to last: when to evaluate, report, sample, save and stop."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from charrnn.errors import TrainingError
from charrnn.model import ModelHeader, Tensors, save_model
from charrnn.text.corpus import Corpus
from charrnn.training.evaluation import Validation
from charrnn.training.recipe import Plan
from charrnn.training.reporting import Evaluation, Progress, Reporter, Start, Summary
from charrnn.training.schedule import Schedule
from charrnn.training.trainer import Tally, Trainer

EVALUATIONS = 25  # in a run of given time
EVALUATION_SHARE = 0.05  # of the time, at most
REPORT_EVERY = 1.0  # seconds

SampleWriter = Callable[[ModelHeader, Tensors], str]


@dataclass
class StopRequest:
    """Set by a signal handler: the step in hand is finished, what was learned is saved, and the run ends."""

    signal: int | None = None


@dataclass
class Session:
    """One run: a trainer, driven to the end of its budget.

    Attributes:
        sample_every: seconds between samples; 0 is never.
        write_sample: makes a text from weights, for those who watch.
    """

    plan: Plan
    corpus: Corpus
    output: Path
    device: torch.device
    reporter: Reporter
    sample_every: float = 0.0
    write_sample: SampleWriter | None = None
    stop: StopRequest = field(default_factory=StopRequest)

    def __post_init__(self) -> None:
        self.trainer = Trainer(self.plan, self.corpus, self.device)
        self.validation = Validation(self.corpus.valid, self.device, self.corpus.vocabulary.unknown)
        self.schedule = Schedule(self.plan.lr)
        self._recent, self._since_evaluation = Tally(), Tally()
        self._step_seconds = 0.0
        self._best = math.inf
        self._best_step = 0
        self._stale = 0
        self._train_loss = math.nan
        self._evaluated_at = 0
        self._evaluation_cost = 0.0
        self._last_evaluation = self._last_report = self._last_sample = 0.0

    def run(self) -> Summary:
        """Train until the budget is used, validation stops improving, or a stop is asked for.

        Raises:
            TrainingError: if training diverges, or the model file cannot be written.
        """
        self._begin = time.monotonic()
        self.reporter.started(Start(self.corpus, self.plan, self.trainer.network, str(self.device), self.output))
        while self.progress < 1.0 and self.stop.signal is None and self._stale < self.plan.patience:
            self._step()
            self._after_step()
        if self._evaluated_at != self.trainer.steps:
            self._evaluate()
        if not math.isfinite(self._best):
            raise TrainingError(
                f"training diverged: no validation loss was finite; try a smaller --lr than {self.plan.lr:g}"
            )
        summary = self.summary()
        self.reporter.finished(summary)
        return summary

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return time.monotonic() - self._begin

    @property
    def epochs(self) -> float:
        """How many times as many characters as the text has were learned from."""
        return self.trainer.chars / len(self.corpus.train)

    @property
    def progress(self) -> float:
        """Share of the budget that is used."""
        return self.plan.budget.progress(self.seconds, self.epochs, self.trainer.steps)

    def _step(self) -> None:
        begin = time.perf_counter()
        step = self.trainer.step(self.schedule.rate(self.progress))
        self._step_seconds += time.perf_counter() - begin
        self._recent.add(*step)
        self._since_evaluation.add(*step)

    def _after_step(self) -> None:
        now = self.seconds
        if now - self._last_report >= REPORT_EVERY:
            self._report()
            self._last_report = now
        if self._evaluation_due(now):
            self._evaluate()
        if self.write_sample and self.sample_every and now - self._last_sample >= self.sample_every:
            self._last_sample = now
            self.reporter.sampled(self.trainer.steps, self.write_sample(self._header(), self.trainer.network.export()))

    def _evaluation_due(self, now: float) -> bool:
        """By time where time is the budget; else by steps, so that the same run evaluates at the same steps."""
        budget = self.plan.budget
        if budget.seconds is not None:
            pause = max(budget.seconds / EVALUATIONS, self._evaluation_cost / EVALUATION_SHARE)
            return now - self._last_evaluation >= pause and now + pause / 2 < budget.seconds
        steps = budget.steps or math.inf
        if budget.epochs is not None:
            per_step = self.plan.batch_size * self.plan.seq_len
            steps = min(steps, math.ceil(budget.epochs * len(self.corpus.train) / per_step))
        every = max(50, math.ceil(steps / EVALUATIONS))
        return self.trainer.steps % every == 0

    def _evaluate(self) -> None:
        begin = self.seconds
        trainer, since = self.trainer, self._since_evaluation
        self.reporter.weights(trainer.steps, trainer.network)
        loss = self.validation.loss(trainer.network, trainer.workers)
        if not math.isnan(since.loss):
            self._train_loss = since.loss
        best = loss < self._best
        self._stale = 0 if best else self._stale + 1
        if best:
            self._best, self._best_step = loss, trainer.steps
            self._save()
        self.reporter.evaluated(Evaluation(trainer.steps, self.epochs, self._train_loss, loss, best))
        self._since_evaluation = Tally()
        self._evaluated_at, self._last_evaluation = trainer.steps, self.seconds
        self._evaluation_cost = self.seconds - begin

    def _report(self) -> None:
        recent, self._recent = self._recent, Tally()
        self.reporter.progressed(
            Progress(
                step=self.trainer.steps,
                epochs=self.epochs,
                progress=self.progress,
                seconds=self.seconds,
                loss=recent.loss,
                lr=self.schedule.rate(self.progress),
                grad_norm=recent.grad_norm,
                chars_per_second=self._speed,
            )
        )

    @property
    def _speed(self) -> float:
        """Characters learned per second of training steps."""
        return self.trainer.chars / self._step_seconds if self._step_seconds else 0.0

    def _header(self) -> ModelHeader:
        plan = dataclasses.asdict(self.plan)
        settings = {name: value for name, value in plan.items() if name not in ("config", "reasons")}
        training = {"corpus": self.corpus.name, **dataclasses.asdict(self.summary()), "settings": settings}
        return ModelHeader(self.plan.config, self.corpus.vocabulary.to_json(), training)

    def _save(self) -> None:
        try:
            save_model(self.output, self._header(), self.trainer.network.export())
        except OSError as error:
            raise TrainingError(f"the model cannot be written to {self.output}: {error.strerror or error}") from None

    def summary(self) -> Summary:
        """The figures so far; validation figures are those of the best weights, which the model file holds."""
        return Summary(
            model=str(self.output),
            parameters=self.plan.config.parameters,
            vocab=self.plan.config.vocab_size,
            steps=self.trainer.steps,
            epochs=round(self.epochs, 4),
            chars=self.trainer.chars,
            seconds=round(self.seconds, 3),
            chars_per_second=round(self._speed, 1),
            train_loss=self._train_loss,
            valid_loss=self._best,
            valid_bpc=self._best / math.log(2),
            valid_perplexity=math.exp(min(self._best, 700.0)),
            best_step=self._best_step,
            device=str(self.device),
            seed=self.plan.seed,
        )
