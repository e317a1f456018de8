"""A run that learns to tell texts apart, from first step to last: when to evaluate, report, save and stop."""

import dataclasses
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from charrnn.errors import TrainingError
from charrnn.model.config import Tensors
from charrnn.model.header import CLASSIFY, ModelHeader
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.checkpoint.keeper import Keeper
from charrnn.training.checkpoint.record import Record
from charrnn.training.checkpoint.state import EVALUATED, LATEST, Checkpoint
from charrnn.training.devices import is_out_of_memory, random_states, restore_random_states
from charrnn.training.metrics import Tally
from charrnn.training.recipe.classifier import ClassifierPlan
from charrnn.training.recipe.schedule import Schedule
from charrnn.training.recipe.verdict import verdict
from charrnn.training.reporting import Evaluation, Progress
from charrnn.training.session import MAX_RETRIES, REPORT_EVERY, SAVE_EVERY, StopRequest
from charrnn.training.tasks.classifier_evaluation import ClassifierValidation, Found
from charrnn.training.tasks.classifier_reporting import ClassifierReporter, ClassifierStart, ClassifierSummary
from charrnn.training.tasks.classifier_trainer import ClassifierTrainer
from charrnn.training.trainer import MAX_BAD_STEPS

EVALUATIONS = 15  # in a run


class ClassifierKeeper(Keeper):
    """Keeps a run as `Keeper` does; its model files are classifiers."""

    labels: tuple[str, ...] = ()
    label_counts: tuple[int, ...] = ()

    def header(self, training: dict[str, Any]) -> ModelHeader:
        """A model file's header that says `training` of how it was made."""
        return dataclasses.replace(
            super().header(training), task=CLASSIFY, labels=self.labels, label_counts=self.label_counts
        )


