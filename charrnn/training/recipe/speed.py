"""A brief measurement of how fast this machine learns, for automatic sizing.

A character costs about six operations per weight that is multiplied: two forward, four backward. Larger layers
keep the cores busier; on two cores the measured operations per second followed

    operations(H) = peak * H / (H + 130)        H 128 to 512, batch 16, within 8 %

so one measured size gives the peak, and the peak gives the characters per second of every other size.
"""

import time

import numpy as np
import torch

from charrnn.model.config import ModelConfig
from charrnn.training.data.feeding import TextFeed
from charrnn.training.data.readers import Readers
from charrnn.training.devices.device import synchronize
from charrnn.training.devices.workers import Workers
from charrnn.training.network.base import detach
from charrnn.training.network.dropout import NO_MASKS
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_batch import LanguageBatch
from charrnn.training.network.language_objective import LanguageObjective
from charrnn.training.network.precision import full_precision
from charrnn.training.recipe.shape import GPU_BATCH, GPU_SEQ_LEN
from charrnn.training.step import Gradients

HALF_SPEED = 130  # hidden units at which a layer reaches half the peak
SECONDS = 0.6


def count_operations(config: ModelConfig) -> float:
    """Floating-point operations of learning one character."""
    inputs = config.embedding_size or 0  # one-hot input is a look-up
    recurrent = sum(
        config.gates * config.hidden_size * (config.hidden_size + (config.hidden_size if layer else inputs))
        for layer in range(config.layers)
    )
    return 6.0 * (recurrent + config.hidden_size * config.vocab_size)


def estimate_speed(peak: float, config: ModelConfig, half_speed: float = HALF_SPEED) -> float:
    """Characters per second that a network of this size learns from, on a machine of that peak."""
    return peak * config.hidden_size / (config.hidden_size + half_speed) / count_operations(config)


def measure_peak(
    cell: str, device: torch.device, half_speed: float = HALF_SPEED, precision: torch.dtype = torch.float32
) -> float:
    """Operations per second that very large layers of this cell would reach here, from the faster steps.

    Layers of `half_speed` hidden units reach half of it; `precision` is that of the large products, as in the run.
    """
    states = torch.get_rng_state()
    size, width, length = (256, 16, 64) if device.type == "cpu" else (1024, GPU_BATCH, GPU_SEQ_LEN)
    config = ModelConfig(cell, 1, size, 64, 64)
    network = CharRNN(config).to(device).train()
    workers = Workers(width, torch.get_num_threads() if device.type == "cpu" else None)
    gradients = Gradients(LanguageObjective(network, precision), workers)
    readers = Readers(np.zeros(10_000, dtype=np.int32), width, restart=0.0, seed=0)
    feed = TextFeed(readers, slice(0, width), device)
    state = detach(network.initial_state(width))
    durations: list[float] = []
    begin = time.perf_counter()
    with full_precision():
        while time.perf_counter() - begin < SECONDS or len(durations) < 3:
            synchronize(device)
            before = time.perf_counter()
            gradients.compute(LanguageBatch.from_window(feed.next(length), state, NO_MASKS))
            synchronize(device)
            durations.append(time.perf_counter() - before)
    torch.set_rng_state(states)
    workers.close()
    step = sorted(durations[1:])[len(durations[1:]) // 4]
    return count_operations(config) * width * length / step * (size + half_speed) / size
