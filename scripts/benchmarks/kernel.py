"""From PyTorch's layers to the training kernel, step by step, on one CPU thread; and where the time of a step goes.

python scripts/benchmark.py kernel                     LSTM of 256 units, 16 x 64
python scripts/benchmark.py kernel --cell gru --hidden-size 100 --batch-size 50 --seq-len 200

All stages are measured in turns in one process, by the processor time of the thread, which other programs disturb
little, and the fastest of many runs counts. "limit" is the time that a large product of PyTorch's would take for the
operations of the step: six for each weight and character, the projection of the inputs counted in full.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from ctypes import byref
from itertools import pairwise
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from charrnn.model.config import GATES, ModelConfig
from charrnn.native.recurrent.compiled import FUNCTIONS, Kernel, load_kernel
from charrnn.native.recurrent.recording import Recording
from charrnn.training.data.feeding import LanguageBatch
from charrnn.training.devices.workers import Workers
from charrnn.training.kernel import recurrence
from charrnn.training.network.kernel_weights import make_layer_weights
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_step import LanguageStep
from scripts.common import table

SYMBOLS, EMBEDDING = 65, 64
STAGES = (
    "PyTorch's layers and optimizer",
    "the kernel's passes over the sequence",
    "the kernel's product for the gradient of the weights",
    "the first layer's inputs from a table",
    "lists of calls instead of a graph, including the output layer",
)
LISTS = 4  # the first stage without a graph
PARTS = ("forward", "output layer and loss", "backward", "update")


class StagedStep:
    """A training step that uses the kernel's stages up to one of them.

    Args:
        kernel: for the cell.
        options: cell, sizes.
        stage: index of the last of `STAGES` that is used.
    """

    def __init__(self, kernel: Kernel, options: argparse.Namespace, stage: int) -> None:
        self._kernel, self._stage = kernel, stage
        torch.manual_seed(0)
        self._network = CharRNN(ModelConfig(options.cell, options.layers, options.hidden_size, EMBEDDING, SYMBOLS))
        self._parameters = list(self._network.parameters())
        self._optimizer = torch.optim.AdamW(self._parameters, lr=1e-3, fused=True)
        self._averages = {parameter: parameter.detach().clone() for parameter in self._parameters}
        self._workers = Workers(options.batch_size, 1)
        text = torch.randint(SYMBOLS, (options.seq_len + 1, options.batch_size))
        restarted = torch.zeros(options.batch_size, dtype=torch.bool)
        state = tuple(part.detach() for part in self._network.initial_state(options.batch_size))
        self._batch = LanguageBatch(text[:-1], text[1:], restarted, text[1:].numel(), state=state)
        self._step = LanguageStep(self._network, kernel, self._workers, self._batch)
        self._hidden = self._loss = torch.zeros(())

    def run_parts(self) -> list[Callable[[], None]]:
        """The functions to call one after the other, as in `PARTS`."""
        return [self.forward, self.score, self.backward, self.update]

    def forward(self) -> None:
        """The embedding and the recurrent layers; without a graph, the whole gradient."""
        if self._stage >= LISTS:
            _, _, gradients = self._step.compute(self._batch)
            for parameter, gradient in zip(self._parameters, gradients, strict=True):
                parameter.grad = gradient
            return
        network, batch = self._network, self._batch
        self._hidden = batch.inputs if self._stage > 2 else network.embed(batch.inputs, None)
        for k, layer in enumerate(network.rnn):
            state = tuple(part[k] for part in batch.state)
            if not self._stage:
                before = tuple(part[None] for part in state)
                self._hidden, _ = layer(self._hidden, before if len(before) > 1 else before[0])
                continue
            embedding = network.embedding if self._stage > 2 and not k else None
            symbols = None if embedding is None else [embedding.weight]
            weights = make_layer_weights(self._kernel, layer, symbols=symbols)
            self._hidden, _ = weights.run(self._hidden, state)

    def score(self) -> None:
        """The output layer and the loss."""
        if self._stage < LISTS:
            scores = self._network.decoder(self._hidden.flatten(0, 1))
            self._loss = F.cross_entropy(scores, self._batch.targets.flatten())

    def backward(self) -> None:
        """All gradients."""
        if self._stage >= LISTS:
            return
        with patch.object(recurrence, "outer", _multiply_by_pytorch) if self._stage < 2 else nullcontext():
            gradients = torch.autograd.grad(self._loss, self._parameters, allow_unused=True)
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            unused: bool = gradient is None
            parameter.grad = torch.zeros_like(parameter) if unused else gradient

    def update(self) -> None:
        """Norm, clipping, AdamW and the average of the weights."""
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        torch._foreach_lerp_(list(self._averages.values()), [p.detach() for p in self._parameters], 0.01)


def _multiply_by_pytorch(kernel: Kernel, a: Tensor, b: Tensor) -> Tensor:  # noqa: ARG001
    return a.t() @ b


def measure_call(function: Callable[[], object]) -> float:
    """The processor time of a call, in seconds."""
    begin = time.thread_time()
    function()
    return time.thread_time() - begin


def measure_stages(steps: list[StagedStep], times: int) -> list[list[float]]:
    """The seconds of each part of each step, fastest of some times, measured in turns."""
    best = [[float("inf")] * len(PARTS) for _ in steps]
    for _ in range(times):
        for stage, step in enumerate(steps):
            for part, run in enumerate(step.run_parts()):
                best[stage][part] = min(best[stage][part], measure_call(run))
    return best


def measure_functions(step: StagedStep, times: int) -> dict[str, float]:
    """The seconds that a step spends in each of the kernel's functions, fastest of some times."""
    best: dict[str, float] = defaultdict(lambda: float("inf"))
    names = list(FUNCTIONS)
    for _ in range(times):
        seconds: dict[str, float] = defaultdict(float)

        def run(recording: Recording, seconds: dict[str, float] = seconds) -> None:
            for call in recording.calls:
                seconds[names[call.function]] += measure_call(lambda: recording.kernel.run(byref(call), 1))  # noqa: B023

        with patch.object(Recording, "run", run):
            step.forward()
        for name, value in seconds.items():
            best[name] = min(best[name], value)
    return best


