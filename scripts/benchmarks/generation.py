"""Generation: start-up, one stream, many samples, large vocabularies."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from charrnn.inference.generation.kernel.compiled import load_kernel
from charrnn.inference.generation.samples import Request
from charrnn.inference.generation.sampling import Sampler
from charrnn.inference.generation.writer import KernelWriter, Weights
from charrnn.inference.model import Model
from charrnn.inference.network.cores import available_cores
from charrnn.model.config import ModelConfig
from charrnn.model.file import save_model
from scripts.benchmarks.loops import make_naive_generator
from scripts.benchmarks.timing import (
    make_random_model,
    measure_call,
    measure_command,
    measure_in_turns,
    repeat_step,
)
from scripts.common import CHARRNN, count

SAMPLES = 64
LARGE_VOCABULARY = 10_000
TEMPERATURE = 0.8
ENDLESS = "(?:.{8})+"  # a text may end after every eight characters, but no symbol ends it

Rate = tuple[str, float, str]  # name, characters per second, remark


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("generate", help="start-up, one stream, many samples, large vocabularies")
    parser.add_argument("--cell", nargs="+", default=["lstm", "gru"], choices=("lstm", "gru", "rnn"))
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--vocab", type=int, default=65)
    parser.add_argument("--rounds", type=count, default=5, help="rounds of each measurement")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each round in seconds")
    parser.set_defaults(run=generate)


def generate_samples(model: Model, samples: int, pattern: str | None = None) -> Iterator[int]:
    """Generate text with charrnn, yielding the number of characters of each piece."""
    request = model.constrain(Request(Sampler(TEMPERATURE), 10**9), pattern)
    for piece in model.pieces(model.network.initial_state(), seeds=range(samples), request=request):
        yield len(piece.text) // 3  # each of these characters has three bytes


def read_matrix(size: int) -> Iterator[int]:
    """Multiply a matrix of `size` bytes by a vector on one core, yielding the bytes read."""
    matrix, vector = np.ones((size // 4096, 1024), dtype=np.float32), np.ones(1024, dtype=np.float32)
    blocks, out = matrix.reshape(-1, 8, 1024), np.empty((len(matrix) // 8, 8), dtype=np.float32)
    while True:
        np.matmul(blocks, vector, out=out)
        yield matrix.nbytes


def multiply_matrices(size: int = 1024) -> Iterator[int]:
    """Multiply square matrices on all cores, yielding the number of additions and multiplications."""
    left, right, out = (np.ones((size, size), dtype=np.float32) for _ in range(3))
    while True:
        np.matmul(left, right, out=out)
        yield 2 * size**3


def measure_start() -> dict[str, float]:
    """Return the seconds that PyTorch's import, the shortest command and the generation of a short text take."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.safetensors"
        small = make_random_model(ModelConfig("lstm", 1, 128, 0, 65))
        save_model(path, small.header, small.network.tensors)
        return {
            "import torch, alone": measure_command([sys.executable, "-c", "import torch"]),
            "charrnn --help": measure_command([*CHARRNN, "--help"]),
            "charrnn generate -l 200": measure_command([*CHARRNN, "generate", "-m", str(path), "-l", "200"]),
        }


def generate(options: argparse.Namespace) -> None:
    """Print start-up times, and rates of one stream and many samples beside the naive loop and the machine's limits."""
    print(f"{available_cores()} cores, NumPy {np.__version__}; characters per second, rounds: {options.rounds}\n")
    unit = "seconds"
    for name, seconds in measure_start().items():
        print(f"{unit:48}{seconds:10.2f}  {name}")
        unit = ""
    print()
    for cell in options.cell:
        print_generation(ModelConfig(cell, options.layers, options.hidden_size, 0, options.vocab), options)
    print_large_vocabulary(ModelConfig("lstm", options.layers, options.hidden_size, 0, LARGE_VOCABULARY))


