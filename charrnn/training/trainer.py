"""One step of learning: the arithmetic, and nothing about when to evaluate, report or save."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from charrnn.model.config import Tensors
from charrnn.training.averaging import WeightAverage
from charrnn.training.checkpoint.files import select_tensors
from charrnn.training.devices.workers import Workers
from charrnn.training.metrics import DeviceStepMetrics, StepMetrics
from charrnn.training.network.base import State
from charrnn.training.optimizer import WeightUpdate, make_optimizer
from charrnn.training.step import Gradients
from charrnn.training.tasks.task import Resources, Task

PREDICTABLE = 0.05  # progress of a timed run from which the number of its steps can be told
MAX_BAD_STEPS = 20  # consecutive steps with a gradient that is not finite: by then it is not the text


class Trainer:
    """A task, its optimizer and the average of its weights.

    Everything that decides how training continues is in `state_tensors` and `get_state`, and in PyTorch's random
    state. Of several processes each has all of it, except the state that other processes' readers carry.

    Attributes:
        steps, symbols: optimizer steps, and symbols learned from, so far.
        runs_ahead: whether metrics stay on a GPU until they are asked for.
    """

    def __init__(self, task: Task, resources: Resources) -> None:
        device, world = resources.device, resources.world
        self.task = task
        self.device = device
        threads = torch.get_num_threads() if device.type == "cpu" and world.size == 1 else None
        self.workers = Workers(task.plan.batch_size, threads)
        self._gradients = Gradients(task.objective, self.workers, world)
        self.optimizer = make_optimizer(task.network, task.plan)
        self.average = WeightAverage(task.network)
        self._update = WeightUpdate(task.network, self.optimizer, self.average, self.workers, task.plan.grad_clip)
        self.steps = self.symbols = self.bad_steps = 0
        self.runs_ahead = device.type == "cuda"
        self._metrics = StepMetrics()
        self._device_metrics = DeviceStepMetrics(device if self.runs_ahead else torch.device("cpu"))

    @property
    def diverged(self) -> bool:
        """Whether too many consecutive steps had a gradient that was not finite."""
        return self.bad_steps >= MAX_BAD_STEPS

    def step(self, rate: float, progress: float) -> None:
        """Read on and make one update at learning rate `rate`, at this progress of the run.

        A gradient that is not finite changes no weight. It shows a loss that is not finite, too, because such scores
        make the whole gradient so; and being averaged over all processes, it lets all of them decide alike.
        """
        known = progress >= PREDICTABLE
        batch = self.task.next_batch(self.steps * (1 - progress) / progress if known else None)
        nats, after = self._gradients.compute(batch)
        self.steps += 1
        self.symbols += batch.symbols
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.runs_ahead:
            norm = self._update_on_device(after, progress)
            self._device_metrics.add(nats, batch.count, norm)
            return
        norm = self._update.measure_norm()
        if math.isfinite(norm):
            self._update.apply(self.steps, progress)
            self.task.carry(after)
            self.bad_steps = 0
            self._metrics.add(float(nats), batch.count, float(norm))
        else:
            self.bad_steps += 1
            self.optimizer.zero_grad(set_to_none=True)
            self.task.reset_state()

    def take_metrics(self) -> StepMetrics:
        """Metrics of the steps since the last call, those that changed nothing left out; updates `diverged`.

        Where the device runs ahead, this waits for it.
        """
        if self.runs_ahead:
            metrics, self.bad_steps = self._device_metrics.read()
            return metrics
        metrics, self._metrics = self._metrics, StepMetrics()
        return metrics

    def _update_on_device(self, after: State, progress: float) -> Tensor:
        """Update or skip as the device decides, without waiting for it; the average of a skipped step hardly moves.

        Returns the norm of the gradient.
        """
        norm = torch.nn.utils.clip_grad_norm_(self.task.network.parameters(), self.task.plan.grad_clip)
        bad = ~torch.isfinite(norm)
        self.optimizer.found_inf = bad.float()  # type: ignore[attr-defined] # as torch.amp tells the fused kernel
        self.optimizer.step()
        self.average.update(self.steps, progress)
        self.task.carry_unless(bad, after)
        return norm

    def state_tensors(self) -> dict[str, Tensor]:
        """Every tensor that decides how training continues, by name, not copied.

        All processes must call it at once, because the states that their readers carry are gathered.
        """
        named = {f"network.{name}": tensor for name, tensor in self.task.network.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            present = {key: value for key, value in values.items() if value is not None}
            named.update({f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in present.items()})
        named.update({f"average.{name}": tensor for name, tensor in self.average.tensors().items()})
        named.update(self.task.state_tensors())
        return named

    def get_state(self) -> dict[str, Any]:
        """Everything else that does; JSON-able."""
        counters = {"steps": self.steps, "chars": self.symbols, "bad_steps": self.bad_steps}
        return {**counters, **self.task.get_state()}

    def set_state(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Continue from copies of what `state_tensors` and `get_state` returned."""
        self._load_weights(tensors)
        self.steps, self.symbols = state["steps"], state["chars"]
        self._set_bad_steps(state["bad_steps"])
        self.task.set_state(state, tensors)

    def go_back(self, tensors: Mapping[str, Tensor]) -> None:
        """Undo what was learned since `tensors` were copied, but read on from the present position."""
        self._load_weights(tensors)
        self.task.reset_state()
        self._set_bad_steps(0)

    def load_weights(self, weights: Tensors) -> None:
        """Learn on from these weights, and read on from the present position."""
        self.task.network.load(weights)
        self.average.load({name: torch.from_numpy(array) for name, array in weights.items()})
        self.task.reset_state()

    def _set_bad_steps(self, count: int) -> None:
        self.bad_steps = count
        self._device_metrics.bad_steps.fill_(count)

    def _load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        self.task.network.load_state_dict(select_tensors(tensors, "network"))
        self.average.load(select_tensors(tensors, "average"))
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in select_tensors(tensors, "optimizer").items():
            index, _, key = name.partition(".")
            states.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})
