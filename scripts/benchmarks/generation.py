"""Writing text: start, one stream, many samples, large vocabularies."""

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
from scripts.benchmarks.timing import CHARRNN, in_turns, made_up_model, seconds_of, shortest

SAMPLES = 64
LARGE_VOCABULARY = 10_000
TEMPERATURE = 0.8


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("generate", help=generate.__doc__)
    parser.add_argument("--cell", nargs="+", default=["lstm", "gru"], choices=("lstm", "gru", "rnn"))
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--vocab", type=int, default=65)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each measurement")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.set_defaults(run=generate)


def naive_loop(config: ModelConfig) -> Iterator[int]:
    """One call of PyTorch's layer, one softmax and one draw for each character, as the classic scripts do."""
    import torch
    from torch import nn

    cell = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[config.cell]
    embedding = nn.Embedding(config.vocab_size, config.hidden_size)
    recurrent = cell(config.hidden_size, config.hidden_size, config.layers)
    decoder = nn.Linear(config.hidden_size, config.vocab_size)
    state, symbol = None, torch.zeros(1, dtype=torch.long)
    while True:
        with torch.no_grad():
            output, state = recurrent(embedding(symbol)[None], state)
            symbol = torch.multinomial((decoder(output[0, 0]) / TEMPERATURE).softmax(-1), 1)
        yield 1


def written(model: Model, samples: int) -> Iterator[int]:
    """Characters as charrnn writes them."""
    request = Request(Sampler(TEMPERATURE), 10**9)
    for piece in model.pieces(model.network.initial_state(), seeds=range(samples), request=request):
        yield len(piece.text) // 3  # each of these characters has three bytes


def read_bytes(size: int) -> Iterator[int]:
    """Bytes of a matrix of that many, as one core reads them to multiply a vector."""
    matrix, vector = np.ones((size // 4096, 1024), dtype=np.float32), np.ones(1024, dtype=np.float32)
    blocks, out = matrix.reshape(-1, 8, 1024), np.empty((len(matrix) // 8, 8), dtype=np.float32)
    while True:
        np.matmul(blocks, vector, out=out)
        yield matrix.nbytes


def multiplied(size: int = 1024) -> Iterator[int]:
    """Multiplications and additions of a square matrix product on all cores."""
    left, right, out = (np.ones((size, size), dtype=np.float32) for _ in range(3))
    while True:
        np.matmul(left, right, out=out)
        yield 2 * size**3


def start_times() -> dict[str, float]:
    """Seconds from Enter to the end: of PyTorch's import alone, of the shortest command, of a short text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.safetensors"
        small = made_up_model(ModelConfig("lstm", 1, 128, 0, 65))
        save_model(path, small.header, small.network.tensors)
        return {
            "import torch, alone": seconds_of([sys.executable, "-c", "import torch"]),
            "charrnn --help": seconds_of([*CHARRNN, "--help"]),
            "charrnn generate -l 200": seconds_of([*CHARRNN, "generate", "-m", str(path), "-l", "200"]),
        }


def generate(options: argparse.Namespace) -> None:
    """Start, one stream and many samples against the naive loop and against the machine's limits."""
    print(f"{available_cores()} cores, NumPy {np.__version__}; characters a second, best of {options.rounds} turns\n")
    unit = "seconds"
    for name, seconds in start_times().items():
        print(f"{unit:48}{seconds:10.2f}  {name}")
        unit = ""
    print()
    for cell in options.cell:
        print_rates(ModelConfig(cell, options.layers, options.hidden_size, 0, options.vocab), options)
    large_vocabulary(ModelConfig("lstm", options.layers, options.hidden_size, 0, LARGE_VOCABULARY))


Rate = tuple[str, float, str]  # what, characters a second, why so many


def rates(config: ModelConfig, rounds: int, seconds: float) -> list[Rate]:
    """Ways of writing with one cell, the naive loop first, and what the machine would allow."""
    model = made_up_model(config)
    stepped = [name for name in config.shapes() if name.startswith(("rnn.weight_hh", "rnn.weight_ih", "decoder.w"))]
    entries = sum(model.network.tensors[name].size for name in stepped if name != "rnn.weight_ih_l0")
    makers: dict[str, Callable[[], Iterator[int]]] = {
        "naive": lambda: naive_loop(config),
        "one": lambda: written(model, 1),
        "many": lambda: written(model, SAMPLES),
        "cached": lambda: read_bytes(4 * entries),
        "memory": lambda: read_bytes(2**28),
        "matrix": multiplied,
    }
    best = in_turns(makers, rounds, seconds)
    return [
        ("naive loop", best["naive"], f"1 {config.cell} call a character"),
        ("one stream", best["one"], f"{4 * entries / 1e6:.1f} MB of weights a character"),
        # The kernel can be faster: it reads to and fro, so a step begins with what the cache still holds of the last.
        ("  NumPy's read", best["memory"] / (4 * entries), f"from memory, {best['memory'] / 1e9:.1f} GB/s on one core"),
        ("  NumPy's read", best["cached"] / (4 * entries), f"from the cache, {best['cached'] / 1e9:.1f} GB/s"),
        (f"{SAMPLES} samples", best["many"], f"{2 * entries / 1e6:.1f} million operations a character"),
        ("  limit", best["matrix"] / (2 * entries), f"of matrix products, {best['matrix'] / 1e9:.0f} G/s on all cores"),
    ]


def print_rates(config: ModelConfig, options: argparse.Namespace) -> None:
    """One cell's table."""
    found = rates(config, options.rounds, options.seconds)
    name = f"{config.cell} {config.layers}x{config.hidden_size}, {config.vocab_size} symbols"
    print(f"{name:36}{'characters/s':>14}{'to naive':>10}")
    for label, rate, remark in found:
        print(f"  {label:34}{rate:14,.0f}{rate / found[0][1]:9.1f}x  {remark}")
    print()


def large_vocabulary(config: ModelConfig) -> None:
    """How long a step of a large vocabulary takes in the network, and how long the choice of a symbol."""
    network, use = made_up_model(config).network, load_kernel(config.cell)
    if use is None:
        print("the kernel does not run on this machine")
        return
    weights = Weights(network, use)
    # Normal scores of this spread have the perplexity of a trained model of such a text, about a hundred.
    logits = np.random.default_rng(0).normal(scale=2.4, size=weights.symbols).astype(np.float32)
    samplers = {
        "no filter": Sampler(TEMPERATURE),
        "--top-k 40": Sampler(TEMPERATURE, top_k=40),
        "--top-p 0.9": Sampler(TEMPERATURE, top_p=0.9),
        "--min-p 0.05": Sampler(TEMPERATURE, min_p=0.05),
        "all three": Sampler(TEMPERATURE, top_k=40, top_p=0.9, min_p=0.05),
    }
    writers = {name: KernelWriter(weights, network.initial_state(), sampler) for name, sampler in samplers.items()}
    step = shortest(partial(use.network, writers["no filter"].batch))
    print(
        f"{config.cell} {config.layers}x{config.hidden_size}, {config.vocab_size} symbols: network {step * 1e6:.0f} us"
    )
    for name, writer in writers.items():
        took = shortest(partial(use.choose, writer.batch, logits.ctypes.data, 0.5, None))
        print(f"  softmax, draw, {name:31}{took * 1e6:10.0f} us  {took / (took + step):.0%} of the step")