@dataclass
class ClassifierSession:
    """One run: a trainer, driven to the end of its budget, and saved on the way.

    Reports and saves go by the clock, and change nothing that is learned; evaluations go by progress. So with a
    budget of steps or epochs, a run that was interrupted and resumed ends with the weights of one that was not.

    Attributes:
        resumed: the saved state to go on from; None begins anew.
        described: what the saved state says of the run beside its progress: settings, corpus, folders.
    """

    plan: ClassifierPlan
    corpus: LabelledCorpus
    output: Path
    device: torch.device
    reporter: ClassifierReporter
    stop: StopRequest = field(default_factory=StopRequest)
    resumed: Checkpoint | None = None
    described: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trainer = ClassifierTrainer(self.plan, self.corpus, self.device)
        self.validation = ClassifierValidation(self.corpus.valid, self.device, self.plan.validated)
        self.schedule = Schedule(self.plan.lr)
        vocabulary = self.corpus.vocabulary.to_json()
        self.keeper = ClassifierKeeper(self.output, self.plan, self.trainer, vocabulary, self.described)
        self.keeper.labels, self.keeper.label_counts = self.corpus.labels, self.corpus.counts
        self.record = Record() if self.resumed is None else self.keeper.bring_back(self.resumed)
        self._best = Found(math.inf, 0.0, 1.0)
        if self.record.best_training:
            kept = self.record.best_training
            self._best = Found(kept["valid_loss"], kept["valid_accuracy"], kept["temperature"])
        self._recent = Tally()
        self._last_report = self._last_save = self.record.seconds

    def run(self) -> ClassifierSummary:
        """Train until the budget is used, validation stops improving, or a stop is asked for.

        Raises:
            TrainingError: if training diverges, memory runs out, or a file cannot be written.
        """
        self._begin = time.monotonic() - self.record.seconds
        self._tell_start()
        try:
            self.keeper.save_first(self.record, resumed=self.resumed is not None)
            while not self._ended and self.stop.signal is None:
                before = self.progress
                self._step()
                self._after_step(before)
            return self._finish() if self._ended else self._interrupted()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                f"out of memory at step {self.trainer.steps}; try a smaller --batch-size, --seq-len or --hidden-size"
            ) from None
        finally:
            self.keeper.store.wait()

    @property
    def _ended(self) -> bool:
        return self.progress >= 1.0 or self.record.stale >= self.plan.patience

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return time.monotonic() - self._begin

    @property
    def epochs(self) -> float:
        """How many times as many texts as there are were learned from."""
        return self.trainer.documents / len(self.corpus.train)

    @property
    def progress(self) -> float:
        """Share of the budget that is used."""
        return self.plan.budget.progress(self.seconds, self.epochs, self.trainer.steps)

    @property
    def _rate(self) -> float:
        return self.schedule.rate(self.progress) * 0.5**self.record.retries

    def _tell_start(self) -> None:
        """Whatever the reporters do with the network draws no random number of ours."""
        states = random_states(self.device)
        self.reporter.started(
            ClassifierStart(
                self.corpus, self.plan, self.trainer.network, str(self.device), self.output, len(self.validation)
            )
        )
        restore_random_states(states, self.device)

    def _step(self) -> None:
        begin = time.perf_counter()
        step = self.trainer.step(self._rate, self.progress)
        self.record.step_seconds += time.perf_counter() - begin
        self._recent.add(*step)
        self.record.since.add(*step)
        if self.trainer.diverged:
            self._go_back()

    def _go_back(self) -> None:
        """Return to the weights of the last evaluation, with half the learning rate.

        Raises:
            TrainingError: if that has not helped several times.
        """
        if self.record.retries == MAX_RETRIES:
            raise TrainingError(
                f"training diverged: the loss was not finite, even with the learning rate halved {MAX_RETRIES} times. "
                f"Start anew with a smaller --lr (it was {self.plan.lr:g}) and --overwrite"
            )
        self.record.retries += 1
        self.keeper.go_back()
        self.reporter.noted(
            f"the loss was not finite for {MAX_BAD_STEPS} steps: back to the last good weights, with half the "
            f"learning rate ({self.record.retries} of {MAX_RETRIES} tries)"
        )

    def _after_step(self, before: float) -> None:
        """Evaluate when a step has crossed one of the run's evenly spaced places; report and save by the clock."""
        now, after = self.seconds, self.progress
        if now - self._last_report >= REPORT_EVERY:
            self._report()
            self._last_report = now
        if int(after * EVALUATIONS) > int(before * EVALUATIONS) and after < 1.0:
            self._evaluate()
        elif now - self._last_save >= SAVE_EVERY:
            self._save_behind(LATEST)
        for reason in dict.fromkeys(self.keeper.store.failures()):
            self.reporter.noted(f"step {self.trainer.steps} could not be saved: {reason}; the save before is whole")

    def _evaluate(self) -> None:
        trainer, record = self.trainer, self.record
        self.reporter.weights(trainer.steps, trainer.network)
        found = self._measured()
        if not math.isnan(record.since.loss):
            record.train_loss = record.since.loss
        best = found.loss < record.best
        record.stale = 0 if best else record.stale + 1
        if best:
            record.best, record.best_step, self._best = found.loss, trainer.steps, found
            record.best_training = self._training(record, found)
            self.keeper.keep_best(self._exported(found), record)
        evaluation = Evaluation(trainer.steps, self.epochs, record.train_loss, found.loss, best, found.accuracy)
        record.history.append(evaluation)
        self.reporter.evaluated(evaluation)
        record.since = Tally()
        record.evaluated_at = trainer.steps
        self._save_behind(EVALUATED if math.isfinite(found.loss) else LATEST)

    def _measured(self) -> Found:
        with self.trainer.average.applied():
            return self.validation.measure(self.trainer.network, self.trainer.workers)

    def _exported(self, found: Found) -> Tensors:
        """The averaged weights, their scores as sure as validation says that they should be."""
        tensors = self.trainer.average.export()
        for name in ("decoder.weight", "decoder.bias"):
            tensors[name] = (tensors[name] / found.temperature).astype("f4")
        return tensors

    def _finish(self) -> ClassifierSummary:
        """The last evaluation and the last save of a run that has used its budget."""
        if self._recent.steps:
            self._report()
        if self.record.evaluated_at != self.trainer.steps:
            self._evaluate()
        if not math.isfinite(self.record.best):
            raise TrainingError(
                f"training diverged: no validation loss was finite; try a smaller --lr than {self.plan.lr:g}"
            )
        self.record.finished = True
        self._save_now()
        summary = self.summary(self.record, self._best)
        self.reporter.finished(summary)
        return summary

    def _interrupted(self) -> ClassifierSummary:
        """Save; then see whether the newest weights are the best, without the saved run's hearing of it."""
        self._save_now()
        if self.record.evaluated_at == self.trainer.steps:
            return self.summary(self.record, self._best)
        found = self._measured()
        if not found.loss < self.record.best:
            return self.summary(self.record, self._best)
        aside = dataclasses.replace(self.record, best=found.loss, best_step=self.trainer.steps)
        header = self.keeper.header(self._training(aside, found))
        self.keeper.store.write_model(header, self._exported(found))
        return self.summary(aside, found)

    def _report(self) -> None:
        recent, self._recent = self._recent, Tally()
        self.reporter.progressed(
            Progress(
                step=self.trainer.steps,
                epochs=self.epochs,
                progress=self.progress,
                seconds=self.seconds,
                loss=recent.loss,
                lr=self._rate,
                grad_norm=recent.grad_norm,
                chars_per_second=self._speed,
            )
        )

    @property
    def _speed(self) -> float:
        """Characters learned per second of training steps."""
        return self.trainer.chars / self.record.step_seconds if self.record.step_seconds else 0.0

    def _save_behind(self, slot: str) -> None:
        self.reporter.saving(self.trainer.steps)
        self._last_save = self.record.seconds = self.seconds
        self.keeper.save_behind(slot, self.record)

    def _save_now(self) -> None:
        self.reporter.saving(self.trainer.steps)
        self._last_save = self.record.seconds = self.seconds
        self.keeper.save_now(self.record)

    def _training(self, record: Record, best: Found) -> dict[str, Any]:
        """How the model was made, as its file says it."""
        plan = dataclasses.asdict(self.plan)
        settings = {name: value for name, value in plan.items() if name not in ("config", "reasons")}
        return {"corpus": self.corpus.name, **dataclasses.asdict(self.summary(record, best)), "settings": settings}

    def summary(self, record: Record, best: Found) -> ClassifierSummary:
        """The figures so far; `best` are those of the weights in the model file."""
        return ClassifierSummary(
            model=str(self.output),
            task=CLASSIFY,
            parameters=self.plan.config.parameters,
            vocab=self.plan.config.vocab_size,
            labels=list(self.corpus.labels),
            texts=len(self.corpus.train),
            steps=self.trainer.steps,
            epochs=round(self.epochs, 4),
            chars=self.trainer.chars,
            seconds=round(self.seconds, 3),
            chars_per_second=round(self._speed, 1),
            train_loss=record.train_loss,
            valid_loss=best.loss,
            valid_accuracy=best.accuracy,
            temperature=best.temperature,
            best_step=record.best_step,
            device=str(self.device),
            seed=self.plan.seed,
            verdict=verdict(record.history, self.seconds),
        )
