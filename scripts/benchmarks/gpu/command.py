"""Training and generation on one device, measured in one run: charrnn beside a CPU and beside bare loops.

python scripts/benchmark.py gpu                           rates of the GPU if there is one, LSTM 2x512, batch 128 x 128
python scripts/benchmark.py gpu --device cpu --hidden-size 128 --batch-size 16 --seq-len 64
python scripts/benchmark.py gpu --all --text FILE         tests, losses, rates, generation, resuming, runs by the clock

Parts of `--all` run one after the other and go on after a failure; the figures are a table at the end, and JSON.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from charrnn.model.config import ModelConfig
from charrnn.training.devices.device import choose_device
from charrnn.training.network.precision import choose_precision
from scripts.benchmarks.gpu import rates
from scripts.benchmarks.gpu.cases import make_cases, write_labelled
from scripts.benchmarks.gpu.learning import measure_learning
from scripts.benchmarks.gpu.parts import (
    PRECISIONS,
    QUICK,
    VOCAB,
    Lengths,
    describe,
    make_text,
    measure_costs,
    measure_generation,
    measure_products,
    measure_speed,
    run_tests,
)
from scripts.benchmarks.gpu.results import Results
from scripts.benchmarks.gpu.sessions import measure_resume, measure_timed
from scripts.common import ScriptError, table, table_row

if TYPE_CHECKING:
    from collections.abc import Callable

ONLY_WITH_ALL = ("quick", "text", "cases", "times", "json")
PARTS = ("tests", "products", "training", "speed", "generation", "costs", "resume", "quality")


def gpu(options: argparse.Namespace) -> None:
    """Print rates on one device beside bare loops, or with `--all` everything.

    Raises:
        ScriptError: if an option of `--all` is given without it.
    """
    if not (options.all or options.parts):
        for name in ONLY_WITH_ALL:
            if getattr(options, name):
                raise ScriptError(f"--{name} is for --all and --parts; give one of them, or leave it out")
    device = choose_device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    print(f"{name}, PyTorch {torch.__version__}, cuDNN {cudnn}, {torch.get_num_threads()} threads\n", flush=True)
    if options.all or options.parts:
        measure_all(options, device)
    else:
        print_rates(options, device)


def measure_all(options: argparse.Namespace, device: torch.device) -> None:
    """Measure every part, or those of `--parts`; print a table at the end.

    Raises:
        ScriptError: if a part failed, or a figure does not reach its bar.
    """
    lengths = QUICK if options.quick else Lengths(training=options.training_seconds, rate=options.seconds)
    results = Results(bars=device.type == "cuda" and not options.quick)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = options.text or make_text(folder, options.quick)
        labelled = write_labelled(text, folder)
        cases = make_cases(lengths.compared, lengths.divisor, device)
        cases = [case for case in cases if options.cases in case.name]
        parts: dict[str, Callable[[], None]] = {
            "tests": run_tests,
            "products": lambda: measure_products(results, device, lengths),
            "training": lambda: measure_learning(results, cases, text, labelled, device, lengths.training),
            "speed": lambda: measure_speed(results, device, lengths),
            "generation": lambda: measure_generation(results, device, lengths),
            "costs": lambda: measure_costs(results, device, lengths),
            "resume": lambda: measure_resume(results, text, folder, device.type, lengths.resumed),
            "quality": lambda: measure_timed(results, text, device.type, options.times or list(lengths.times)),
        }
        for part in options.parts or PARTS:
            print(f"\n== {part}", flush=True)
            results.attempt(part, parts[part])
    print(f"\n{results.tabulate()}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results.to_json(), indent=2) + "\n", encoding="utf-8")
    wrong = [*results.failures, *(result.what for result in results.results if result.holds is False)]
    if wrong:
        raise ScriptError(f"{len(wrong)} of the measurements failed or do not reach their bar: {'; '.join(wrong)}")


def print_rates(options: argparse.Namespace, device: torch.device) -> None:
    """Print rates of one configuration beside bare loops, and costs by size."""
    config = ModelConfig(options.cell, options.layers, options.hidden_size, options.hidden_size, options.vocab)
    shape = options.batch_size, options.seq_len
    print(f"{describe(config)}, batch {shape[0]} x {shape[1]}, {config.vocab_size} symbols\n")
    for precision in options.precision:
        choose_precision(precision, device)  # raises if the device does not support it
        found = rates.measure_training(config, shape, PRECISIONS[precision], device, options.seconds)
        print(f"training, {precision}: characters/s")
        for name, value in found.items():
            print(f"  {name:28}{value:14,.0f}   charrnn is {found['charrnn'] / value:.2f} times as fast")
        print()
    generation = rates.measure_generation(config, options.samples, device, options.seconds)
    print("generation: characters/s")
    for name, value in generation.items():
        print(f"  {name:28}{value:14,.0f}   {value / generation['one call per character']:.1f} times one call")
    print(f"\ntraining on a million characters, one layer, {options.precision[0]}:")
    print(table(["units", "weights", "seconds"], []))
    for size in options.sizes:
        sized = ModelConfig(options.cell, 1, size, 64, options.vocab)
        seconds = rates.measure_cost(sized, shape, PRECISIONS[options.precision[0]], device, options.seconds)
        print(table_row([size, f"{sized.parameters:,}", f"{seconds:.3g}"]), flush=True)


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("gpu", help="training and generation on one device, compared with bare loops")
    add = parser.add_argument
    add("--device", default="auto", choices=("auto", "cuda", "mps", "cpu"))
    add("--all", action="store_true", help="everything, in a quarter of an hour; the options below --json do not apply")
    add("--parts", nargs="+", choices=PARTS, help="these parts of --all only")
    add("--quick", action="store_true", help="with --all: small networks and short runs")
    add("--text", type=Path, help="with --all: the text to learn (default: Python's own source)")
    add("--cases", default="", help="with --all: only the trainings whose names contain this")
    add("--times", nargs="+", help="with --all: durations of the runs with automatic settings (default: 60s 3m)")
    add("--training-seconds", type=float, default=20.0, help="with --all: length of each training in seconds")
    add("--seconds", type=float, default=3.0, help="length of each measurement of a rate in seconds")
    add("--json", type=Path, help="with --all: write the figures to this file, too")
    add("--cell", default="lstm", choices=("lstm", "gru", "rnn"))
    add("--layers", type=int, default=2)
    add("--hidden-size", type=int, default=512)
    add("--batch-size", type=int, default=128)
    add("--seq-len", type=int, default=128)
    add("--vocab", type=int, default=VOCAB)
    add("--precision", nargs="+", default=["fp32", "bf16"], choices=("fp32", "bf16"))
    add("--samples", nargs="+", type=int, default=[1, 64, 1000], help="numbers of samples to generate in parallel")
    add("--sizes", nargs="+", type=int, default=[256, 512, 1024, 2048], help="hidden sizes whose costs are listed")
    parser.set_defaults(run=gpu)
