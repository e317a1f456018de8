"""A training run from first step to last: when to evaluate, report, sample, save and stop."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from charrnn.errors import TrainingError
from charrnn.model.config import Tensors
from charrnn.model.header import ModelHeader
from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.checkpoint.keeper import Keeper
from charrnn.training.checkpoint.record import Record
from charrnn.training.checkpoint.state import EVALUATED, LATEST, Checkpoint
from charrnn.training.devices import is_out_of_memory, random_states, restore_random_states
from charrnn.training.metrics import Tally
from charrnn.training.ranks import World, described
from charrnn.training.recipe.language import Plan
from charrnn.training.recipe.schedule import Schedule
from charrnn.training.recipe.spacing import seconds_between_evaluations, steps_between_evaluations
from charrnn.training.recipe.verdict import verdict
from charrnn.training.reporting import Evaluation, Progress, Reporter, Start, Summary
from charrnn.training.tasks.evaluation import DocumentValidation, Validation
from charrnn.training.trainer import MAX_BAD_STEPS, Trainer
from charrnn.training.trainer import Start as StartWeights

REPORT_EVERY = 1.0  # seconds
READ_EVERY = 0.25  # seconds, what a GPU has learned; to ask for it is to wait for all steps that it has been given
SAVE_EVERY = 20.0  # seconds, beside the saves after every evaluation
MAX_RETRIES = 3  # of a run that diverges, each with half the learning rate
LAST_EVALUATION_SECONDS = 5.0  # what an evaluation may take when a run is interrupted

SampleWriter = Callable[[ModelHeader, Tensors], str]


@dataclass
class StopRequest:
    """Set by a signal handler: the step in hand is finished, what was learned is saved, and the run ends."""

    signal: int | None = None


@dataclass
class Session:
    """One run: a trainer, driven to the end of its budget, and saved on the way.

    What is driven by the clock (reports, samples, saves) changes nothing that is learned, so a run that was
    interrupted and resumed ends with the weights of one that was not.

    Of several processes each has a session, and all take the same decisions: they go by the first one's clock, and by
    figures of all, both exchanged after every step.

    Attributes:
        seconds: time since the run began, when the processes were last brought in step.
        sample_every: seconds between samples; 0 is never.
        write_sample: makes a text from weights, for those who watch.
        resumed: the saved state to go on from; None begins anew.
        start: makes the weights to begin with, out of random ones.
        described: what the saved state says of the run beside its progress: settings, corpus, folders.
    """

    plan: Plan
    corpus: Corpus | LabelledCorpus
    output: Path
    device: torch.device
    reporter: Reporter
    sample_every: float = 0.0
    write_sample: SampleWriter | None = None
    stop: StopRequest = field(default_factory=StopRequest)
    resumed: Checkpoint | None = None
    start: StartWeights | None = None
    described: dict[str, Any] = field(default_factory=dict)
    world: World = field(default_factory=World)
    precision: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        self.trainer = Trainer(self.plan, self.corpus, self.device, self.start, self.world, self.precision)
        corpus, symbols = self.corpus, self.corpus.vocabulary
        told = (self.device, self.plan.config.vocab_size, symbols.unknown, symbols.lengths)
        labels: dict[str, int] = {}
        if isinstance(corpus, LabelledCorpus):
            self.validation: Validation | DocumentValidation = DocumentValidation(corpus.valid, *told)
            labels = dict(zip(corpus.labels, corpus.counts, strict=True))
        else:
            self.validation = Validation(corpus.valid, *told)
        self._characters_each = self.validation.characters_each
        self.schedule = Schedule(self.plan.lr)
        self.keeper = Keeper(self.output, self.plan, self.trainer, symbols.to_json(), self.described, labels)
        self.record = Record() if self.resumed is None else self.keeper.bring_back(self.resumed)
        self._recent, self._own = Tally(), Tally()
        self.seconds = self._last_report = self._last_save = self._last_read = self.record.seconds
        self._last_sample = -math.inf  # what it writes before it has learned anything is worth seeing, too

    def run(self) -> Summary:
        """Train until the budget is used, validation stops improving, or a stop is asked for.

        Raises:
            TrainingError: if training diverges, memory runs out, or a file cannot be written.
        """
        self._begin = time.monotonic() - self.record.seconds
        self._keep_in_step()
        self._tell_start()
        try:
            self.keeper.save_first(self.record, resumed=self.resumed is not None)
            while not self._ended and self.stop.signal is None:
                self._step()
                self._keep_in_step()
                self._after_step()
            self._read()
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

    def _tell_start(self) -> None:
        """Whatever the reporters do with the network, such as tracing it, draws no random number of ours."""
        network, record = self.trainer.network, self.record
        states = random_states(self.device)
        self.reporter.started(
            Start(
                self.corpus,
                self.plan,
                network,
                described(self.world, self.device),
                self.output,
                self.trainer.steps,
                record.history,
            )
        )
        restore_random_states(states, self.device)

    def _finish(self) -> Summary:
        """The last evaluation and the last save of a run that has used its budget."""
        if self._recent.steps:
            self._report()
        if self.record.evaluated_at != self.trainer.steps:
            self._evaluate()
        self._sample()
        if not math.isfinite(self.record.best):
            raise TrainingError(
                f"training diverged: no validation loss was finite; try a smaller --lr than {self.plan.lr:g}"
            )
        self.record.finished = True
        self._save_now()
        summary = self.summary()
        self.reporter.finished(summary)
        return summary

    def _interrupted(self) -> Summary:
        """Save; then see whether the newest weights are the best, without the saved run's hearing of it.

        The evaluation is one that an undisturbed run would not make, so it counts for the model file only.
        """
        self._save_now()
        steps, record = self.trainer.steps, self.record
        if record.evaluated_at == steps or record.evaluation_cost > LAST_EVALUATION_SECONDS:
            return self.summary()
        loss = self._validate()
        if not loss < record.best:
            return self.summary()
        aside = dataclasses.replace(record, best=loss, best_step=steps)
        self.keeper.store.write_model(self.keeper.header(self._training(aside)), self.trainer.average.export())
        return self.summary(aside)

    @property
    def epochs(self) -> float:
        """How many times as many characters as the text has were learned from."""
        return self.trainer.chars / self.corpus.train_size

    @property
    def progress(self) -> float:
        """Share of the budget that is used."""
        return self.plan.budget.progress(self.seconds, self.epochs, self.trainer.steps)

    @property
    def _rate(self) -> float:
        """The learning rate here: half of the schedule's for each time that training has diverged."""
        return self.schedule.rate(self.progress) * 0.5**self.record.retries

    def _step(self) -> None:
        begin = time.perf_counter()
        self.trainer.step(self._rate, self.progress)
        self.record.step_seconds += time.perf_counter() - begin
        if not self.trainer.runs_ahead or self.seconds - self._last_read >= READ_EVERY:
            self._take_in()

    def _take_in(self) -> None:
        """Hear what this process's steps have learned; where a GPU runs ahead, wait for it."""
        begin = time.perf_counter()
        learned = self.trainer.taken()
        self.record.step_seconds += time.perf_counter() - begin
        self._own.add(learned.nats, learned.chars, learned.norm, learned.steps)
        self._last_read = self.seconds
        if self.trainer.diverged:
            self._go_back()

    def _keep_in_step(self) -> None:
        """Exchange clocks, requests to stop and losses with the other processes, if there are any."""
        clock = time.monotonic() - self._begin
        rows = self.world.gathered([clock, float(self.stop.signal or 0), self._own.nats])
        self.seconds = rows[0][0]
        signals = [int(signal) for _, signal, _ in rows if signal]
        if signals and self.stop.signal is None:
            self.stop.signal = signals[0]
        own, self._own = self._own, Tally()
        nats = sum(row[2] for row in rows)
        for tally in (self._recent, self.record.since):
            tally.add(nats, own.chars, own.norm, own.steps)

    def _read(self) -> None:
        """Have everything that was learned in the record."""
        if self.trainer.runs_ahead:
            self._take_in()
            self._keep_in_step()

    def _go_back(self) -> None:
        """Return to the weights of the last evaluation, with half the learning rate.

        Raises:
            TrainingError: if that has not helped several times.
        """
        record = self.record
        if record.retries == MAX_RETRIES:
            kept = f"; the best model, of step {record.best_step}, is in {self.output}" if record.best_training else ""
            raise TrainingError(
                f"training diverged: the loss was not finite, even with the learning rate halved {MAX_RETRIES} times"
                f"{kept}. Start anew with a smaller --lr (it was {self.plan.lr:g}) and --overwrite"
            )
        record.retries += 1
        self.keeper.go_back()
        self.reporter.noted(
            f"the loss was not finite from step {self.trainer.steps - MAX_BAD_STEPS + 1} on: back to the last good "
            f"weights, with half the learning rate ({record.retries} of {MAX_RETRIES} tries)"
        )

    def _after_step(self) -> None:
        now = self.seconds
        if now - self._last_report >= REPORT_EVERY:
            self._report()
            self._last_report = now
        if self._evaluation_due(now) and not self.trainer.bad_steps:
            self._evaluate()
        elif now - self._last_save >= SAVE_EVERY:
            self._save_behind(LATEST)
        self._tell_failures()
        if now - self._last_sample >= self.sample_every:
            self._last_sample = now
            self._sample()

    def _sample(self) -> None:
        if self.write_sample and self.sample_every:
            header = self.keeper.header(self._training(self.record))
            self.reporter.sampled(self.trainer.steps, self.write_sample(header, self.trainer.average.export()))

    def _evaluation_due(self, now: float) -> bool:
        """By time where time is the budget; else by steps, so that the same run evaluates at the same steps."""
        budget = self.plan.budget
        if budget.seconds is None:
            epoch = self.corpus.train_size / self.trainer.readers.chars_per_step(self.plan.seq_len)  # in steps
            return self.trainer.steps % steps_between_evaluations(budget, epoch) == 0
        epoch = self.record.step_seconds / max(self.epochs, 1e-9)  # in seconds
        pause = seconds_between_evaluations(budget.seconds, epoch, self.record.evaluation_cost)
        return now - self.record.last_evaluation >= pause and now + pause / 2 < budget.seconds

    def _evaluate(self) -> None:
        self._read()
        begin = self.seconds
        trainer, record = self.trainer, self.record
        self.reporter.weights(trainer.steps, trainer.network)
        loss = self._validate()
        if not math.isnan(record.since.loss):
            record.train_loss = record.since.loss / self._characters_each
        best = loss < record.best
        record.stale = 0 if best else record.stale + 1
        if best:
            record.best, record.best_step = loss, trainer.steps
            self._keep_best()
        evaluation = Evaluation(trainer.steps, self.epochs, record.train_loss, loss, best)
        record.history.append(evaluation)
        self.reporter.evaluated(evaluation)
        self._keep_in_step()
        record.since = Tally()
        record.evaluated_at, record.last_evaluation = trainer.steps, self.seconds
        record.evaluation_cost = self.seconds - begin
        self._save_behind(EVALUATED if math.isfinite(loss) else LATEST)

    def _validate(self) -> float:
        with self.trainer.average.applied():
            return self.validation.loss(self.trainer.network, self.trainer.workers, self.world)

    def _keep_best(self) -> None:
        """The weights of this moment go into the model file, in the background."""
        self.record.best_training = self._training(self.record)
        self.keeper.keep_best(self.trainer.average.export(), self.record)

    def _report(self) -> None:
        recent, self._recent = self._recent, Tally()
        self.reporter.progressed(
            Progress(
                step=self.trainer.steps,
                epochs=self.epochs,
                progress=self.progress,
                seconds=self.seconds,
                loss=recent.loss / self._characters_each,
                lr=self._rate,
                grad_norm=recent.grad_norm,
                chars_per_second=self._speed,
            )
        )

    @property
    def _speed(self) -> float:
        """Characters learned per second of training steps."""
        return self._chars / self.record.step_seconds if self.record.step_seconds else 0.0

    @property
    def _chars(self) -> int:
        """Characters learned from; those of words are counted by what words have in the mean."""
        return round(self.trainer.chars * self._characters_each)

    def _training(self, record: Record) -> dict[str, Any]:
        """How the model was made, as its file says it."""
        plan = dataclasses.asdict(self.plan)
        settings = {name: value for name, value in plan.items() if name not in ("config", "reasons")}
        return {"corpus": self.corpus.name, **dataclasses.asdict(self.summary(record)), "settings": settings}

    def _save_behind(self, slot: str) -> None:
        """Copy the state now, and write it while training goes on."""
        self.reporter.saving(self.trainer.steps)
        self._last_save = self.record.seconds = self.seconds
        self.keeper.save_behind(slot, self.record)

    def _save_now(self) -> None:
        """Save and wait until it is on disk."""
        self.reporter.saving(self.trainer.steps)
        self._last_save = self.record.seconds = self.seconds
        self.keeper.save_now(self.record)

    def _tell_failures(self) -> None:
        """A save that failed on the way costs nothing yet: say so, and try again next time."""
        for reason in dict.fromkeys(self.keeper.store.failures()):
            self.reporter.noted(
                f"step {self.trainer.steps} could not be saved: {reason}; the save before is whole, "
                "and the next one is tried as usual"
            )

    def summary(self, record: Record | None = None) -> Summary:
        """The figures so far; validation figures are those of the best weights, which the model file holds."""
        record = record or self.record
        return Summary(
            model=str(self.output),
            parameters=self.plan.config.parameters,
            vocab=self.plan.config.vocab_size,
            steps=self.trainer.steps,
            epochs=round(self.epochs, 4),
            chars=self._chars,
            seconds=round(self.seconds, 3),
            chars_per_second=round(self._speed, 1),
            train_loss=record.train_loss,
            valid_loss=record.best,
            valid_bpc=record.best / math.log(2),
            valid_perplexity=math.exp(min(record.best, 700.0)),
            best_step=record.best_step,
            device=described(self.world, self.device),
            seed=self.plan.seed,
            verdict=verdict(record.history, self.seconds),
        )
