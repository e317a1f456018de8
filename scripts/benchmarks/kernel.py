"""Training by the kernel compared with PyTorch's layers, and with the limit of this machine.

python scripts/benchmark.py kernel                           LSTM and GRU of 128, 256 and 512 units, 16 x 64
python scripts/benchmark.py kernel --cell gru --sizes 100 --batch-size 50 --seq-len 200

Runs of `charrnn train` in turns; the faster of several counts. The limit is what a large float32 product of PyTorch's
reaches on the same cores; a step has six operations for each weight and character.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from charrnn.model.config import GATES
from scripts.benchmarks.report import find_text
from scripts.common import count, run_json, table

SYMBOLS, EMBEDDING = 65, 64


def measure_limit(seconds: float = 1.5, size: int = 1536) -> float:
    """Return the operations per second of a large product."""
    a, calls = torch.randn(size, size), 0
    a @ a
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        a @ a
        calls += 1
    return 2.0 * size**3 * calls / (time.perf_counter() - begin)


def count_operations(cell: str, units: int) -> int:
    """Return the operations of learning one character with one layer."""
    return 6 * (GATES[cell] * units * (units + EMBEDDING) + units * SYMBOLS)


def measure_rate(options: argparse.Namespace, cell: str, units: int, kernel: str) -> float:
    """Return the characters per second of a run."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = ["--cell", cell, "--hidden-size", str(units), "--embedding-size", str(EMBEDDING), "--layers", "1"]
        shape = ["--batch-size", str(options.batch_size), "--seq-len", str(options.seq_len)]
        run = ["--kernel", kernel, "--precision", options.precision, "--time", options.time, "-o", f"{folder}/model"]
        done = run_json("train", str(find_text(Path(folder))), *sizes, *shape, *run, "--no-tensorboard", "--quiet")
        return float(done["chars_per_second"])


def print_kernel(options: argparse.Namespace) -> None:
    """Print a table of cells and sizes."""
    rows = []
    limit = measure_limit()
    for cell in [options.cell] if options.cell else ["lstm", "gru"]:
        for units in options.sizes:
            best: dict[str, float] = {}
            for _ in range(options.times):
                for kernel in ("torch", "native"):
                    rate = measure_rate(options, cell, units, kernel)
                    best[kernel] = max(best.get(kernel, 0.0), rate)
            share = best["native"] * count_operations(cell, units) / limit
            gain = best["native"] / best["torch"]
            rows.append(
                (f"{cell} {units}", f"{best['torch']:,.0f}", f"{best['native']:,.0f}", f"{gain:.2f}", f"{share:.2f}")
            )
    head = ["network", "PyTorch, characters/s", "kernel", "times", "share of the limit"]
    print(table(head, rows, numeric=True))


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `kernel`."""
    parser = commands.add_parser("kernel", help="training by the kernel compared with PyTorch's layers")
    parser.add_argument("--cell", choices=GATES)
    parser.add_argument("--sizes", type=count, nargs="+", default=[128, 256, 512])
    parser.add_argument("--batch-size", type=count, default=16)
    parser.add_argument("--seq-len", type=count, default=64)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--time", default="5s", help="of each run")
    parser.add_argument("--times", type=count, default=3, help="runs of each")
    parser.set_defaults(run=print_kernel)
