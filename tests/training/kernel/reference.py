"""Recurrent layers in NumPy, forward and backward, one step and one equation at a time; and the kernel on the same.

T steps, B samples, H units, G gates. The equations are those of `charrnn.native.recurrent.lstm`, `gru` and `rnn`.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.model.config import GATES
from charrnn.native.processor import Processor, Tiling
from charrnn.native.recurrent.compiled import Kernel, compile_kernel, link_kernel
from charrnn.training.kernel.recurrence import make_recurrence, run_recurrence

Array = NDArray[Any]
TILINGS = [Tiling(16, 2, 8, 4), Tiling(8, 3, 4, 4), Tiling(4, 2, 4, 4)]  # those of all processors


@cache
def build_kernel(cell: str, tiling: Tiling = TILINGS[0], *, bf16: bool = False, native: bool = True) -> Kernel:
    """A kernel; a bf16 one without the processor's instruction for pairs if it is not `native`."""
    processor = Processor()
    processor.has_bfloat16 &= native
    return link_kernel(processor, compile_kernel(processor, cell, tiling, bf16=bf16))


def sigmoid(x: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-x))
    return result


@dataclass
class Problem:
    """A layer's inputs, and the gradients that its outputs (T, B, H) and last states (B, H) get.

    `inputs` are projected: (T, B, G*H), or with `symbols` (T, B) a table (V, G*H). `state` are one or two (B, H).
    """

    cell: str
    inputs: Array
    symbols: Array | None
    weight: Array
    bias: Array | None
    state: list[Array]
    grad_outputs: Array
    grad_state: list[Array]
    steps: list[dict[str, Array]] = field(default_factory=list)

    @classmethod
    def draw(cls, cell: str, sizes: tuple[int, int, int], *, table: bool = True, seed: int = 0) -> "Problem":
        steps, samples, units = sizes
        draw, gates, symbols = np.random.default_rng(seed), GATES[cell], 5

        def normal(*shape: int, scale: float = 1.0) -> Array:
            return (scale * draw.standard_normal(shape)).astype(np.float32).astype(np.float64)

        states = 2 if cell == "lstm" else 1
        return cls(
            cell,
            normal(symbols, gates * units) if table else normal(steps, samples, gates * units),
            draw.integers(symbols, size=(steps, samples)) if table else None,
            normal(gates * units, units, scale=units**-0.5),
            normal(units) if cell == "gru" else None,
            [normal(samples, units) for _ in range(states)],
            normal(steps, samples, units),
            [normal(samples, units) for _ in range(states)],
        )

    @property
    def parts(self) -> list[Array]:
        """Everything that has a gradient."""
        return [self.inputs, self.weight, *([] if self.bias is None else [self.bias]), *self.state]

    def forward(self) -> tuple[Array, list[Array]]:
        """Outputs and last states."""
        state, outputs = [part.copy() for part in self.state], []
        self.steps = []
        for t in range(len(self.grad_outputs)):
            x = self.inputs[t] if self.symbols is None else self.inputs[self.symbols[t]]
            kept, state = FORWARD[self.cell](self, x, state)
            self.steps.append(kept)
            outputs.append(state[0])
        return np.stack(outputs), state

    def backward(self) -> list[Array]:
        """Gradients of `parts`, after `forward`."""
        grad_state = [part.copy() for part in self.grad_state]
        grad_inputs, grad_weight = np.zeros_like(self.inputs), np.zeros_like(self.weight)
        grad_bias = None if self.bias is None else np.zeros_like(self.bias)
        for t in reversed(range(len(self.grad_outputs))):
            grad_state[0] = grad_state[0] + self.grad_outputs[t]
            kept = self.steps[t]
            grad_x, grad_projected, grad_state = BACKWARD[self.cell](kept, grad_state)
            grad_state[0] = grad_state[0] + grad_projected @ self.weight
            grad_weight += grad_projected.T @ kept["h"]
            if grad_bias is not None:
                grad_bias += grad_projected[:, -len(grad_bias) :].sum(axis=0)
            if self.symbols is None:
                grad_inputs[t] += grad_x
            else:
                np.add.at(grad_inputs, self.symbols[t], grad_x)
        return [grad_inputs, grad_weight, *([] if grad_bias is None else [grad_bias]), *grad_state]

    def loss(self) -> float:
        """What `backward` differentiates."""
        outputs, state = self.forward()
        of_state = sum(float((a * b).sum()) for a, b in zip(state, self.grad_state, strict=True))
        return float((outputs * self.grad_outputs).sum()) + of_state

    def run_kernel(self, kernel: Kernel) -> tuple[list[Array], list[Array]]:
        """Outputs and last states, and the gradients of `parts`, by the kernel in float32."""
        parts = [torch.from_numpy(part.astype(np.float32)).requires_grad_() for part in self.parts]
        inputs, weight, *others = parts
        bias = others.pop(0) if self.bias is not None else None
        symbols = None if self.symbols is None else torch.from_numpy(self.symbols)
        outputs, state = run_recurrence(make_recurrence(kernel, weight, bias), inputs, symbols, tuple(others))
        gradients = [torch.from_numpy(part.astype(np.float32)) for part in (self.grad_outputs, *self.grad_state)]
        by_parts = torch.autograd.grad([outputs, *state], parts, gradients)
        return [part.detach().numpy() for part in (outputs, *state)], [part.numpy() for part in by_parts]


