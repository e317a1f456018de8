"""How fast this machine learns: a brief measurement, which automatic sizing goes by.

A character costs about six operations per weight that is multiplied: two forward, four backward. Larger layers
keep the cores busier; on two cores the measured operations per second followed

    operations(H) = peak * H / (H + 130)        H 128 to 512, batch 16, within 8 %

so one measured size tells the peak, and the peak tells every other size's characters per second.
"""

import time

import numpy as np
import torch

from charrnn.model.config import ModelConfig
from charrnn.training.data.feeding import TextFeed
from charrnn.training.data.readers import Readers
from charrnn.training.devices import wait_for
from charrnn.training.network.language import CharRNN, detached
from charrnn.training.recipe.shape import GPU_BATCH, GPU_SEQ_LEN
from charrnn.training.step import Gradients
from charrnn.training.workers import Workers

HALF_SPEED = 130  # hidden units at which a layer reaches half the peak
SECONDS = 0.6


def operations(config: ModelConfig) -> float:
    """Floating-point operations to learn one character."""
    inputs = config.embedding_size or 0  # one-hot input is a look-up
    recurrent = sum(
        config.gates * config.hidden_size * (config.hidden_size + (config.hidden_size if layer else inputs))
        for layer in range(config.layers)
    )
    return 6.0 * (recurrent + config.hidden_size * config.vocab_size)


def chars_per_second(peak: float, config: ModelConfig, half_speed: float = HALF_SPEED) -> float:
    """Characters that a network of this size learns from in a second, on a machine of that peak."""
    return peak * config.hidden_size / (config.hidden_size + half_speed) / operations(config)


def measure_peak(cell: str, device: torch.device, half_speed: float = HALF_SPEED) -> float:
    """Operations per second that very large layers of this cell would reach here, from the better half of steps."""
    states = torch.get_rng_state()
    size, batch, length = (256, 16, 64) if device.type == "cpu" else (1024, GPU_BATCH, GPU_SEQ_LEN)
    config = ModelConfig(cell, 1, size, 64, 64)
    network = CharRNN(config).to(device).train()
    threads = torch.get_num_threads() if device.type == "cpu" else None
    gradients = Gradients(network, batch, Workers(batch, threads))
    readers = Readers(np.zeros(10_000, dtype=np.int32), batch, restart=0.0, seed=0)
    feed = TextFeed(readers, slice(0, batch), device)
    state = detached(network.initial_state(batch))
    gradients.compute(feed.next(length), state)
    taken: list[float] = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < SECONDS or len(taken) < 2:
        wait_for(device)
        before = time.perf_counter()
        gradients.compute(feed.next(length), state)
        wait_for(device)
        taken.append(time.perf_counter() - before)
    torch.set_rng_state(states)
    if threads:
        torch.set_num_threads(threads)
    step = sorted(taken)[len(taken) // 4]
    return operations(config) * batch * length / step * (size + half_speed) / size
