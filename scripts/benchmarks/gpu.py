"""Training and generation on one device, measured in one run: charrnn beside bare loops of the same shapes.

python scripts/benchmark.py gpu                           the GPU if there is one, LSTM 2x512, batch 128 x 128
python scripts/benchmark.py gpu --device cpu --hidden-size 128 --batch-size 16 --seq-len 64

bare     `nn.LSTM` over sequences with a fused optimizer, the text on the device, and nothing around it
classic  one call of the layers per character, as the well-known small scripts train
"""

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch

from charrnn.inference.generation import on_device
from charrnn.inference.generation.samples import Request
from charrnn.inference.generation.sampling import Sampler
from charrnn.model.config import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.training.devices.device import choose_device, synchronize
from charrnn.training.devices.world import World
from charrnn.training.network.precision import choose_precision
from charrnn.training.recipe.language import LanguagePlan
from charrnn.training.recipe.plan import Budget
from charrnn.training.tasks.language import LanguageTask
from charrnn.training.tasks.task import Resources
from charrnn.training.trainer import Trainer
from scripts.benchmarks.loops import Step, make_bare_step, make_classic_step, make_kernels_step, make_naive_generator
from scripts.benchmarks.timing import make_random_model
from scripts.common import table, table_row

TEXT = 1_000_000  # random characters
TEMPERATURE = 0.8
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def gpu(options: argparse.Namespace) -> None:
    """Print training and generation rates on one device beside bare loops, memory, and costs by size."""
    device = choose_device(options.device)
    config = ModelConfig(options.cell, options.layers, options.hidden_size, options.hidden_size, options.vocab)
    rows, columns = options.seq_len, options.batch_size
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    print(f"{name}, PyTorch {torch.__version__}, cuDNN {cudnn}, {torch.get_num_threads()} threads")
    print(
        f"{config.cell} {config.layers}x{config.hidden_size}, batch {columns} x {rows}, {config.vocab_size} symbols\n"
    )
    for precision in options.precision:
        choose_precision(precision, device)  # raises if the device does not support it
        print_learning(config, columns, rows, PRECISIONS[precision], device, options)
    print_generation(config, device, options)
    print_costs(options.sizes, columns, rows, device, options)


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


def print_learning(
    config: ModelConfig, columns: int, rows: int, dtype: torch.dtype, device: torch.device, options: argparse.Namespace
) -> None:
    """Print the training rates of one precision."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with open_charrnn_step(config, columns, rows, dtype, device) as ours:
        rates = {"charrnn": measure_rate(ours, rows * columns, device, options.seconds)}
    memory = get_peak_memory(device)
    rates["bare"] = measure_rate(
        make_bare_step(config, columns, rows, device, dtype, fused=device.type != "mps"),
        rows * columns,
        device,
        options.seconds,
    )
    rates["recurrent kernels alone"] = measure_rate(
        make_kernels_step(config, columns, rows, device, dtype), rows * columns, device, options.seconds
    )
    if dtype == torch.float32:
        step = make_classic_step(config, columns, rows, device)
        rates["classic"] = measure_rate(step, rows * columns, device, options.seconds)
    print(f"training, {str(dtype).removeprefix('torch.')}: characters/s")
    for name, value in rates.items():
        print(f"  {name:28}{value:14,.0f}   charrnn is {rates['charrnn'] / value:.2f} times as fast")
    # On a CPU, charrnn's workers can be faster than the kernels alone.
    share = max(0.0, 1 - rates["charrnn"] / rates["recurrent kernels alone"])
    print(f"  {share:.0%} of a step is not recurrent kernels; peak memory {memory / 2**20:,.0f} MiB\n")


@contextmanager
def open_charrnn_step(
    config: ModelConfig, columns: int, rows: int, dtype: torch.dtype, device: torch.device
) -> Iterator[Step]:
    """Yield a step of charrnn's own trainer; afterwards, PyTorch has as many threads as before."""
    ids = np.random.default_rng(0).integers(config.vocab_size, size=TEXT).astype(np.int32)
    corpus = Corpus("random", CharVocabulary(range(config.vocab_size)), ids, ids[:1000])
    plan = LanguagePlan(
        config=config,
        dropout=0.0,
        weight_dropout=0.0,
        restart=0.01,
        batch_size=columns,
        seq_len=rows,
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


def print_generation(config: ModelConfig, device: torch.device, options: argparse.Namespace) -> None:
    """Print the generation rates of one stream and many, beside the naive loop."""
    step = make_naive_generator(config, TEMPERATURE, device)
    rates = {"naive loop, one stream": measure_rate(step, 1, device, options.seconds)}
    for samples in options.samples:
        steps = on_device.BURST
        network = make_random_model(config).network
        state = network.initial_state().repeat(samples)
        writer = on_device.DeviceWriter(network, state, Request(Sampler(TEMPERATURE), 1), device)
        uniforms = np.random.default_rng(0).random((steps, samples))
        burst = partial(writer.write, uniforms)
        rates[f"{samples} samples"] = measure_rate(burst, steps * samples, device, options.seconds)
    print("generation: characters/s")
    for name, value in rates.items():
        print(f"  {name:28}{value:14,.0f}   {value / rates['naive loop, one stream']:.1f} times the naive loop")
    print()


def print_costs(sizes: list[int], columns: int, rows: int, device: torch.device, options: argparse.Namespace) -> None:
    """Print the seconds that a million characters take, by size of a network of one layer."""
    print(f"training on a million characters, one layer, {options.precision[0]}:")
    print(table(["units", "weights", "seconds"], []))
    for size in sizes:
        config = ModelConfig(options.cell, 1, size, 64, options.vocab)
        with open_charrnn_step(config, columns, rows, PRECISIONS[options.precision[0]], device) as step:
            taken = 1e6 / measure_rate(step, rows * columns, device, options.seconds)
        print(table_row([size, f"{config.parameters:,}", f"{taken:.3g}"]), flush=True)


def get_peak_memory(device: torch.device) -> int:
    """Return the peak memory in bytes: of the GPU as PyTorch counts it, elsewhere of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("gpu", help="training and generation on one device, compared with bare loops")
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "mps", "cpu"))
    parser.add_argument("--cell", default="lstm", choices=("lstm", "gru", "rnn"))
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden-size", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seq-len", type=int, default=128)
    parser.add_argument("--vocab", type=int, default=65)
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=("fp32", "bf16"))
    parser.add_argument(
        "--samples", nargs="+", type=int, default=[1, 64, 1024], help="numbers of samples to generate in parallel"
    )
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[256, 512, 1024, 2048], help="hidden sizes whose costs are listed"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement in seconds")
    parser.set_defaults(run=gpu)
