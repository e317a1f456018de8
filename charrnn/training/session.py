"""A training run from first step to last: when to evaluate, report, sample, save and stop."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any

from charrnn.errors import TrainingError, is_out_of_memory
from charrnn.model.config import Tensors
from charrnn.model.header import ModelHeader
from charrnn.training.checkpoint.checkpointer import Checkpointer, RunState
from charrnn.training.checkpoint.files import EVALUATED, LATEST, Checkpoint
from charrnn.training.devices.clock import Clock
from charrnn.training.devices.device import get_random_states, set_random_states
from charrnn.training.interruption import StopRequest, TrainingInterrupt
from charrnn.training.metrics import StepMetrics
from charrnn.training.network.precision import full_precision
from charrnn.training.recipe.schedule import (
    Cooldown,
    Schedule,
    count_seconds_between_evaluations,
    count_steps_between_evaluations,
)
from charrnn.training.reporting import Command, Evaluation, Progress, Reporter, Summary
from charrnn.training.summary import compute_rate, describe_training, summarize
from charrnn.training.tasks.task import Measurement, OnShare, Resources, Task
from charrnn.training.trainer import MAX_BAD_STEPS, Trainer

REPORT_INTERVAL = 1.0  # seconds
VALIDATION_INTERVAL = 0.25  # seconds between reports of how far a validation has come
READ_INTERVAL = 0.25  # seconds between readings of a GPU's metrics; each waits for all of its steps
SAVE_INTERVAL = 20.0  # seconds, beside the saves after every evaluation
MAX_RETRIES = 3  # of a run that diverges, each with half the learning rate
MAX_LAST_EVALUATION = 5.0  # seconds that an evaluation may take when a run is interrupted

SampleWriter = Callable[[ModelHeader, Tensors], str]


@dataclass
class Session:
    """One run: a trainer, driven to the end of its budget, and saved on the way.

    Everything that the clock decides (reports, samples, saves) changes nothing that is learned, so a run that was
    interrupted and resumed ends with the weights of one that was not.

    Each of several processes has a session, and all must decide alike. So decisions use counts of steps, losses that
    were summed over all processes, and the values of `Clock`; a session reads no clock and no request to stop itself.

    Attributes:
        output: the model file.
        reporter: receives what happens.
        next_commands: to type when the run has ended.
        sample_interval: seconds between samples; 0 is never.
        write_sample: writes a text with some weights, for people who watch.
        resumed: the saved state to continue from, which is not kept; None begins anew.
        description: what a saved state says of the run beside its progress.
        state: the history of the run.
        clock: time and requests to stop, the same in all processes.
    """

    task: Task
    resources: Resources
    output: Path
    reporter: Reporter
    next_commands: list[Command] = field(default_factory=list)
    sample_interval: float = 0.0
    write_sample: SampleWriter | None = None
    stop: StopRequest = field(default_factory=StopRequest)
    resumed: InitVar[Checkpoint | None] = None
    description: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self, resumed: Checkpoint | None) -> None:
        self.plan = self.task.plan
        self.trainer = Trainer(self.task, self.resources)
        self.schedule = Schedule(self.plan.lr)
        self.checkpointer = Checkpointer(self.output, self.trainer, self.resources.world, self.description)
        self.state = RunState() if resumed is None else self.checkpointer.restore(resumed)
        self._is_resumed = resumed is not None
        best = self.state.best_training
        self._best = Measurement.from_summary(best) if best else Measurement(math.inf)
        self._recent_metrics, self._own_metrics = StepMetrics(), StepMetrics()
        self.clock = Clock(self.resources.world, self.state.seconds, self.state.step_seconds)
        self._last_report = self._last_save = self._last_read = self._last_share = self.clock.seconds
        self._last_sample = -math.inf  # what the network writes before it has learned anything is worth seeing, too

    def run(self) -> Summary:
        """Train until the budget is used, validation stops improving, or a stop is requested.

        Raises:
            TrainingError: if training diverges, memory runs out, or a file cannot be written.
        """
        try:
            with full_precision():
                random = get_random_states(self.resources.device)  # reporters may trace the network
                self.reporter.on_start(self.task, self._device, self.state.history)
                set_random_states(random, self.resources.device)
                self.checkpointer.save_first(self.state, resumed=self._is_resumed)
                self.clock.start()  # what came before is not learning, and not counted
                self._synchronize()
                try:
                    self._prepare()
                    return self._train()
                except TrainingInterrupt:
                    return self._interrupt()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                f"out of memory at step {self.trainer.steps}; try a smaller --batch-size, --seq-len or --hidden-size"
            ) from None
        finally:
            self.checkpointer.wait()
            self.trainer.workers.close()

    def _prepare(self) -> None:
        """Let the task prepare what it needs before the first step; a request to stop raises TrainingInterrupt."""
        if self.task.prepare(self.reporter.on_note, self._check_stop):
            self._synchronize()
            self.state.setup_seconds = self.state.last_evaluation = self.clock.seconds

    def _check_stop(self) -> None:
        """Raise TrainingInterrupt if a stop was requested."""
        self._synchronize()
        if self.stopped_by is not None:
            raise TrainingInterrupt

    def _train(self) -> Summary:
        """Step by step to the end of the run, or until a request to stop raises TrainingInterrupt."""
        if self._evaluation_due() and 0 < self.trainer.steps != self.state.evaluated_at:
            self._evaluate()  # as it was interrupted
        while not self.ended and self.stopped_by is None:
            self._step()
            self._synchronize()
            self._after_step()
        self._read_metrics()
        if self.ended:
            return self._finish()
        raise TrainingInterrupt

    @property
    def stopped_by(self) -> int | None:
        """The signal that requested a stop in any process, None if there was none."""
        return self.clock.stopped_by

    @property
    def epochs(self) -> float:
        """How often the corpus has been read."""
        return self.task.count_epochs(self.trainer.symbols)

    @property
    def progress(self) -> float:
        """The used share of the budget, or of what is left after a stall."""
        used = self.plan.budget.progress(self.clock.seconds, self.epochs, self.trainer.steps, self.state.setup_seconds)
        cooldown = self.state.cooldown
        return used if cooldown is None else max(used, cooldown.progress(self.trainer.steps))

    @property
    def ended(self) -> bool:
        """Whether nothing is left to learn."""
        stalled = self.state.cooldown is None and self.state.evals_since_best >= self.plan.patience
        return self.progress >= 1.0 or stalled

    @property
    def _rate(self) -> float:
        """The learning rate, halved each time that training has diverged."""
        schedule = self.state.cooldown or self.schedule
        return schedule.rate(self.progress) * 0.5**self.state.retries

    def _step(self) -> None:
        with self.clock.measure_step():
            self.trainer.step(self._rate, self.progress)
        if not self.trainer.runs_ahead or self.clock.seconds - self._last_read >= READ_INTERVAL:
            self._take_metrics()

    def _take_metrics(self) -> None:
        """Take the trainer's metrics; where a GPU runs ahead, wait for it."""
        with self.clock.measure_step():
            metrics = self.trainer.take_metrics()
        self._own_metrics.add(metrics.nats, metrics.chars, metrics.norm, metrics.steps)
        self._last_read = self.clock.seconds
        if self.trainer.diverged:
            self._go_back()

    def _synchronize(self) -> None:
        """Exchange clocks, requests to stop and losses with the other processes, if there are any."""
        (nats,) = self.clock.synchronize(self.stop, [self._own_metrics.nats])
        own, self._own_metrics = self._own_metrics, StepMetrics()
        for metrics in (self._recent_metrics, self.state.metrics_since_eval):
            metrics.add(nats, own.chars, own.norm, own.steps)

    def _read_metrics(self) -> None:
        """Bring everything that was learned into the state."""
        if self.trainer.runs_ahead:
            self._take_metrics()
            self._synchronize()

    def _go_back(self) -> None:
        """Return to the weights of the last evaluation, with half the learning rate, but only a few times."""
        state = self.state
        if state.retries == MAX_RETRIES:
            kept = f"; the best model, of step {state.best_step}, is in {self.output}" if state.best_training else ""
            raise TrainingError(
                f"training diverged: the loss was not finite, even after the learning rate was halved {MAX_RETRIES} "
                f"times{kept}. Start over with --overwrite and a smaller --lr (it was {self.plan.lr:g})"
            )
        state.retries += 1
        self.checkpointer.go_back()
        self.reporter.on_note(
            f"the loss was not finite from step {self.trainer.steps - MAX_BAD_STEPS + 1} on: training continues from "
            f"the last good weights with half the learning rate (retry {state.retries} of {MAX_RETRIES})"
        )

    def _cool_down(self) -> None:
        """Return to the best weights, and bring the learning rate down to zero from there."""
        steps, state = self.trainer.steps, self.state
        state.cooldown = Cooldown.begin(self.schedule.rate(self.progress), self.progress, steps)
        self.checkpointer.go_back_to_best()
        self.reporter.on_note(
            f"validation has not improved since step {state.best_step}: training continues from that step's weights, "
            f"and the learning rate falls to zero until step {state.cooldown.end}"
        )

    def _after_step(self) -> None:
        if self.clock.seconds - self._last_report >= REPORT_INTERVAL:
            self._report()
        if self._evaluation_due():
            self._evaluate()
        elif self.clock.seconds - self._last_save >= SAVE_INTERVAL:
            self._save_in_background(LATEST)
        self._report_failures()
        if self.clock.seconds - self._last_sample >= self.sample_interval:
            self._last_sample = self.clock.seconds
            self._sample()

    def _evaluation_due(self) -> bool:
        """By time where time is the budget; else by steps, so that the same run evaluates at the same steps."""
        if self.trainer.bad_steps:
            return False
        budget, state, seconds = self.plan.budget, self.state, self.clock.seconds
        if budget.seconds is None:
            return self.trainer.steps % count_steps_between_evaluations(budget, self.task.steps_per_epoch) == 0
        epoch = self.clock.step_seconds / max(self.epochs, 1e-9)  # in seconds
        pause = count_seconds_between_evaluations(budget.seconds, epoch, state.evaluation_cost)
        return seconds - state.last_evaluation >= pause and seconds + pause / 2 < budget.seconds

    def _evaluate(self) -> None:
        """Validate, and save the weights if they are the best; a request to stop raises TrainingInterrupt first."""
        self._read_metrics()
        begin = self.clock.seconds
        trainer, state = self.trainer, self.state
        self.reporter.on_weights(trainer.steps, self.task.network)
        measurement = self._validate(self._watch_evaluation)
        loss = measurement.loss
        if not math.isnan(state.metrics_since_eval.loss):
            state.train_loss = state.metrics_since_eval.loss / self.task.characters_per_symbol
        best = loss < state.best
        state.evals_since_best = 0 if best else state.evals_since_best + 1
        if best:
            state.best, state.best_step, self._best = loss, trainer.steps, measurement
            state.best_training = describe_training(self.task, self.summarize())
            self.checkpointer.save_best(self.trainer.average.export(), state)
        evaluation = Evaluation(trainer.steps, self.epochs, state.train_loss, loss, best, measurement.accuracy)
        state.history.append(evaluation)
        self.reporter.on_evaluation(evaluation)
        self._synchronize()
        state.metrics_since_eval = StepMetrics()
        state.evaluated_at, state.last_evaluation = trainer.steps, self.clock.seconds
        state.evaluation_cost = self.clock.seconds - begin
        stalled = state.evals_since_best >= self.plan.patience and state.cooldown is None
        if stalled and self.progress < 1.0 and math.isfinite(state.best):
            self._cool_down()
        self._save_in_background(EVALUATED if math.isfinite(loss) else LATEST)

    def _validate(self, on_share: OnShare) -> Measurement:
        with self.trainer.average.apply():
            return self.task.validate(self.trainer.workers, on_share)

    def _watch_evaluation(self, share: float) -> None:
        """Report how far a validation has come, and end it on request."""
        self._synchronize()
        if self.clock.seconds - self._last_share >= VALIDATION_INTERVAL:
            self._last_share = self.clock.seconds
            self.reporter.on_validation(share)
        self._check_stop()

    def _finish(self) -> Summary:
        """The last evaluation and the last save of a run that has used its budget."""
        if self._recent_metrics.steps:
            self._report()
        if self.state.evaluated_at != self.trainer.steps:
            self._evaluate()
        self._sample()
        if not math.isfinite(self.state.best):
            raise TrainingError(
                f"training diverged: no validation loss was finite; try a smaller --lr than {self.plan.lr:g}"
            )
        self.state.finished = True
        self._save_now()
        summary = self.summarize()
        self.reporter.on_finish(summary, self.next_commands)
        return summary

    def _interrupt(self) -> Summary:
        """Save; then write the newest weights to the model file if they are the best, without recording that.

        An undisturbed run would not make this evaluation, so it counts for the model file only.
        """
        self._save_now()
        steps, state, begin = self.trainer.steps, self.state, self.clock.seconds
        if state.evaluated_at == steps or state.evaluation_cost > MAX_LAST_EVALUATION:
            return self.summarize()

        def watch(_share: float) -> None:
            self._synchronize()
            if self.clock.seconds - begin > MAX_LAST_EVALUATION:
                raise TrainingInterrupt

        try:
            measurement = self._validate(watch)
        except TrainingInterrupt:
            return self.summarize()
        if not measurement.loss < state.best:
            return self.summarize()
        summary = self.summarize(dataclasses.replace(state, best=measurement.loss, best_step=steps), measurement)
        self.checkpointer.write_model(describe_training(self.task, summary), self.trainer.average.export())
        return summary

    def _sample(self) -> None:
        if self.write_sample and self.sample_interval:
            header = self.task.make_header(describe_training(self.task, self.summarize()))
            self.reporter.on_sample(self.trainer.steps, self.write_sample(header, self.trainer.average.export()))

    def _save_in_background(self, slot: str) -> None:
        self._before_save()
        self.checkpointer.save_in_background(slot, self.state)

    def _save_now(self) -> None:
        self.stop.accepted = True
        self._before_save()
        self.checkpointer.save_now(self.state)

    def _before_save(self) -> None:
        self.reporter.on_save(self.trainer.steps)
        self._last_save = self.state.seconds = self.clock.seconds
        self.state.step_seconds = self.clock.step_seconds

    def _report_failures(self) -> None:
        """A save that failed on the way costs nothing yet: report it, and try again next time."""
        for reason in self.checkpointer.take_failures():
            self.reporter.on_note(
                f"step {self.trainer.steps} could not be saved: {reason}; the previous save is intact, "
                "and saving will be tried again at the usual time"
            )

    def _report(self) -> None:
        self._last_report = self.clock.seconds
        recent, self._recent_metrics = self._recent_metrics, StepMetrics()
        self.reporter.on_progress(
            Progress(
                step=self.trainer.steps,
                epochs=self.epochs,
                progress=self.progress,
                seconds=self.clock.seconds,
                loss=recent.loss / self.task.characters_per_symbol,
                lr=self._rate,
                grad_norm=recent.grad_norm,
                chars_per_second=compute_rate(self.trainer, self.clock),
                setup_seconds=self.state.setup_seconds,
            )
        )

    @property
    def _device(self) -> str:
        return self.resources.world.describe(self.resources.device)

    def summarize(self, state: RunState | None = None, best: Measurement | None = None) -> Summary:
        """The figures so far, of this state and of these best weights if they are given."""
        return summarize(self.trainer, self.clock, state or self.state, best or self._best, self.output, self._device)
