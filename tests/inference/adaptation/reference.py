"""PyTorch's gradients in double precision, and small networks to compare with them."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.inference.adaptation.gradients import Weights
from charrnn.inference.network.language import Network, State
from charrnn.model.config import ModelConfig

SYMBOLS = 9
RUN = {"lstm": torch.lstm, "gru": torch.gru, "rnn": torch.rnn_tanh}


def make_network(cell: str, layers: int = 1, embedding_size: int = 0, dtype: type = np.float64) -> Network:
    """A network of random weights, always the same."""
    config = ModelConfig(cell, layers, 7, embedding_size, SYMBOLS)
    draw = np.random.default_rng(0)
    return Network(config, {name: draw.normal(0, 0.5, shape).astype(dtype) for name, shape in config.shapes().items()})


def draw_ids(length: int, seed: int = 1) -> NDArray[np.int32]:
    """Random ids."""
    return np.random.default_rng(seed).integers(SYMBOLS, size=length, dtype=np.int32)


def differentiate(
    config: ModelConfig, weights: Weights, inputs: Any, targets: Any, counted: Any, state: State
) -> tuple[NDArray[np.float64], Weights]:
    """The nats (T,) of the targets that follow the inputs, and the gradient of their sum; `state` advances in place."""
    parameters = {name: torch.tensor(weight, requires_grad=True) for name, weight in weights.items()}
    table = parameters["embedding.weight"] if config.embedding_size else torch.eye(config.vocab_size).double()
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    flat = [parameters[f"rnn.{kind}_l{k}"] for k in range(config.layers) for kind in kinds]
    parts = [torch.tensor(part) for part in (state.hidden, state.cell) if part is not None]
    start = parts if config.cell == "lstm" else parts[0]
    below = table[torch.tensor(inputs).long()][:, None]
    outputs, *after = RUN[config.cell](below, start, flat, True, config.layers, 0.0, True, False, False)  # type: ignore[operator]
    state.hidden[:] = after[0].detach()
    if state.cell is not None:
        state.cell[:] = after[1].detach()
    logits = outputs[:, 0] @ parameters["decoder.weight"].T + parameters["decoder.bias"]
    nats = torch.nn.functional.cross_entropy(logits, torch.tensor(targets).long(), reduction="none")
    (nats * torch.tensor(counted)).sum().backward()  # type: ignore[no-untyped-call]
    gradients = {name: each.grad for name, each in parameters.items() if each.grad is not None}
    return nats.detach().numpy(), {name: gradient.numpy() for name, gradient in gradients.items()}
