"""How fast this machine learns: a brief measurement, which automatic sizing goes by.

A character costs about six operations per weight that is multiplied: two forward, four backward. Larger layers
keep the cores busier; on two cores the measured operations per second followed

    operations(H) = peak * H / (H + 130)        H 128 to 512, batch 16, within 8 %

so one measured size tells the peak, and the peak tells every other size's characters per second.
"""

import time

import numpy as np
import torch

from charrnn.model import ModelConfig
from charrnn.training.gradients import Gradients
from charrnn.training.network import CharRNN, detached
from charrnn.training.readers import Readers
from charrnn.training.workers import Workers

HALF_SPEED = 130  # hidden units at which a layer reaches half the peak
SECONDS = 0.6
BATCH, LENGTH = 16, 64


def operations(config: ModelConfig) -> float:
    """Floating-point operations to learn one character."""
    inputs = config.embedding_size or 0  # one-hot input is a look-up
    recurrent = sum(
        config.gates * config.hidden_size * (config.hidden_size + (config.hidden_size if layer else inputs))
        for layer in range(config.layers)
    )
    return 6.0 * (recurrent + config.hidden_size * config.vocab_size)


def chars_per_second(peak: float, config: ModelConfig) -> float:
    """Characters that a network of this size learns from in a second, on a machine of that peak."""
    return peak * config.hidden_size / (config.hidden_size + HALF_SPEED) / operations(config)


def measure_peak(cell: str, device: torch.device) -> float:
    """Operations per second that very large layers of this cell would reach here, from the better half of steps."""
    states = torch.get_rng_state()
    config = ModelConfig(cell, 1, 256, 64, 64)
    network = CharRNN(config).to(device).train()
    threads = torch.get_num_threads() if device.type == "cpu" else None
    gradients = Gradients(network, Workers(BATCH, threads))
    readers = Readers(np.zeros(10_000, dtype=np.int32), BATCH, restart=0.0, seed=0)
    state = detached(network.initial_state(BATCH))
    gradients.compute(readers.next_batch(LENGTH), state)
    taken: list[float] = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < SECONDS or len(taken) < 2:
        before = time.perf_counter()
        gradients.compute(readers.next_batch(LENGTH), state)
        taken.append(time.perf_counter() - before)
    torch.set_rng_state(states)
    if threads:
        torch.set_num_threads(threads)
    step = sorted(taken)[len(taken) // 4]
    size = config.hidden_size
    return operations(config) * BATCH * LENGTH / step * (size + HALF_SPEED) / size
