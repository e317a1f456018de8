"""From PyTorch's layers to the training kernel, step by step, on one CPU thread; and where the time of a step goes.

python scripts/benchmark.py kernel                     LSTM of 256 units, 16 x 64
python scripts/benchmark.py kernel --cell gru --hidden-size 100 --batch-size 50 --seq-len 200

All stages are measured in turns in one process, by the processor time of the thread, which other programs disturb
little, and the fastest of many runs counts. "limit" is the time that a large
product of PyTorch's would take for the operations of the step: six for each weight and character, the projection of
the inputs counted in full.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import pairwise
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from charrnn.model.config import GATES
from charrnn.native.recurrent.compiled import Kernel, load_kernel
from charrnn.training.kernel import recurrence
from charrnn.training.kernel.linear import make_linear
from charrnn.training.kernel.output import output_loss
from charrnn.training.kernel.recurrence import run_recurrence
from charrnn.training.kernel.update import KernelUpdate, load_update_functions
from charrnn.training.network.kernel_weights import make_layer_weights
from scripts.benchmarks.loops import CELLS
from scripts.common import table

SYMBOLS, EMBEDDING = 65, 64
STAGES = (
    "PyTorch's layers and optimizer",
    "the kernel's passes over the sequence",
    "the kernel's product for the gradient of the weights",
    "the first layer's inputs from a table",
    "the kernel's output layer and softmax",
    "the kernel's update of the weights",
)
PARTS = ("forward", "output layer and loss", "backward", "update")


class StagedStep:
    """A training step of one layer, with the first so many of the kernel's stages.

    Args:
        kernel: for the cell.
        options: cell, sizes.
        stage: index of the last of `STAGES` that is used.
    """

    def __init__(self, kernel: Kernel, options: argparse.Namespace, stage: int) -> None:
        self._kernel, self._stage = kernel, stage
        torch.manual_seed(0)
        units, batch = options.hidden_size, options.batch_size
        self._embedding, self._decoder = nn.Embedding(SYMBOLS, EMBEDDING), nn.Linear(units, SYMBOLS)
        self._layer = CELLS[options.cell](EMBEDDING, units)
        modules = (self._embedding, self._layer, self._decoder)
        self._parameters = [parameter for module in modules for parameter in module.parameters()]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=1e-3, fused=True)
        self._averages = {parameter: parameter.detach().clone() for parameter in self._parameters}
        functions = load_update_functions()
        assert functions is not None  # noqa: S101 - there is a kernel, so there are these
        self._update = KernelUpdate(functions, self._optimizer, self._averages)
        text = torch.randint(SYMBOLS, (options.seq_len + 1, batch))
        self._ids, self._targets = text[:-1].contiguous(), text[1:].flatten()
        self._state = [torch.zeros(batch, units) for _ in range(2 if options.cell == "lstm" else 1)]
        self._hidden = self._loss = torch.zeros(())

    def run_parts(self) -> list[Callable[[], None]]:
        """The functions to call one after the other, as in `PARTS`."""
        return [self.forward, self.score, self.backward, self.update]

    def forward(self) -> None:
        """The embedding and the recurrent layer."""
        if not self._stage:
            state = [part[None] for part in self._state]
            self._hidden, _ = self._layer(self._embedding(self._ids), tuple(state) if len(state) > 1 else state[0])
        elif self._stage < 3:
            weights = make_layer_weights(self._kernel, self._layer)
            projection = weights.projection
            assert not isinstance(projection, Tensor)  # noqa: S101 - without symbols there is no table
            inputs = F.linear(self._embedding(self._ids), projection.weight, projection.bias)
            self._hidden, _ = run_recurrence(weights.recurrence, inputs, None, tuple(self._state))
        else:
            weights = make_layer_weights(self._kernel, self._layer, symbols=[self._embedding.weight])
            self._hidden, _ = weights.run(self._ids, tuple(self._state))

    def score(self) -> None:
        """The output layer and the loss."""
        rows = self._hidden.flatten(0, 1)
        if self._stage < 4:
            self._loss = F.cross_entropy(self._decoder(rows), self._targets)
            return
        linear = make_linear(self._kernel, self._decoder.weight, self._decoder.bias)
        self._loss = output_loss(linear, rows, self._targets) / len(rows)

    def backward(self) -> None:
        """All gradients."""
        own = self._stage > 1
        with nullcontext() if own else patch.object(recurrence, "outer", _multiply_by_pytorch):
            gradients = torch.autograd.grad(self._loss, self._parameters)
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient

    def update(self) -> None:
        """Norm, clipping, AdamW and the average of the weights."""
        if self._stage < 5:
            nn.utils.clip_grad_norm_(self._parameters, 1.0)
            self._optimizer.step()
            torch._foreach_lerp_(list(self._averages.values()), [p.detach() for p in self._parameters], 0.01)
            return
        scale = min(1.0, 1.0 / (self._update.measure_norm() + 1e-6))
        self._update.apply(scale, 0.01, 1, _run_in_turn)


def _run_in_turn(work: Callable[[int], None], parts: Sequence[int]) -> None:
    for part in parts:
        work(part)


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


def count_operations(options: argparse.Namespace) -> int:
    """Operations of a step: six for each weight that is multiplied, and character."""
    units = options.hidden_size
    weights = GATES[options.cell] * units * (units + EMBEDDING) + units * SYMBOLS
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
    print(f"{options.cell} 1x{options.hidden_size}, batch {options.batch_size} x {options.seq_len}, one thread")
    print(f"limit {1000 * limit:.2f} ms\n")
    best = measure_stages([StagedStep(kernel, options, stage) for stage in range(len(STAGES))], options.times)
    totals = [sum(parts) for parts in best]
    gains = ["", *(f"{before / after - 1:+.0%}" for before, after in pairwise(totals))]
    rows = [
        (stage, f"{1000 * total:.2f}", gain, f"{limit / total:.2f}")
        for stage, total, gain in zip(STAGES, totals, gains, strict=True)
    ]
    print(table(["stage", "ms", "gain", "share of the limit"], rows, numeric=True))
    parts = [
        (part, f"{1000 * before:.2f}", f"{1000 * after:.2f}", f"{before / after:.2f}")
        for part, before, after in zip((*PARTS, "in all"), (*best[0], totals[0]), (*best[-1], totals[-1]), strict=True)
    ]
    print(table(["part", "PyTorch, ms", "kernel, ms", "times"], parts, numeric=True))


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `kernel`."""
    parser = commands.add_parser("kernel", help="the training kernel, stage by stage, beside PyTorch's layers")
    parser.add_argument("--cell", choices=CELLS, default="lstm")
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seq-len", type=int, default=64)
    parser.add_argument("--times", type=int, default=40, help="each stage is measured so often")
    parser.set_defaults(run=print_kernel)
