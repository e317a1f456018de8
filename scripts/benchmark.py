"""Measures charrnn against what others do and what the machine allows: one command each, a table on stdout.

python scripts/benchmark.py generate                 start, one stream, many samples, large vocabularies
python scripts/benchmark.py quality TEXT...          held-out loss by time, with the settings that were chosen
python scripts/benchmark.py quality TEXT... --grid   the same beside a grid of settings run for the same times
python scripts/benchmark.py gpu                      learning and writing on a GPU (see benchmark_gpu.py)

All that is compared is measured in the same run, in turns, and the best of the turns counts: another program's burst
of work then costs no one more than the others.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from charrnn.inference.api import Model
from charrnn.inference.cores import available_cores
from charrnn.inference.generation import Request
from charrnn.inference.kernel.compiled import kernel
from charrnn.inference.network import Network
from charrnn.inference.sampling import Sampler
from charrnn.inference.stepping import KernelWriter, Weights
from charrnn.model import ModelConfig, ModelHeader, read_header, save_model
from charrnn.text.vocabulary import Vocabulary
from scripts.benchmark_gpu import add_options as add_gpu_options

FIRST_CODE = 0x4E00  # made-up vocabularies begin at the first Chinese character: there are enough behind it
SAMPLES = 64
LARGE_VOCABULARY = 10_000
TEMPERATURE = 0.8
GRID = ((128, 256, 512), (1, 2), (2e-3, 5e-3, 1e-2))  # hidden size, layers, learning rate


def made_up_model(config: ModelConfig) -> Model:
    """A model of random weights, of the size that trained ones have."""
    draw = np.random.default_rng(0)
    tensors = {
        name: (draw.standard_normal(shape) / config.hidden_size**0.5).astype(np.float32)
        for name, shape in config.shapes().items()
    }
    vocabulary = Vocabulary("char", range(FIRST_CODE, FIRST_CODE + config.vocab_size))
    return Model(ModelHeader(config, vocabulary.to_json()), vocabulary, Network(config, tensors))


def seconds_of(command: list[str], times: int = 5) -> float:
    """Median wall time of a command."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def best_rate(make: Callable[[], Iterator[int]], seconds: float) -> float:
    """Items per second of an iterator that tells how many more it has made, over some seconds."""
    iterator = make()
    next(iterator)
    made, begin = 0, time.perf_counter()
    for more in iterator:
        made += more
        if time.perf_counter() - begin > seconds:
            break
    return made / (time.perf_counter() - begin)


def in_turns(makers: dict[str, Callable[[], Iterator[int]]], rounds: int, seconds: float) -> dict[str, float]:
    """The best rate of each, measured in turns."""
    best = dict.fromkeys(makers, 0.0)
    for _ in range(rounds):
        for name, make in makers.items():
            best[name] = max(best[name], best_rate(make, seconds))
    return best


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


