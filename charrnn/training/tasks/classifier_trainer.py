"""One step of learning to tell texts apart: the arithmetic, and nothing about when to evaluate, report or save."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.averaging import WeightAverage
from charrnn.training.data.batches import Batch, Batches
from charrnn.training.network.classifier import Masks, TextClassifier
from charrnn.training.network.initialization import initialize
from charrnn.training.ranks import World
from charrnn.training.recipe.classifier import ClassifierPlan
from charrnn.training.trainer import BETAS, MAX_BAD_STEPS
from charrnn.training.workers import Workers

MOMENTUM = 0.9  # of SGD


class ClassifierTrainer:
    """A network, its optimizer and the batches that feed it.

    All that decides how training goes on is in `state_tensors` and `state_json`, and in PyTorch's random state.
    """

    def __init__(self, plan: ClassifierPlan, corpus: LabelledCorpus, device: torch.device) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.device = device
        self.world = World()  # classifiers learn in one process
        self.network = TextClassifier(plan.config)
        counts = np.bincount(corpus.train.labels, minlength=plan.config.classes)
        initialize(self.network, torch.from_numpy(counts))
        self.network.to(device).train()
        self.optimizer = make_optimizer(self.network, plan)
        self.batches = Batches(corpus.train, plan.batch_size, plan.seq_len, plan.seed)
        self.workers = Workers(plan.batch_size, torch.get_num_threads() if device.type == "cpu" else None)
        self.average = WeightAverage(self.network)
        self.class_weights: Tensor | None = None
        if plan.class_weights:
            self.class_weights = torch.from_numpy(balanced(counts)).to(device)
        self._parameters = list(self.network.parameters())
        self._unknown = corpus.vocabulary.unknown
        self.steps = self.chars = self.documents = self.bad_steps = 0

    @property
    def diverged(self) -> bool:
        """Whether too many steps in a row had a loss or gradient that was not finite."""
        return self.bad_steps >= MAX_BAD_STEPS

    def step(self, rate: float, progress: float) -> tuple[float, int, float]:
        """One update at learning rate `rate`, when `progress` of the run is behind.

        Returns the summed loss in nats, over how many documents, and the gradient's norm before clipping. A loss
        or gradient that is not finite changes no weight.
        """
        batch = self._disturbed(self.batches.next_batch())
        nats = self._gradients(batch)
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters, self.plan.grad_clip))
        self.steps += 1
        self.chars += batch.symbols
        self.documents += len(batch.labels)
        if math.isfinite(nats) and math.isfinite(norm):
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
            self.average.update(self.steps, progress)
            self.bad_steps = 0
            return nats, len(batch.labels), norm
        self.bad_steps += 1
        self.optimizer.zero_grad(set_to_none=True)
        return 0.0, 0, 0.0

    def _disturbed(self, batch: Batch) -> Batch:
        """Some characters taken for unknown ones: the network learns what those mean, and not to rely on any one."""
        ids = batch.ids
        if self.plan.noise and self._unknown is not None:
            hit = torch.rand(ids.shape) < self.plan.noise
            hit[(batch.lengths - 1), torch.arange(ids.shape[1])] = False  # the end is no character
            ids = ids.masked_fill(hit, self._unknown)
        return Batch(ids.to(self.device), batch.lengths.to(self.device), batch.labels.to(self.device))

    def _gradients(self, batch: Batch) -> float:
        """Set every parameter's gradient of the mean loss; returns the summed loss in nats."""
        plan, count = self.plan, len(batch.labels)
        masks = self.network.draw_masks(count, plan.input_dropout, plan.dropout)
        shares = [part for part in self.workers.shares(count) if part.stop > part.start]

        def work(part: slice) -> tuple[float, Sequence[Tensor]]:
            return self._of_share(batch.columns(part), masks.columns(part), count)

        done = self.workers.map(work, shares)
        for k, parameter in enumerate(self._parameters):
            parameter.grad = sum((found[k] for _, found in done[1:]), start=done[0][1][k])
        return sum(nats for nats, _ in done)

    def _of_share(self, batch: Batch, masks: Masks, count: int) -> tuple[float, Sequence[Tensor]]:
        """Summed loss, and gradients of loss / count, of some of the documents."""
        scores = self.network(batch.ids, batch.lengths, masks)
        smoothed = F.cross_entropy(
            scores, batch.labels, self.class_weights, reduction="sum", label_smoothing=self.plan.label_smoothing
        )
        gradients = torch.autograd.grad(smoothed / count, self._parameters)
        nats = F.cross_entropy(scores.detach(), batch.labels, reduction="sum")
        return nats.item(), gradients

    def state_tensors(self) -> dict[str, Tensor]:
        """Every tensor that decides how training goes on, by name; live, so copy what is to be kept."""
        named = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for index, found in self.optimizer.state_dict()["state"].items():
            kept = {key: value for key, value in found.items() if value is not None}
            named.update({f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in kept.items()})
        named.update({f"average.{name}": tensor for name, tensor in self.average.tensors().items()})
        return named

    def state_json(self) -> dict[str, Any]:
        """Everything else that does."""
        counters = {name: getattr(self, name) for name in ("steps", "chars", "documents", "bad_steps")}
        return {**counters, "batches": self.batches.state()}

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Go on from copies of what `state_tensors` and `state_json` gave."""
        self.go_back(tensors)
        self.steps, self.chars = state["steps"], state["chars"]
        self.documents, self.bad_steps = state["documents"], state["bad_steps"]
        self.batches.restore(state["batches"])

    def go_back(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what was learned since `tensors` were copied, but go on with the batches."""
        self.network.load_state_dict(_part(tensors, "network."))
        self.average.restore(_part(tensors, "average."))
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, "optimizer.").items():
            index, _, key = name.partition(".")
            states.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})
        self.bad_steps = 0


def balanced(counts: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A weight for each class (K,), from its documents (K,): each class counts the same, the mean document 1.

    `balanced([90, 10]) == [0.556, 5.0]`
    """
    present = np.maximum(counts, 1)
    found: np.ndarray[Any, np.dtype[np.float32]] = (counts.sum() / (np.count_nonzero(counts) * present)).astype("f4")
    return found


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def make_optimizer(network: TextClassifier, plan: ClassifierPlan) -> torch.optim.Optimizer:
    """AdamW, whose decay spares biases and the initial state, or SGD with momentum."""
    named = list(network.named_weights())
    matrices = [p for name, p in named if p.ndim > 1 and not name.startswith("initial")]
    others = [p for name, p in named if p.ndim == 1 or name.startswith("initial")]
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.lr, momentum=MOMENTUM)
    return torch.optim.AdamW(groups, lr=plan.lr, betas=BETAS, fused=matrices[0].device.type in ("cpu", "cuda"))
