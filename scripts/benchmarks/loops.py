"""Loops in plain PyTorch to compare with: the same network and shapes, with nothing around them.

Shapes: T time, B batch, H hidden.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from charrnn.model.config import ModelConfig

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
CPU = torch.device("cpu")
Step = Callable[[], object]


class BareNetwork(nn.Module):
    """Embedding, PyTorch's recurrent layers, decoder."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.recurrent = CELLS[config.cell](config.hidden_size, config.hidden_size, config.layers)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)


def make_bare_step(
    config: ModelConfig,
    batch_size: int,
    seq_len: int,
    device: torch.device = CPU,
    dtype: torch.dtype = torch.float32,
    *,
    fused: bool = False,
) -> Step:
    """Return a training step with one call of the layers per sequence, the text on the device.

    Args:
        config: cell, layers, sizes.
        batch_size: B.
        seq_len: T.
        device: of weights and text.
        dtype: of all weights, bfloat16 too: faster than mixed precision, and it learns less.
        fused: whether to use the fused kernel of the optimizer.
    """
    model = BareNetwork(config).to(device, dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)
    text = torch.randint(config.vocab_size, (seq_len + 1, batch_size), device=device)  # (T + 1, B)

    def step() -> None:
        hidden, _ = model.recurrent(model.embedding(text[:-1]))  # (T, B, H)
        loss = F.cross_entropy(model.decoder(hidden).flatten(0, 1), text[1:].flatten())
        _update(loss, model, optimizer)

    return step


def make_classic_step(config: ModelConfig, batch_size: int, seq_len: int, device: torch.device = CPU) -> Step:
    """Return a training step with one call of the layers per character, as the well-known small scripts do it."""
    model = BareNetwork(config).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    text = torch.randint(config.vocab_size, (seq_len + 1, batch_size), device=device)  # (T + 1, B)

    def step() -> None:
        state, loss = None, torch.zeros((), device=device)
        for t in range(seq_len):
            hidden, state = model.recurrent(model.embedding(text[t])[None], state)  # (1, B, H)
            loss = loss + F.cross_entropy(model.decoder(hidden[0]), text[t + 1])
        _update(loss, model, optimizer)

    return step


def make_kernels_step(
    config: ModelConfig, batch_size: int, seq_len: int, device: torch.device, dtype: torch.dtype
) -> Step:
    """Return a step that computes forward and backward pass of the recurrent layers, and nothing else."""
    layers = CELLS[config.cell](config.hidden_size, config.hidden_size, config.layers).to(device, dtype)
    shape = (seq_len, batch_size, config.hidden_size)
    inputs = torch.randn(shape, device=device, dtype=dtype, requires_grad=True)
    gradients = torch.randn(shape, device=device, dtype=dtype)
    return lambda: torch.autograd.grad(layers(inputs)[0], [inputs, *layers.parameters()], gradients)


def make_naive_generator(config: ModelConfig, temperature: float, device: torch.device = CPU) -> Step:
    """Return a step that generates one character: a call of the layers, a softmax and a draw, as classic scripts do."""
    model = BareNetwork(config).to(device)
    state, symbol = None, torch.zeros(1, dtype=torch.long, device=device)

    def step() -> None:
        nonlocal state, symbol
        with torch.no_grad():
            hidden, state = model.recurrent(model.embedding(symbol)[None], state)
            symbol = torch.multinomial((model.decoder(hidden[0, 0]) / temperature).softmax(-1), 1)

    return step


def _update(loss: Tensor, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
