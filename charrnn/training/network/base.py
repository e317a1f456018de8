"""What all networks have in common: recurrent layers, a linear layer, weights under the model file's names, dropout."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that everyone uses

from charrnn.errors import TrainingError
from charrnn.model.config import ModelConfig, Tensors
from charrnn.native.recurrent.compiled import Kernel, load_kernel
from charrnn.training.devices.workers import Workers
from charrnn.training.network.precision import lower_precision

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
FORGET_BIAS = 1.0  # remember by default (Gers et al. 2000; Jozefowicz et al. 2015)
State = tuple[Tensor, ...]  # hidden (L, B, H), and for the LSTM cell (L, B, H)


class Batch(Protocol):
    """The columns of a step that this process computes.

    Attributes:
        count: predictions of all processes, over which the loss is averaged.
        symbols: symbols that all processes read.
    """

    @property
    def count(self) -> int: ...  # noqa: D102
    @property
    def symbols(self) -> int: ...  # noqa: D102


class Objective(Protocol):
    """What a task minimises."""

    def find_kernel(self) -> Kernel | None:
        """The kernel that computes it, with the workers' help; None where PyTorch does."""

    def compute_gradients(self, batch: Any, workers: Workers) -> tuple[Tensor, State]:
        """Set the gradient of every parameter to that of the summed loss of these columns over `batch.count`.

        Returns the summed loss to report in nats, and the state to carry over (tensors (L, b, H), if any), detached.
        """


@dataclass(frozen=True)
class Masks:
    """The dropout of one step: factors, zero for what is dropped; an empty tuple where nothing is dropped.

    Attributes:
        outputs: of each layer's outputs, (1, B, ...); of a classifier's last layer, those of the pooled outputs.
        recurrent: of each layer's state-to-state matrix, in its shape.
        inputs: of the embedding, (1, B, E).
    """

    outputs: tuple[Tensor, ...] = ()
    recurrent: tuple[Tensor, ...] = ()
    inputs: Tensor | None = None

    def columns(self, part: slice) -> Self:
        """The masks of some of the columns."""
        inputs = None if self.inputs is None else self.inputs[:, part]
        return type(self)(tuple(mask[:, part] for mask in self.outputs), self.recurrent, inputs)


NO_MASKS = Masks()


