"""One step of learning: the arithmetic, and nothing about when to evaluate, report or save."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from charrnn.model.config import Tensors
from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.averaging import WeightAverage
from charrnn.training.data.documents import DocumentReaders
from charrnn.training.data.feeding import DocumentFeed, Feed, TextFeed, resident_text
from charrnn.training.data.readers import Readers
from charrnn.training.metrics import Tally, UnreadTally
from charrnn.training.network.initialization import initialize
from charrnn.training.network.language import CharRNN, State, detached
from charrnn.training.ranks import World
from charrnn.training.recipe.language import Plan
from charrnn.training.step import Gradients
from charrnn.training.workers import Workers

BETAS = (0.9, 0.99)  # beta 2: 0.97 was 0.013 nats worse at 13 s, 0.999 forgets too slowly for short runs
COUNTED = 1_000_000  # characters, to know how often each occurs
MAX_BAD_STEPS = 20  # in a row: by then it is not the text

Start = Callable[[Tensors], Tensors]


class Trainer:
    """A network, its optimizer, the readers that feed it and the state that they carry.

    All that decides how training goes on is in `state_tensors` and `state_json`, and in PyTorch's random state. Of
    several processes each has all of that, but carries the state of its own readers only.

    Args:
        start: makes the weights to start from, out of the ones drawn at random.
        world: this process among those that learn together.
        precision: of large products in a step.

    Attributes:
        runs_ahead: whether what steps have learned waits on a GPU until it is asked for.
    """

    def __init__(
        self,
        plan: Plan,
        corpus: Corpus | LabelledCorpus,
        device: torch.device,
        start: Start | None = None,
        world: World | None = None,
        precision: torch.dtype = torch.float32,
    ) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.device = device
        self.world = world or World()
        self.columns = self.world.share(plan.batch_size)
        self.network = CharRNN(plan.config, plan.dropout, plan.weight_dropout)
        glimpse = torch.from_numpy(corpus.sample(COUNTED).astype("int64"))
        initialize(self.network, torch.bincount(glimpse, minlength=plan.config.vocab_size))
        if start is not None:
            self.network.adopt(start(self.network.export()))
        self.network.to(device).train()
        self.network.flatten()
        self.readers, self.feed = _reading(plan, corpus, self.columns, device)
        threads = torch.get_num_threads() if device.type == "cpu" and self.world.size == 1 else None
        self.workers = Workers(plan.batch_size, threads)
        self.gradients = Gradients(self.network, plan.batch_size, self.workers, self.world, precision)
        self.optimizer = make_optimizer(self.network, plan)
        self.average = WeightAverage(self.network)
        self.state: State = self._clean_state()
        self.steps = 0
        self.chars = 0
        self.bad_steps = 0
        self.runs_ahead = device.type == "cuda"
        self._learned = Tally()
        self._unread = UnreadTally(device if self.runs_ahead else torch.device("cpu"))

    @property
    def diverged(self) -> bool:
        """Whether too many steps in a row had a gradient that was not finite."""
        return self.bad_steps >= MAX_BAD_STEPS

    def step(self, rate: float, progress: float) -> None:
        """Read on, and make one update at learning rate `rate`, when `progress` of the run is behind.

        A gradient that is not finite changes no weight. The gradient tells of the loss, too: scores that are not
        finite make all of it so. And it is the average over all processes, so they all decide alike.
        """
        window = self.feed.next(self.plan.seq_len)
        nats, after = self.gradients.compute(window, self.state)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.grad_clip)
        self.steps += 1
        self.chars += window.chars
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.runs_ahead:
            self._update_unread(norm, after, progress)
            self._unread.add(nats, window.chars, norm)
        elif math.isfinite(norm):
            self._update(after, progress)
            self._learned.add(float(nats), window.chars, float(norm))
        else:
            self._skip()

    def taken(self) -> Tally:
        """What the steps since this was last asked have learned; `diverged` knows of them from here on.

        Steps that changed nothing are not in it. Where the device runs ahead, this waits for it.
        """
        if self.runs_ahead:
            learned, self.bad_steps = self._unread.read()
            return learned
        learned, self._learned = self._learned, Tally()
        return learned

    def _clean_state(self) -> State:
        """Every reader of this process at the learned initial state."""
        count, labels = self.columns.stop - self.columns.start, None
        if self.network.label is not None:  # any will do: every document starts from its own
            labels = torch.zeros(count, dtype=torch.long, device=self.device)
        return detached(self.network.initial_state(count, labels))

    def _update(self, after: State, progress: float) -> None:
        self.optimizer.step()
        self.average.update(self.steps, progress)
        self.state = after
        self.bad_steps = 0

    def _skip(self) -> None:
        """Leave the weights as they are, and let every reader begin with a clean state."""
        self.bad_steps += 1
        self.optimizer.zero_grad(set_to_none=True)
        self.state = self._clean_state()

    def _update_unread(self, norm: Tensor, after: State, progress: float) -> None:
        """Update or skip, as the device finds; nobody waits to hear which. A skipped step's average stays, nearly."""
        bad = ~torch.isfinite(norm)
        self.optimizer.found_inf = bad.float()  # type: ignore[attr-defined] # as torch.amp tells the fused kernel
        self.optimizer.step()
        self.average.update(self.steps, progress)
        self.state = tuple(torch.where(bad, clean, new) for clean, new in zip(self._clean_state(), after, strict=True))

    def state_tensors(self) -> dict[str, Tensor]:
        """Every tensor that decides how training goes on, by name; live, so copy what is to be kept.

        All processes have to ask at once: what each of their readers carries is brought together.
        """
        named = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for index, found in self.optimizer.state_dict()["state"].items():
            named.update({f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in found.items()})
        named.update({f"average.{name}": tensor for name, tensor in self.average.tensors().items()})
        carried = (self.world.whole(part, self.plan.batch_size) for part in self.state)
        named.update({f"carried.{index}": part for index, part in enumerate(carried)})
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
        whole = (tensors[f"carried.{index}"] for index in range(len(self.state)))
        self.state = tuple(part[:, self.columns].to(self.device).contiguous() for part in whole)
        self.steps, self.chars = state["steps"], state["chars"]
        self._begin_count(state["bad_steps"])
        self.readers.restore(state["readers"])

    def go_back(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what was learned since `tensors` were copied, but read on where the readers are."""
        self._restore_weights(tensors)
        self.state = self._clean_state()
        self._begin_count(0)

    def _begin_count(self, bad_steps: int) -> None:
        self.bad_steps = bad_steps
        self._unread.bad.fill_(bad_steps)

    def _restore_weights(self, tensors: Mapping[str, Tensor]) -> None:
        self.network.load_state_dict(_part(tensors, "network."))
        self.average.restore(_part(tensors, "average."))
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, "optimizer.").items():
            index, _, key = name.partition(".")
            states.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})


def _reading(
    plan: Plan, corpus: Corpus | LabelledCorpus, columns: slice, device: torch.device
) -> tuple[Readers | DocumentReaders, Feed]:
    """Whatever walks through this kind of corpus, and what makes tensors of what these columns read."""
    if isinstance(corpus, LabelledCorpus):
        documents = DocumentReaders(corpus.train, plan.batch_size, plan.seed)
        return documents, DocumentFeed(documents, columns, device)
    line_end = corpus.vocabulary.encode("\n")[0]
    readers = Readers(
        corpus.train,
        plan.batch_size,
        restart=plan.restart,
        seed=plan.seed,
        line_end=None if line_end < 0 else int(line_end),
    )
    return readers, TextFeed(readers, columns, device, resident_text(corpus.train, plan.config.vocab_size, device))


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