def measure_generation(config: ModelConfig, rounds: int, seconds: float) -> list[Rate]:
    """Measure methods of generation, the naive loop first, and what the machine would allow."""
    model, plain = make_random_model(config), make_random_model(config)
    plain.generator.weights = Weights(plain.generator.network, None)
    matrices = [name for name in config.shapes() if name.startswith(("rnn.weight_hh", "rnn.weight_ih", "decoder.w"))]
    entries = sum(model.network.tensors[name].size for name in matrices if name != "rnn.weight_ih_l0")
    makers: dict[str, Callable[[], Iterator[int]]] = {
        "naive": lambda: repeat_step(make_naive_generator(config, TEMPERATURE), 1),
        "one": lambda: generate_samples(model, 1),
        "one without llvmlite": lambda: generate_samples(plain, 1),
        "many": lambda: generate_samples(model, SAMPLES),
        "one match": lambda: generate_samples(model, 1, ENDLESS),
        "many match": lambda: generate_samples(model, SAMPLES, ENDLESS),
        "cached": lambda: read_matrix(4 * entries),
        "memory": lambda: read_matrix(2**28),
        "matrix": multiply_matrices,
    }
    best = measure_in_turns(makers, rounds, seconds)
    return [
        ("naive loop", best["naive"], f"1 {config.cell} call per character"),
        ("one stream", best["one"], f"{4 * entries / 1e6:.1f} MB of weights per character"),
        ("  with --match", best["one match"], f"{best['one match'] / best['one']:.2f} times free writing"),
        ("  without llvmlite", best["one without llvmlite"], "by NumPy"),
        # The kernel can be faster: it alternates its direction, so a step begins with what is still in the cache.
        ("  NumPy's read", best["memory"] / (4 * entries), f"from memory, {best['memory'] / 1e9:.1f} GB/s on one core"),
        ("  NumPy's read", best["cached"] / (4 * entries), f"from the cache, {best['cached'] / 1e9:.1f} GB/s"),
        (f"{SAMPLES} samples", best["many"], f"{2 * entries / 1e6:.1f} million operations per character"),
        ("  with --match", best["many match"], f"{best['many match'] / best['many']:.2f} times free writing"),
        ("  limit", best["matrix"] / (2 * entries), f"of matrix products, {best['matrix'] / 1e9:.0f} G/s on all cores"),
    ]


def print_generation(config: ModelConfig, options: argparse.Namespace) -> None:
    """Print the table of one cell."""
    rates = measure_generation(config, options.rounds, options.seconds)
    name = f"{config.cell} {config.layers}x{config.hidden_size}, {config.vocab_size} symbols"
    print(f"{name:36}{'characters/s':>14}{'to naive':>10}")
    for label, rate, remark in rates:
        print(f"  {label:34}{rate:14,.0f}{rate / rates[0][1]:9.1f}x  {remark}")
    print()


def print_large_vocabulary(config: ModelConfig) -> None:
    """Print the times of the network's step and of the choice of a symbol, for a large vocabulary."""
    network, kernel = make_random_model(config).network, load_kernel(config.cell)
    if kernel is None:
        print("the kernel does not run on this machine")
        return
    weights = Weights(network, kernel)
    # Normal logits of this spread have a perplexity of about a hundred, like trained word models.
    logits = np.random.default_rng(0).normal(scale=2.4, size=weights.symbols).astype(np.float32)
    samplers = {
        "no filter": Sampler(TEMPERATURE),
        "--top-k 40": Sampler(TEMPERATURE, top_k=40),
        "--top-p 0.9": Sampler(TEMPERATURE, top_p=0.9),
        "--min-p 0.05": Sampler(TEMPERATURE, min_p=0.05),
        "all three": Sampler(TEMPERATURE, top_k=40, top_p=0.9, min_p=0.05),
    }
    writers = {name: KernelWriter(weights, network.initial_state(), sampler) for name, sampler in samplers.items()}
    step = measure_call(partial(kernel.network, writers["no filter"].batch))
    print(
        f"{config.cell} {config.layers}x{config.hidden_size}, {config.vocab_size} symbols: network {step * 1e6:.0f} us"
    )
    for name, writer in writers.items():
        took = measure_call(partial(kernel.choose, writer.batch, logits.ctypes.data, logits.ctypes.data, 0.5, None))
        print(f"  softmax, draw, {name:31}{took * 1e6:10.0f} us  {took / (took + step):.0%} of the step")