def generate(options: argparse.Namespace) -> None:
    """Start, one stream and many samples against the naive loop and against the machine's limits."""
    print(f"{available_cores()} cores, NumPy {np.__version__}; characters a second, best of {options.rounds} turns\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.safetensors"
        small = made_up_model(ModelConfig("lstm", 1, 128, 0, 65))
        save_model(path, small.header, small.network.tensors)
        charrnn = [sys.executable, "-m", "charrnn"]
        print(f"{'seconds':48}{seconds_of([sys.executable, '-c', 'import torch']):10.2f}  import torch, alone")
        print(f"{'':48}{seconds_of([*charrnn, '--help']):10.2f}  charrnn --help")
        command = [*charrnn, "generate", "-m", str(path), "-l", "200"]
        print(f"{'':48}{seconds_of(command):10.2f}  charrnn generate -l 200\n")
    for cell in options.cell:
        compare(ModelConfig(cell, options.layers, options.hidden_size, 0, options.vocab), options)
    large_vocabulary(ModelConfig("lstm", options.layers, options.hidden_size, 0, LARGE_VOCABULARY))


def compare(config: ModelConfig, options: argparse.Namespace) -> None:
    """One cell's table."""
    model = made_up_model(config)
    stepped = [name for name in config.shapes() if name.startswith(("rnn.weight_hh", "rnn.weight_ih", "decoder.w"))]
    entries = sum(model.network.tensors[name].size for name in stepped if name != "rnn.weight_ih_l0")
    best = in_turns(
        {
            "naive": lambda: naive_loop(config),
            "one": lambda: written(model, 1),
            "many": lambda: written(model, SAMPLES),
            "cached": lambda: read_bytes(4 * entries),
            "memory": lambda: read_bytes(2**28),
            "matrix": multiplied,
        },
        options.rounds,
        options.seconds,
    )
    name = f"{config.cell} {config.layers}x{config.hidden_size}, {config.vocab_size} symbols"
    rows = [
        ("naive loop", best["naive"], f"1 {config.cell} call a character"),
        ("one stream", best["one"], f"{4 * entries / 1e6:.1f} MB of weights a character"),
        ("  limit", best["memory"] / (4 * entries), f"of memory, {best['memory'] / 1e9:.1f} GB/s on one core"),
        ("  limit", best["cached"] / (4 * entries), f"of the cache they fit in, {best['cached'] / 1e9:.1f} GB/s"),
        (f"{SAMPLES} samples", best["many"], f"{2 * entries / 1e6:.1f} million operations a character"),
        ("  limit", best["matrix"] / (2 * entries), f"of matrix products, {best['matrix'] / 1e9:.0f} G/s on all cores"),
    ]
    print(f"{name:36}{'characters/s':>14}{'to naive':>10}")
    for label, rate, remark in rows:
        print(f"  {label:34}{rate:14,.0f}{rate / best['naive']:9.1f}x  {remark}")
    print()


def large_vocabulary(config: ModelConfig) -> None:
    """How long a step of a large vocabulary takes in the network, and how long the choice of a symbol."""
    network, use = made_up_model(config).network, kernel(config.cell)
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


def shortest(function: Callable[[], object], times: int = 500) -> float:
    """Seconds of the fastest call."""
    best = float("inf")
    for _ in range(times):
        begin = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - begin)
    return best


def quality(options: argparse.Namespace) -> None:
    """Held-out loss of what charrnn chooses by itself, and with --grid of fixed settings, for the same time."""
    print("| text | time | settings | epochs | loss (nats per character) |\n|---|---|---|---|---|")
    for text in options.texts:
        for seconds in options.times:
            print(quality_row(text, seconds), flush=True)
            for size, layers, rate in product(*GRID) if options.grid else ():
                fixed = ["--hidden-size", str(size), "--layers", str(layers), "--lr", str(rate), "--dropout", "0"]
                print(quality_row(text, seconds, fixed), flush=True)


def quality_row(text: Path, seconds: str, fixed: Sequence[str] = ()) -> str:
    """One training run as a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.safetensors"
        command = [sys.executable, "-m", "charrnn", "train", str(text), "--time", seconds, "-o", str(model), *fixed]
        done = subprocess.run([*command, "--no-tensorboard", "--quiet", "--json"], check=True, capture_output=True)
        found, made = json.loads(done.stdout), read_header(model)
    chosen, size = made.training["settings"], made.config
    settings = (
        f"{size.cell} {size.layers}x{size.hidden_size}, lr {chosen['lr']:.2g}, dropout {chosen['dropout']:.2g}, "
        f"batch {chosen['batch_size']} x {chosen['seq_len']}{'' if fixed else ' (chosen)'}"
    )
    return f"| {text.name} | {seconds} | {settings} | {found['epochs']:.1f} | {found['valid_loss']:.4f} |"


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    generation = commands.add_parser("generate", help=generate.__doc__)
    generation.add_argument("--cell", nargs="+", default=["lstm", "gru"], choices=("lstm", "gru", "rnn"))
    generation.add_argument("--layers", type=int, default=2)
    generation.add_argument("--hidden-size", type=int, default=256)
    generation.add_argument("--vocab", type=int, default=65)
    generation.add_argument("--rounds", type=int, default=5, help="turns of each measurement")
    generation.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    generation.set_defaults(run=generate)
    learning = commands.add_parser("quality", help=quality.__doc__)
    learning.add_argument("texts", nargs="+", type=Path, metavar="TEXT")
    learning.add_argument("--times", nargs="+", default=["13s", "60s", "5m"], metavar="DURATION")
    learning.add_argument("--grid", action="store_true", help="hidden size, layers and rate by hand, 18 runs a time")
    learning.set_defaults(run=quality)
    add_gpu_options(commands.add_parser("gpu", help="learning and writing on one device, beside bare loops"))
    return parser.parse_args(arguments)


def main() -> None:
    """Run the command that is named."""
    options = parsed()
    options.run(options)


if __name__ == "__main__":
    main()
