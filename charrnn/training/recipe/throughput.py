"""A brief measurement of how fast this machine learns, for automatic sizing.

A character costs about six operations per weight that is multiplied: two forward, four backward. A CPU is kept busy by
all but the smallest layers, so one measured size gives the law there. A GPU waits for one time step after the other,
however small the layer is, so there two sizes do. `docs/experiments/recipe.md` compares both laws with measured rates.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from charrnn.model.config import ModelConfig
from charrnn.training.data.feeding import TextFeed
from charrnn.training.data.streams import Streams
from charrnn.training.devices.device import synchronize
from charrnn.training.devices.workers import Workers
from charrnn.training.devices.world import World
from charrnn.training.network.base import detach
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_objective import LanguageObjective
from charrnn.training.network.precision import full_precision
from charrnn.training.recipe.plan import CPU_BATCH, CPU_SEQ_LEN, GPU_BATCH, GPU_SEQ_LEN

HALF_SPEED = 25.0  # units at which a layer reaches half of a CPU's peak in float32
HALF_SPEEDS = {torch.float32: HALF_SPEED, torch.bfloat16: 50.0}
SHARE = 0.8  # of a run's time, for gradients; the rest goes to weights, evaluations and saves
SECONDS = 0.6  # of the measurement of one size
CPU_SIZE, GPU_SIZES = 256, (512, 2048)


@dataclass(frozen=True)
class Throughput:
    """How fast a machine learns, as a function of the network's size.

    Attributes:
        peak: operations per second that very large layers reach.
        half_speed: units at which a layer reaches half of that.
        waiting: seconds per character and layer that pass whatever the size.
    """

    peak: float
    half_speed: float = HALF_SPEED
    waiting: float = 0.0

    def estimate(self, operations: float, units: int, layers: int = 1) -> float:
        """Characters per second of a whole run, at so many operations per character."""
        return SHARE / (operations * (1 + self.half_speed / units) / self.peak + self.waiting * layers)


def count_recurrent_weights(config: ModelConfig) -> int:
    """Number of recurrent weights that are multiplied for one symbol; one-hot input is a look-up."""
    width = config.directions * config.hidden_size
    inputs = [config.embedding_size, *[width] * (config.layers - 1)]
    return sum(config.directions * config.gates * config.hidden_size * (i + config.hidden_size) for i in inputs)


def count_operations(config: ModelConfig) -> float:
    """Floating-point operations of learning one character."""
    return 6.0 * (count_recurrent_weights(config) + config.hidden_size * config.vocab_size)


def estimate_throughput(throughput: Throughput, config: ModelConfig) -> float:
    """Characters per second that a language model of this size learns from."""
    return throughput.estimate(count_operations(config), config.hidden_size, config.layers)


def measure_throughput(
    cell: str,
    device: torch.device,
    world: World,
    precision: torch.dtype = torch.float32,
    *,
    uses_kernel: bool = True,
) -> Throughput:
    """The throughput of all processes together, equal in all of them; `precision` is that of the large products.

    `uses_kernel` says whether the kernel computes on a CPU.
    """
    own = measure_own_throughput(cell, device, precision, uses_kernel=uses_kernel)
    peak, waiting = world.all_reduce(own.peak), world.all_reduce(own.waiting)
    return Throughput(peak, own.half_speed, waiting / world.size**2)


def measure_own_throughput(
    cell: str, device: torch.device, precision: torch.dtype = torch.float32, *, uses_kernel: bool = True
) -> Throughput:
    """The throughput of this process: on a CPU from the time of one size, elsewhere from those of two."""
    if device.type == "cpu":
        config = _make_config(cell, CPU_SIZE)
        rate = count_operations(config) / measure_seconds(config, device, precision, uses_kernel=uses_kernel)
        half_speed = HALF_SPEEDS[precision]
        return Throughput(rate * (1 + half_speed / CPU_SIZE), half_speed)
    small, large = (_make_config(cell, size) for size in GPU_SIZES)
    return fit_throughput(
        (count_operations(small), measure_seconds(small, device, precision)),
        (count_operations(large), measure_seconds(large, device, precision)),
    )


def fit_throughput(small: tuple[float, float], large: tuple[float, float]) -> Throughput:
    """The line through the operations and seconds per character of two sizes."""
    slope = (large[1] - small[1]) / (large[0] - small[0])
    if slope <= 0:  # too fast to tell
        return Throughput(large[0] / large[1], 0.0)
    return Throughput(1 / slope, 0.0, max(0.0, small[1] - small[0] * slope))


def _make_config(cell: str, size: int) -> ModelConfig:
    return ModelConfig(cell, 1, size, 64, 64)


def measure_seconds(
    config: ModelConfig, device: torch.device, precision: torch.dtype, *, uses_kernel: bool = True
) -> float:
    """Seconds in which the gradients of one character are computed, from the faster steps."""
    states = torch.get_rng_state()
    width, length = (CPU_BATCH, CPU_SEQ_LEN) if device.type == "cpu" else (GPU_BATCH, GPU_SEQ_LEN)
    network = CharRNN(config).to(device).train()
    network.uses_kernel = uses_kernel
    objective = LanguageObjective(network, precision)
    workers = Workers(width, torch.get_num_threads() if objective.find_kernel() is not None else None)
    streams = Streams(np.zeros(width * length, dtype=np.int32), width, restart=0.0, seed=0)
    feed = TextFeed(streams, slice(0, width), device)
    state = detach(network.initial_state(width))
    durations: list[float] = []
    begin = time.perf_counter()
    with full_precision():
        while time.perf_counter() - begin < SECONDS or len(durations) < 3:
            synchronize(device)
            before = time.perf_counter()
            objective.compute_gradients(replace(feed.next(length), state=state), workers)
            synchronize(device)
            durations.append(time.perf_counter() - before)
    torch.set_rng_state(states)
    workers.close()
    return sorted(durations[1:])[len(durations[1:]) // 4] / (width * length)
