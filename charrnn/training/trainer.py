"""One step of learning: the arithmetic, and nothing about when to evaluate, report or save."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from charrnn.model.config import Tensors
from charrnn.training.checkpoint.files import select_tensors
from charrnn.training.devices.workers import Workers
from charrnn.training.metrics import StepMetrics
from charrnn.training.optimizer import FlatWeights, Optimizer, WeightAverage
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
        device, self._world = resources.device, resources.world
        self.task = task
        self.device = device
        # Without the kernel PyTorch divides each of its operations among the threads.
        kernel = task.objective.find_kernel()
        shares = self._world.size == 1 and kernel is not None
        self.workers = Workers(task.plan.batch_size, torch.get_num_threads() if shares else None)
        weights = FlatWeights(task.network)
        self._world.copy_from_leader(weights.values)
        self.optimizer = Optimizer(weights, task.plan, self.workers, kernel)
        self.average = WeightAverage(weights, self.workers)
        self.steps = self.symbols = self.bad_steps = 0
        self.runs_ahead = device.type == "cuda"
        self._pending: list[tuple[Tensor, int]] = []  # nats and norm of each step on the device, and its predictions

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
        nats, after = self.task.objective.compute_gradients(batch, self.workers)
        norm = self.optimizer.collect_gradient(self._world)
        self._pending.append((torch.stack([nats, norm]), batch.count))
        self.steps += 1
        self.symbols += batch.symbols
        if not self.runs_ahead and not math.isfinite(norm):
            self.task.reset_state()
            return
        self.optimizer.step(rate, norm)
        self.average.update(self.steps, progress)  # of a step that the device skips, it hardly moves
        if self.runs_ahead:
            self.task.carry_unless(~torch.isfinite(norm), after)
        else:
            self.task.carry(after)

    def take_metrics(self) -> StepMetrics:
        """Metrics of the steps since the last call, those that changed nothing left out; updates `diverged`.

        Where the device runs ahead, this waits for it.
        """
        pending, self._pending, metrics = self._pending, [], StepMetrics()
        values = torch.stack([both for both, _ in pending]).tolist() if pending else []
        for (nats, norm), (_, count) in zip(values, pending, strict=True):
            if math.isfinite(norm):
                metrics.add(nats, count, norm)
                self.bad_steps = 0
            else:
                self.bad_steps += 1
        return metrics

    def state_tensors(self) -> dict[str, Tensor]:
        """Every tensor that decides how training continues, by name; most are not copied.

        All processes must call it at once, because the states that their readers carry are gathered.
        """
        named = {f"network.{name}": tensor for name, tensor in self.task.network.state_dict().items()}
        named.update({f"optimizer.{name}": tensor for name, tensor in self.optimizer.state_tensors().items()})
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
        self.bad_steps = state["bad_steps"]
        self.task.set_state(state, tensors)

    def go_back(self, tensors: Mapping[str, Tensor]) -> None:
        """Undo what was learned since `tensors` were copied, but read on from the present position."""
        self._load_weights(tensors)
        self.task.reset_state()
        self.bad_steps = 0

    def load_weights(self, weights: Tensors) -> None:
        """Learn on from these weights, and read on from the present position."""
        self.task.network.load(weights)
        self.average.load({name: torch.from_numpy(array) for name, array in weights.items()})
        self.task.reset_state()

    def _load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        self.task.network.load_state_dict(select_tensors(tensors, "network"))
        self.average.load(select_tensors(tensors, "average"))
        self.optimizer.load(select_tensors(tensors, "optimizer"))
