"""Rates of training and generation on one device, beside bare loops of the same shapes.

bare     `nn.LSTM` over sequences with a fused optimizer, the text on the device, and nothing around it
classic  one call of the layers per character, as the well-known small scripts train
"""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch

from charrnn.inference.generation.on_device import DeviceGenerator
from charrnn.inference.model import Model
from charrnn.model.config import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.training.devices.device import synchronize
from charrnn.training.devices.world import World
from charrnn.training.network.precision import full_precision
from charrnn.training.recipe.language import LanguagePlan
from charrnn.training.recipe.plan import Budget
from charrnn.training.tasks.language import LanguageTask
from charrnn.training.tasks.task import Resources
from charrnn.training.trainer import Trainer
from scripts.benchmarks import timing
from scripts.benchmarks.generation import TEMPERATURE, generate_samples
from scripts.benchmarks.loops import Step, make_bare_step, make_classic_step, make_kernels_step, make_naive_generator
from scripts.benchmarks.timing import make_random_model

TEXT = 1_000_000  # random characters


def measure_rate(step: Step, items: int, device: torch.device, seconds: float) -> float:
    """Return items per second of a step that makes `items`; the first few steps are not counted."""
    for _ in range(3):
        step()
    synchronize(device)
    steps, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for _ in range(5):
            step()
        synchronize(device)
        steps += 5
    return steps * items / (time.perf_counter() - begin)


def measure_training(
    config: ModelConfig, shape: tuple[int, int], dtype: torch.dtype, device: torch.device, seconds: float
) -> dict[str, float]:
    """Return characters per second of charrnn's own trainer and of bare loops.

    The shape is that of a batch, (B, T). float32 means float32: products are not rounded to TF32. Each loop is measured
    twice, in turns, and the better turn counts.
    """
    columns, rows = shape
    best: dict[str, float] = {}
    with full_precision(), open_charrnn_step(config, shape, dtype, device) as ours:
        loops = {
            "charrnn": ours,
            "bare": make_bare_step(config, columns, rows, device, dtype, fused=device.type != "mps"),
            "recurrent kernels alone": make_kernels_step(config, columns, rows, device, dtype),
        }
        if dtype == torch.float32:
            loops["classic"] = make_classic_step(config, columns, rows, device)
        for _ in range(2):
            for name, step in loops.items():
                best[name] = max(best.get(name, 0.0), measure_rate(step, rows * columns, device, seconds / 2))
    return best


@contextmanager
def open_charrnn_step(
    config: ModelConfig, shape: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> Iterator[Step]:
    """Yield a step of charrnn's own trainer; afterwards, PyTorch has as many threads as before."""
    ids = np.random.default_rng(0).integers(config.vocab_size, size=TEXT).astype(np.int32)
    corpus = Corpus("random", CharVocabulary(range(config.vocab_size)), ids, ids[:1000])
    plan = LanguagePlan(
        config=config,
        dropout=0.0,
        weight_dropout=0.0,
        restart=0.01,
        batch_size=shape[0],
        seq_len=shape[1],
        lr=1e-3,
        weight_decay=0.01,
        grad_clip=1.0,
        budget=Budget(steps=10**9),
        patience=12,
        seed=1,
    )
    resources = Resources(device, World(), dtype)
    trainer = Trainer(LanguageTask(plan, corpus, resources), resources)
    try:
        yield partial(trainer.step, 1e-3, 0.5)
    finally:
        trainer.workers.close()


def measure_cost(
    config: ModelConfig, shape: tuple[int, int], dtype: torch.dtype, device: torch.device, seconds: float
) -> float:
    """Return the seconds in which a network learns from a million characters."""
    with full_precision(), open_charrnn_step(config, shape, dtype, device) as step:
        return 1e6 / measure_rate(step, shape[0] * shape[1], device, seconds)


def measure_generation(
    config: ModelConfig, samples: list[int], device: torch.device, seconds: float
) -> dict[str, float]:
    """Return characters per second of one call per character, and of charrnn on the device and on the CPU."""
    rates = {
        "one call per character": measure_rate(make_naive_generator(config, TEMPERATURE, device), 1, device, seconds)
    }
    on_cpu = make_random_model(config)
    generator = DeviceGenerator(on_cpu.network, on_cpu.vocabulary, device)
    on_device = Model(on_cpu.header, on_cpu.vocabulary, on_cpu.network, generator)
    for count in samples:
        for place, model in ((device.type, on_device), ("the CPU's kernel", on_cpu)):
            name = f"{count:,} sample{'s' * (count > 1)}, {place}"
            rates[name] = timing.measure_rate(partial(generate_samples, model, count), seconds)
    return rates


def measure_products(device: torch.device, dtype: torch.dtype, seconds: float, size: int = 4096) -> float:
    """Return the operations per second of products of large square matrices."""
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    with full_precision():
        return measure_rate(lambda: left @ right, 2 * size**3, device, seconds)


def reset_peak_memory(device: torch.device) -> None:
    """Begin to measure the peak memory of a GPU anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def get_peak_memory(device: torch.device) -> int:
    """Return the peak memory in bytes: of the GPU as PyTorch counts it, elsewhere of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