def lstm_forward(problem: Problem, x: Array, state: list[Array]) -> tuple[dict[str, Array], list[Array]]:
    h, c = state
    i, f, g, o = np.split(x + h @ problem.weight.T, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    new = f * c + i * g
    return {"h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "new": new}, [o * np.tanh(new), new]


def lstm_backward(kept: dict[str, Array], grad_state: list[Array]) -> tuple[Array, Array, list[Array]]:
    i, f, g, o, tanh = kept["i"], kept["f"], kept["g"], kept["o"], np.tanh(kept["new"])
    grad_hidden, grad_cell = grad_state
    grad_cell = grad_cell + grad_hidden * o * (1 - tanh**2)
    grad_gates = [grad_cell * g * i * (1 - i), grad_cell * kept["c"] * f * (1 - f), grad_cell * i * (1 - g**2)]
    joined = np.concatenate([*grad_gates, grad_hidden * tanh * o * (1 - o)], axis=1)
    return joined, joined, [np.zeros_like(grad_hidden), grad_cell * f]


def gru_forward(problem: Problem, x: Array, state: list[Array]) -> tuple[dict[str, Array], list[Array]]:
    (h,) = state
    assert problem.bias is not None
    (xr, xz, xn), (sr, sz, sn) = np.split(x, 3, axis=1), np.split(h @ problem.weight.T, 3, axis=1)
    r, z, s = sigmoid(xr + sr), sigmoid(xz + sz), sn + problem.bias
    n = np.tanh(xn + r * s)
    return {"h": h, "r": r, "z": z, "s": s, "n": n}, [(1 - z) * n + z * h]


def gru_backward(kept: dict[str, Array], grad_state: list[Array]) -> tuple[Array, Array, list[Array]]:
    h, r, z, s, n = (kept[name] for name in "hrzsn")
    (grad_hidden,) = grad_state
    grad_z, grad_n = grad_hidden * (h - n) * z * (1 - z), grad_hidden * (1 - z) * (1 - n**2)
    grad_r = grad_n * s * r * (1 - r)
    return np.hstack([grad_r, grad_z, grad_n]), np.hstack([grad_r, grad_z, grad_n * r]), [grad_hidden * z]


def rnn_forward(problem: Problem, x: Array, state: list[Array]) -> tuple[dict[str, Array], list[Array]]:
    (h,) = state
    new = np.tanh(x + h @ problem.weight.T)
    return {"h": h, "new": new}, [new]


def rnn_backward(kept: dict[str, Array], grad_state: list[Array]) -> tuple[Array, Array, list[Array]]:
    grad_sum = grad_state[0] * (1 - kept["new"] ** 2)
    return grad_sum, grad_sum, [np.zeros_like(grad_sum)]


FORWARD = {"lstm": lstm_forward, "gru": gru_forward, "rnn": rnn_forward}
BACKWARD = {"lstm": lstm_backward, "gru": gru_backward, "rnn": rnn_backward}


def relative_error(found: Array, wanted: Array) -> float:
    """The largest error, as a share of the largest number; sums that nearly cancel are compared with their terms."""
    return float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), 0.2))