def count_operations(options: argparse.Namespace) -> int:
    """Operations of a step: six for each weight that is multiplied, and character."""
    units = options.hidden_size
    inputs = EMBEDDING + (options.layers - 1) * units
    weights = GATES[options.cell] * units * (options.layers * units + inputs) + units * SYMBOLS
    operations: int = 6 * weights * options.batch_size * options.seq_len
    return operations


def print_kernel(options: argparse.Namespace) -> None:
    """Print the stages and the parts of a step."""
    kernel = load_kernel(options.cell)
    if kernel is None:
        print("the kernel does not run on this machine")
        return
    torch.set_num_threads(1)
    a = torch.randn(1536, 1536)
    limit = min(measure_call(lambda: a @ a) for _ in range(20)) * count_operations(options) / (2 * 1536**3)
    sizes = f"{options.layers}x{options.hidden_size}, batch {options.batch_size} x {options.seq_len}"
    print(f"{options.cell} {sizes}, one thread")
    print(f"limit {1000 * limit:.2f} ms\n")
    steps = [StagedStep(kernel, options, stage) for stage in range(len(STAGES))]
    best = measure_stages(steps, options.times)
    totals = [sum(parts) for parts in best]
    gains = ["", *(f"{before / after - 1:+.0%}" for before, after in pairwise(totals))]
    rows = [
        (stage, f"{1000 * total:.2f}", gain, f"{limit / total:.2f}")
        for stage, total, gain in zip(STAGES, totals, gains, strict=True)
    ]
    print(table(["stage", "ms", "gain", "share of the limit"], rows, numeric=True))
    before = [(part, f"{1000 * seconds:.2f}") for part, seconds in zip(PARTS, best[0], strict=True)]
    print(table(["PyTorch", "ms"], before, numeric=True))
    functions = measure_functions(steps[-1], options.times)
    after = [
        *functions.items(),
        ("Python and PyTorch", best[-1][0] - sum(functions.values())),
        ("update", best[-1][-1]),
    ]
    print(table(["kernel", "ms"], [(name, f"{1000 * seconds:.2f}") for name, seconds in after], numeric=True))


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `kernel`."""
    parser = commands.add_parser("kernel", help="the training kernel, stage by stage, compared with PyTorch's layers")
    parser.add_argument("--cell", choices=GATES, default="lstm")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seq-len", type=int, default=64)
    parser.add_argument("--times", type=int, default=40, help="number of measurements of each stage")
    parser.set_defaults(run=print_kernel)
