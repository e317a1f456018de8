"""A training run from first step to last: when to evaluate, report, sample, save and stop."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from charrnn import __version__
from charrnn.errors import TrainingError
from charrnn.model import ModelHeader, Tensors
from charrnn.text.corpus import Corpus
from charrnn.training import checkpoint
from charrnn.training.checkpoint import EVALUATED, LATEST, Arrays, Checkpoint
from charrnn.training.devices import is_out_of_memory, random_states, restore_random_states
from charrnn.training.evaluation import Validation
from charrnn.training.recipe import Plan
from charrnn.training.record import Record
from charrnn.training.reporting import Evaluation, Progress, Reporter, Start, Summary
from charrnn.training.schedule import Schedule
from charrnn.training.store import Store
from charrnn.training.trainer import MAX_BAD_STEPS, Tally, Trainer
from charrnn.training.trainer import Start as StartWeights
from charrnn.training.verdict import verdict

EVALUATIONS = 25  # in a run of given time
EVALUATION_SHARE = 0.05  # of the time, at most
REPORT_EVERY = 1.0  # seconds
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

    Attributes:
        sample_every: seconds between samples; 0 is never.
        write_sample: makes a text from weights, for those who watch.
        resumed: the saved state to go on from; None begins anew.
        start: makes the weights to begin with, out of random ones.
        described: what the saved state says of the run beside its progress: settings, corpus, folders.
    """

    plan: Plan
    corpus: Corpus
    output: Path
    device: torch.device
    reporter: Reporter
    sample_every: float = 0.0
    write_sample: SampleWriter | None = None
    stop: StopRequest = field(default_factory=StopRequest)
    resumed: Checkpoint | None = None
    start: StartWeights | None = None
    described: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.output)
        self.trainer = Trainer(self.plan, self.corpus, self.device, self.start)
        self.validation = Validation(self.corpus.valid, self.device, self.corpus.vocabulary.unknown)
        self.schedule = Schedule(self.plan.lr)
        self.record = Record()
        self._best_weights: Tensors = {}
        self._good: Arrays = {}
        self._generation = 0
        self._recent = Tally()
        if self.resumed is not None:
            self._restore(self.resumed)
        self._last_report = self._last_sample = self._last_save = self.record.seconds

    def run(self) -> Summary:
        """Train until the budget is used, validation stops improving, or a stop is asked for.

        Raises:
            TrainingError: if training diverges, memory runs out, or a file cannot be written.
        """
        self._begin = time.monotonic() - self.record.seconds
        self._tell_start()
        try:
            self._save_first()
            while not self._ended and self.stop.signal is None:
                self._step()
                self._after_step()
            return self._finish() if self._ended else self._interrupted()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                f"out of memory at step {self.trainer.steps}; try a smaller --batch-size, --seq-len or --hidden-size"
            ) from None
        finally:
            self.store.wait()

    @property
    def _ended(self) -> bool:
        return self.progress >= 1.0 or self.record.stale >= self.plan.patience

    def _tell_start(self) -> None:
        """Whatever the reporters do with the network, such as tracing it, draws no random number of ours."""
        network, record = self.trainer.network, self.record
        states = random_states(self.device)
        self.reporter.started(
            Start(self.corpus, self.plan, network, str(self.device), self.output, self.trainer.steps, record.history)
        )
        restore_random_states(states, self.device)

    def _finish(self) -> Summary:
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
        self.store.write_model(self._header(aside), self._learned())
        return self.summary(aside)

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

    @property
    def _rate(self) -> float:
        """The learning rate here: half of the schedule's for each time that training has diverged."""
        return self.schedule.rate(self.progress) * 0.5**self.record.retries

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
        record = self.record
        if record.retries == MAX_RETRIES:
            kept = f"; the best model, of step {record.best_step}, is in {self.output}" if record.best_training else ""
            raise TrainingError(
                f"training diverged: the loss was not finite, even with the learning rate halved {MAX_RETRIES} times"
                f"{kept}. Start anew with a smaller --lr (it was {self.plan.lr:g}) and --overwrite"
            )
        record.retries += 1
        self.trainer.go_back(_live(self._good))
        self.reporter.noted(
            f"the loss was not finite from step {self.trainer.steps - MAX_BAD_STEPS + 1} on: back to the last good "
            f"weights, with half the learning rate ({record.retries} of {MAX_RETRIES} tries)"
        )

    def _after_step(self) -> None:
        now = self.seconds
        if now - self._last_report >= REPORT_EVERY:
            self._report()
            self._last_report = now
        if self._evaluation_due(now):
            self._evaluate()
        elif now - self._last_save >= SAVE_EVERY:
            self._save_behind(LATEST)
        self._tell_failures()
        if self.write_sample and self.sample_every and now - self._last_sample >= self.sample_every:
            self._last_sample = now
            header = self._header(self.record)
            self.reporter.sampled(self.trainer.steps, self.write_sample(header, self._learned()))

    def _evaluation_due(self, now: float) -> bool:
        """By time where time is the budget; else by steps, so that the same run evaluates at the same steps."""
        budget = self.plan.budget
        if budget.seconds is not None:
            pause = max(budget.seconds / EVALUATIONS, self.record.evaluation_cost / EVALUATION_SHARE)
            return now - self.record.last_evaluation >= pause and now + pause / 2 < budget.seconds
        steps = budget.steps or math.inf
        if budget.epochs is not None:
            per_step = self.plan.batch_size * self.plan.seq_len
            steps = min(steps, math.ceil(budget.epochs * len(self.corpus.train) / per_step))
        every = max(50, math.ceil(steps / EVALUATIONS))
        return self.trainer.steps % every == 0

    def _evaluate(self) -> None:
        begin = self.seconds
        trainer, record = self.trainer, self.record
        self.reporter.weights(trainer.steps, trainer.network)
        loss = self._validate()
        if not math.isnan(record.since.loss):
            record.train_loss = record.since.loss
        best = loss < record.best
        record.stale = 0 if best else record.stale + 1
        if best:
            record.best, record.best_step = loss, trainer.steps
            self._keep_best()
        evaluation = Evaluation(trainer.steps, self.epochs, record.train_loss, loss, best)
        record.history.append(evaluation)
        self.reporter.evaluated(evaluation)
        record.since = Tally()
        record.evaluated_at, record.last_evaluation = trainer.steps, self.seconds
        record.evaluation_cost = self.seconds - begin
        self._save_behind(EVALUATED if math.isfinite(loss) else LATEST)

    def _validate(self) -> float:
        with self.trainer.average.applied():
            return self.validation.loss(self.trainer.network, self.trainer.workers)

    def _learned(self) -> Tensors:
        """What has been learned so far: the averaged weights, as validation and the model file see them."""
        with self.trainer.average.applied():
            return self.trainer.network.export()

    def _keep_best(self) -> None:
        """The weights of this moment go into the model file, in the background."""
        self._best_weights = self._learned()
        header = self._header(self.record)
        self.record.best_training = header.training
        self.store.keep_model(header, self._best_weights)

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

    def _header(self, record: Record) -> ModelHeader:
        plan = dataclasses.asdict(self.plan)
        settings = {name: value for name, value in plan.items() if name not in ("config", "reasons")}
        training = {"corpus": self.corpus.name, **dataclasses.asdict(self.summary(record)), "settings": settings}
        return ModelHeader(self.plan.config, self.corpus.vocabulary.to_json(), training)

    def _checkpoint(self) -> Checkpoint:
        """A copy of all that decides how this run goes on."""
        self._generation += 1
        self.record.seconds = self.seconds
        live = {f"trainer.{name}": tensor for name, tensor in self.trainer.state_tensors().items()}
        live.update({f"random.{kind}": state for kind, state in random_states(self.device).items()})
        tensors: Arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in live.items()}
        tensors.update({f"best.{name}": weights for name, weights in self._best_weights.items()})
        state = {
            "format": checkpoint.FORMAT,
            "charrnn": __version__,
            "generation": self._generation,
            **self.described,
            "plan": dataclasses.asdict(self.plan),
            "trainer": self.trainer.state_json(),
            "record": self.record.to_json(),
        }
        return Checkpoint(state, tensors)

    def _restore(self, saved: Checkpoint) -> None:
        self.record = Record.from_json(saved.state["record"])
        if self.record.finished and dataclasses.asdict(self.plan.budget) != saved.state["plan"]["budget"]:
            self.record.finished, self.record.stale = False, 0  # a finished run is trained further
        self._generation = saved.generation
        self._best_weights = saved.part("best")
        self.trainer.restore(_live(saved.part("trainer")), saved.state["trainer"])
        restore_random_states(_live(saved.part("random")), self.device)
        self._good = saved.part("trainer")
        if self.record.good != saved.generation:
            self._good = self._good_of(self.record.good) or self._good

    def _good_of(self, generation: int) -> Arrays | None:
        """The trainer's tensors at the last evaluation, if that state is still there and whole."""
        try:
            found = self.store.folder.read(EVALUATED)
        except TrainingError:
            return None
        return found.part("trainer") if found is not None and found.generation == generation else None

    def _save_first(self) -> None:
        """Save before the first step: a run that cannot be saved ends here, not when it has learned something.

        A resumed run also writes its best model again: whatever came after the saved state is undone.
        """
        self._generation = max(self._generation, self.store.folder.last_generation())
        slot = EVALUATED if self.resumed is None else LATEST
        self.store.write_state(slot, self._snapshot(slot))
        if self.resumed is None:
            self.store.begin_anew()
        elif self._best_weights:
            self._write_best()
        self.store.remove_partials()

    def _snapshot(self, slot: str) -> Checkpoint:
        """A state for `slot`; one that has just been evaluated is also where training goes back to."""
        if slot == EVALUATED:
            self.record.good = self._generation + 1
        saved = self._checkpoint()
        if slot == EVALUATED:
            self._good = saved.part("trainer")
        self._last_save = self.seconds
        return saved

    def _save_behind(self, slot: str) -> None:
        """Copy the state now, and write it while training goes on."""
        self.reporter.saving(self.trainer.steps)
        self.store.keep_state(slot, self._snapshot(slot))

    def _save_now(self) -> None:
        """Save and wait until it is on disk, and the best model too if its last save failed."""
        self.store.wait()
        self.store.failures()  # of states that this one replaces
        self.reporter.saving(self.trainer.steps)
        self.store.write_state(LATEST, self._snapshot(LATEST))
        if self.store.model_step != self.record.best_step and self._best_weights:
            self._write_best()

    def _write_best(self) -> None:
        header = dataclasses.replace(self._header(self.record), training=self.record.best_training)
        self.store.write_model(header, self._best_weights)

    def _tell_failures(self) -> None:
        """A save that failed on the way costs nothing yet: say so, and try again next time."""
        for reason in dict.fromkeys(self.store.failures()):
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
            chars=self.trainer.chars,
            seconds=round(self.seconds, 3),
            chars_per_second=round(self._speed, 1),
            train_loss=record.train_loss,
            valid_loss=record.best,
            valid_bpc=record.best / math.log(2),
            valid_perplexity=math.exp(min(record.best, 700.0)),
            best_step=record.best_step,
            device=str(self.device),
            seed=self.plan.seed,
            verdict=verdict(record.history, self.seconds),
        )


def _live(arrays: Arrays) -> dict[str, torch.Tensor]:
    """Copies as tensors in memory of PyTorch's own, aligned as it likes it: results are the same to the bit."""
    return {name: torch.from_numpy(array).clone() for name, array in arrays.items()}
