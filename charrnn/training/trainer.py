"""One step of learning: the arithmetic, and nothing about when to evaluate, report or save."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from charrnn.model import Tensors
from charrnn.text.corpus import Corpus
from charrnn.text.labelled import LabelledCorpus
from charrnn.training.averaging import WeightAverage
from charrnn.training.documents import DocumentReaders
from charrnn.training.gradients import Gradients
from charrnn.training.initialization import initialize
from charrnn.training.network import CharRNN, State, detached
from charrnn.training.readers import Readers
from charrnn.training.recipe import Plan
from charrnn.training.workers import Workers

BETAS = (0.9, 0.99)  # beta 2: 0.97 was 0.013 nats worse at 13 s, 0.999 forgets too slowly for short runs
COUNTED = 1_000_000  # characters, to know how often each occurs
MAX_BAD_STEPS = 20  # in a row: by then it is not the text

Start = Callable[[Tensors], Tensors]


@dataclass
class Tally:
    """Sums over the steps since it was last cleared: exact means come from sums over counts."""

    nats: float = 0.0
    chars: int = 0
    norm: float = 0.0
    steps: int = 0

    @property
    def loss(self) -> float:
        """Mean nats per character."""
        return self.nats / self.chars if self.chars else math.nan

    @property
    def grad_norm(self) -> float:
        """Mean gradient norm before clipping."""
        return self.norm / self.steps if self.steps else math.nan

    def add(self, nats: float, chars: int, norm: float) -> None:
        """Take one step in."""
        self.nats, self.chars = self.nats + nats, self.chars + chars
        self.norm, self.steps = self.norm + norm, self.steps + 1


class Trainer:
    """A network, its optimizer, the readers that feed it and the state that they carry.

    All that decides how training goes on is in `state_tensors` and `state_json`, and in PyTorch's random state.

    Args:
        start: makes the weights to start from, out of the ones drawn at random.
    """

    def __init__(
        self, plan: Plan, corpus: Corpus | LabelledCorpus, device: torch.device, start: Start | None = None
    ) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.device = device
        self.network = CharRNN(plan.config, plan.dropout)
        glimpse = torch.from_numpy(corpus.glimpse(COUNTED).astype("int64"))
        initialize(self.network, torch.bincount(glimpse, minlength=plan.config.vocab_size))
        if start is not None:
            self.network.adopt(start(self.network.export()))
        self.network.to(device).train()
        self.optimizer = make_optimizer(self.network, plan)
        self.readers = _readers(plan, corpus)
        threads = torch.get_num_threads() if device.type == "cpu" else None
        self.workers = Workers(plan.batch_size, threads)
        self.gradients = Gradients(self.network, self.workers)
        self.average = WeightAverage(self.network)
        self.state: State = self._clean_state()
        self.steps = 0
        self.chars = 0
        self.bad_steps = 0

    @property
    def diverged(self) -> bool:
        """Whether too many steps in a row had a loss or gradient that was not finite."""
        return self.bad_steps >= MAX_BAD_STEPS

    def step(self, rate: float, progress: float) -> tuple[float, int, float]:
        """Read on, and make one update at learning rate `rate`, when `progress` of the run is behind.

        Returns the summed loss in nats, over how many characters, and the gradient's norm before clipping. A
        loss or gradient that is not finite changes no weight.
        """
        batch = self.readers.next_batch(self.plan.seq_len)
        nats, after = self.gradients.compute(batch, self.state)
        norm = float(torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.grad_clip))
        self.steps += 1
        self.chars += batch.chars
        if math.isfinite(nats) and math.isfinite(norm):
            self._update(rate)
            self.average.update(self.steps, progress)
            self.state = after
            self.bad_steps = 0
            return nats, batch.chars, norm
        self._skip()
        return 0.0, 0, 0.0

    def _clean_state(self) -> State:
        """Every reader at the learned initial state."""
        labels = None
        if self.network.label is not None:  # any will do: every document starts from its own
            labels = torch.zeros(self.plan.batch_size, dtype=torch.long, device=self.device)
        return detached(self.network.initial_state(self.plan.batch_size, labels))

    def _update(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()

    def _skip(self) -> None:
        """Leave the weights as they are, and let every reader begin with a clean state."""
        self.bad_steps += 1
        self.optimizer.zero_grad(set_to_none=True)
        self.state = self._clean_state()

    def state_tensors(self) -> dict[str, Tensor]:
        """Every tensor that decides how training goes on, by name; live, so copy what is to be kept."""
        named = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for index, found in self.optimizer.state_dict()["state"].items():
            named.update({f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in found.items()})
        named.update({f"average.{name}": tensor for name, tensor in self.average.tensors().items()})
        named.update({f"carried.{index}": part for index, part in enumerate(self.state)})
        return named

    def state_json(self) -> dict[str, Any]:
        """Everything else that does."""
        return {
            "steps": self.steps,
            "chars": self.chars,
            "bad_steps": self.bad_steps,
            "readers": self.readers.state(),
        }

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Go on from copies of what `state_tensors` and `state_json` gave."""
        self._restore_weights(tensors)
        self.state = tuple(tensors[f"carried.{index}"].to(self.device) for index in range(len(self.state)))
        self.steps, self.chars, self.bad_steps = state["steps"], state["chars"], state["bad_steps"]
        self.readers.restore(state["readers"])

    def go_back(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what was learned since `tensors` were copied, but read on where the readers are."""
        self._restore_weights(tensors)
        self.state = self._clean_state()
        self.bad_steps = 0

    def _restore_weights(self, tensors: Mapping[str, Tensor]) -> None:
        self.network.load_state_dict(_part(tensors, "network."))
        self.average.restore(_part(tensors, "average."))
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, "optimizer.").items():
            index, _, key = name.partition(".")
            states.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})


def _readers(plan: Plan, corpus: Corpus | LabelledCorpus) -> Readers | DocumentReaders:
    """Whatever walks through this kind of corpus."""
    if isinstance(corpus, LabelledCorpus):
        return DocumentReaders(corpus.train, plan.batch_size, plan.seed)
    line_end = corpus.vocabulary.encode("\n")[0]
    return Readers(
        corpus.train,
        plan.batch_size,
        restart=plan.restart,
        seed=plan.seed,
        line_end=None if line_end < 0 else int(line_end),
    )


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def make_optimizer(network: CharRNN, plan: Plan) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019); matrices decay, biases and the initial state do not."""
    named = list(network.named_weights())
    matrices = [p for name, p in named if p.ndim > 1 and not name.startswith("initial")]
    others = [p for name, p in named if p.ndim == 1 or name.startswith("initial")]
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.lr, betas=BETAS, fused=matrices[0].device.type in ("cpu", "cuda"))