class RecurrentNetwork(nn.Module):
    """A network of recurrent layers, with learned initial states, and a linear layer.

    Attributes:
        config: sizes.
        embedding: None for one-hot input.
        rnn: PyTorch's recurrent layers, one for each layer and direction.
        decoder: the linear layer.
        uses_kernel: whether the kernel computes the recurrent layers where it can.
    """

    config: Any

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.uses_kernel = True
        shapes = config.shapes()
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size) if config.embedding_size else None
        self.rnn = nn.ModuleList(
            CELLS[config.cell](shapes[f"rnn.weight_ih{suffix}"][1], config.hidden_size)
            for layer in range(config.layers)
            for suffix in config.suffixes(layer)
        )
        outputs, features = shapes["decoder.weight"]
        self.decoder = nn.Linear(features, outputs)
        self.initial_hidden = nn.Parameter(torch.zeros(shapes["initial_hidden"]))
        self.initial_cell = nn.Parameter(torch.zeros(shapes["initial_cell"])) if config.cell == "lstm" else None

    @property
    def initial_states(self) -> list[nn.Parameter]:
        """The learned initial hidden states and, of an LSTM, cell states."""
        return [self.initial_hidden, *([] if self.initial_cell is None else [self.initial_cell])]

    def find_kernel(self) -> Kernel | None:
        """The kernel for this network; None where PyTorch's layers are to compute it.

        It computes on a CPU with weights in float32, and cannot be traced. Where `use_precision` asks for bfloat16, its
        products are of bfloat16 numbers.
        """
        weight = self.decoder.weight
        if not self.uses_kernel or weight.device.type != "cpu" or weight.dtype != torch.float32:
            return None
        if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            return None
        lower = lower_precision(weight.device)
        return load_kernel(self.config.cell, bf16=lower is not None) if lower in (None, torch.bfloat16) else None

    def choose_kernel(self, name: str) -> None:
        """Let the kernel (`native`) or PyTorch's layers (`torch`) compute the network; `auto` takes what there is.

        Raises:
            TrainingError: if the kernel is asked for and cannot compute it.
        """
        self.uses_kernel = name != "torch"
        if name == "native" and self.find_kernel() is None:
            device = self.decoder.weight.device.type
            reason = f"it does not run on a {device} device" if device != "cpu" else "it does not run on this processor"
            raise TrainingError(f"the native kernel cannot be used: {reason}; leave out --kernel, or use torch")

    def look_up(self, ids: Tensor) -> Tensor:
        """The vectors (T, B, E or V) of ids (T, B)."""
        if self.embedding is None:
            return F.one_hot(ids, self.config.vocab_size).to(self.decoder.weight.dtype)
        vectors: Tensor = self.embedding(ids)
        return vectors

    def run_layers(
        self, layers: slice, inputs: Tensor, before: State, recurrent: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, State]:
        """Some layers of one direction by PyTorch: hidden states (T, B, H) of the last, and all their states after.

        `recurrent` are the masks of the recurrent weights of all layers, if there are any.
        """
        weights: list[Tensor] = [weight for layer in self.rnn[layers] for weight in layer.parameters()]
        for k, mask in enumerate(recurrent[layers]):
            weights[4 * k + 1] = weights[4 * k + 1] * mask
        lower = lower_precision(inputs.device)
        if lower is None:
            # cuDNN would copy weights that lie apart piece by piece.
            return self._call_layers(inputs, before, _join(weights, inputs.dtype) if inputs.is_cuda else weights)
        with torch.autocast(inputs.device.type, enabled=False):
            lowered = tuple(part.to(lower) for part in before)
            hidden, last = self._call_layers(inputs.to(lower), lowered, _join(weights, lower))
        return hidden, tuple(part.float() for part in last)

    def _call_layers(self, inputs: Tensor, before: State, weights: list[Tensor]) -> tuple[Tensor, State]:
        """PyTorch's call for recurrent layers; `weights` are input, state, and their biases, of each layer."""
        options = (True, len(weights) // 4, 0.0, self.training, False, False)
        if self.config.cell == "lstm":
            hidden, last, cell = torch.lstm(inputs, before, weights, *options)
            return hidden, (last, cell)
        run = torch.gru if self.config.cell == "gru" else torch.rnn_tanh
        hidden, last = run(inputs, before[0], weights, *options)
        return hidden, (last,)

    def named_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every weight with its name in the model file: `rnn.1.bias_hh_l0` is `rnn.bias_hh_l1` there."""
        for name, parameter in self.named_parameters():
            parts = name.split(".")
            if parts[0] == "rnn":
                layer, direction = divmod(int(parts[1]), self.config.directions)
                name = f"rnn.{parts[2].removesuffix('_l0')}{self.config.suffixes(layer)[direction]}"  # noqa: PLW2901
            yield name, parameter

    def export(self) -> Tensors:
        """A copy of the weights as the model file holds them."""
        return {name: np.array(p.detach().cpu().numpy(), dtype=np.float32) for name, p in self.named_weights()}

    @torch.no_grad()
    def load(self, tensors: Tensors) -> None:
        """Set the weights from what `export` returns."""
        for name, parameter in self.named_weights():
            parameter.copy_(torch.from_numpy(tensors[name]))

    @torch.no_grad()
    def initialize(self, counts: Tensor) -> None:
        """Set the initial weights; random parts come from torch's current random state.

        Input and output weights stay as PyTorch draws them. Recurrent matrices are orthogonal, gate by gate (Saxe et
        al. 2014), the LSTM's forget gates start open, and the decoder starts with how often each symbol or class occurs
        (`counts`, (V,) or (K,)), so that the first steps need not learn it.
        """
        size = self.config.hidden_size
        for layer in self.rnn:
            for name, parameter in layer.named_parameters():
                if name.startswith("weight_hh"):
                    for gate in range(0, len(parameter), size):
                        nn.init.orthogonal_(parameter[gate : gate + size])
                elif name.startswith("bias"):
                    parameter.zero_()
                    if self.config.cell == "lstm" and name.startswith("bias_ih"):
                        parameter[size : 2 * size] = FORGET_BIAS
        smoothed = counts.to(torch.float64) + 0.5
        self.decoder.bias.copy_((smoothed / smoothed.sum()).log())


def detach(state: State) -> State:
    """The state without its history: gradients stop here, which truncates back-propagation through time."""
    return tuple(part.detach() for part in state)


def draw_mask(dropped: float, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """A mask that drops this share of its units, on the device and in the type of `like`; sums keep their size."""
    kept = 1.0 - dropped
    return like.new_empty(shape).bernoulli_(kept).div_(kept)


def _join(weights: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Recurrent weights as parts of one piece of memory, in cuDNN's order: all matrices, then all biases."""
    order = [k for dimensions in (2, 1) for k, weight in enumerate(weights) if weight.ndim == dimensions]
    flat = torch.cat([weights[k].flatten() for k in order]).to(dtype)
    pieces = torch.split(flat, [weights[k].numel() for k in order])
    by_number = {k: piece.view(weights[k].shape) for k, piece in zip(order, pieces, strict=True)}
    return [by_number[k] for k in range(len(weights))]
