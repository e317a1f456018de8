"""Training and generation on one device, measured in one run: charrnn beside a CPU and beside bare loops.

python scripts/benchmark.py gpu                           rates of the GPU if there is one, LSTM 2x512, batch 128 x 128
python scripts/benchmark.py gpu --device cpu --hidden-size 128 --batch-size 16 --seq-len 64
python scripts/benchmark.py gpu --all --text FILE         tests, losses, rates, generation, resuming, runs by the clock

Parts of `--all` run one after the other and go on after a failure; the figures are a table at the end, and JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from charrnn.model.config import ModelConfig
from charrnn.training.devices.device import choose_device
from charrnn.training.network.precision import choose_precision
from scripts.benchmarks.gpu import rates
from scripts.benchmarks.gpu.cases import make_cases, write_labelled
from scripts.benchmarks.gpu.learning import measure_learning
from scripts.benchmarks.gpu.results import Results
from scripts.benchmarks.gpu.sessions import measure_resume, measure_timed
from scripts.common import ROOT, ScriptError, make_environment, run_charrnn, table, table_row

if TYPE_CHECKING:
    from collections.abc import Callable

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
PARTS = ("tests", "products", "training", "speed", "generation", "costs", "resume", "quality")
VOCAB = 65
LEAST_SPEED = 0.95  # of the bare loop
LEAST_GENERATION = 20.0  # times one call per character, with 64 samples
TESTS = ("tests/training", "tests/inference")


@dataclass(frozen=True)
class Lengths:
    """How long the parts of `--all` take.

    Attributes:
        training: seconds of each training.
        rate: seconds of each measurement of a rate.
        compared: steps whose losses are compared with a CPU.
        divisor: of all hidden sizes.
        resumed: steps of the run that is killed.
        times: of the runs by the clock.
    """

    training: float = 20.0
    rate: float = 3.0
    compared: int = 200
    divisor: int = 1
    resumed: int = 600
    times: tuple[str, ...] = ("60s", "3m")


QUICK = Lengths(training=0.5, rate=0.2, compared=8, divisor=8, resumed=200, times=("3s",))


def gpu(options: argparse.Namespace) -> None:
    """Print rates on one device beside bare loops, or with `--all` everything."""
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
        text = options.text or _make_text(folder, options.quick)
        labelled = write_labelled(text, folder)
        cases = [case for case in make_cases(lengths.compared, lengths.divisor) if options.cases in case.name]
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


def _make_text(folder: Path, quick: bool) -> Path:
    """Return a text that is on every machine: Python's own source, the first million characters of it."""
    path = folder / "text.txt"
    whole = run_charrnn("corpus", "stdlib")
    path.write_text(whole[: 200_000 if quick else 1_100_000], encoding="utf-8", errors="replace")
    return path


def run_tests() -> None:
    """Run the tests that are marked for devices.

    Raises:
        ScriptError: if one fails.
    """
    command = [sys.executable, "-m", "pytest", "-m", "device", "-p", "no:cacheprovider", *TESTS]
    status = subprocess.run(command, cwd=ROOT, env=make_environment(), check=False).returncode
    if status:
        raise ScriptError(f"the tests ended with status {status}; see above")


def _make_configs(lengths: Lengths) -> list[ModelConfig]:
    """The networks whose rates are measured."""
    sizes = (("lstm", 1, 512), ("lstm", 2, 1024), ("gru", 1, 512))
    return [
        ModelConfig(cell, layers, units // lengths.divisor, units // lengths.divisor, VOCAB)
        for cell, layers, units in sizes
    ]


def _describe(config: ModelConfig, precision: str = "") -> str:
    name = f"{config.cell.upper()} {config.layers}x{config.hidden_size}"
    return f"{name}, {precision}" if precision else name


def _usable_precisions(device: torch.device) -> list[str]:
    """The precisions that the device computes with."""
    usable = ["fp32"]
    if device.type == "cuda":
        choose_precision("bf16", device)
        usable.append("bf16")
    return usable


def measure_products(results: Results, device: torch.device, lengths: Lengths) -> None:
    """Add the rates of large products, which no network exceeds."""
    for precision in _usable_precisions(device):
        size = 4096 // lengths.divisor
        rate = rates.measure_products(device, PRECISIONS[precision], min(lengths.rate, 1.0), size)
        results.add("products", f"{size} x {size}, {precision}", rate / 1e12, "T operations/s")


def measure_speed(results: Results, device: torch.device, lengths: Lengths) -> None:
    """Add training rates beside bare loops."""
    shape = (64, 128) if lengths.divisor == 1 else (16, 16)
    for config in _make_configs(lengths):
        for precision in _usable_precisions(device):
            found = rates.measure_training(config, shape, PRECISIONS[precision], device, lengths.rate)
            name = f"{_describe(config, precision)}, batch {shape[0]} x {shape[1]}"
            for loop, rate in found.items():
                print(f"  {loop:28}{rate:14,.0f}")
            ratio = found["charrnn"] / found["bare"]
            results.add("speed", f"{name}: characters/s", found["charrnn"])
            results.add("speed", f"{name}: times the bare loop", ratio, at_least=LEAST_SPEED)


def measure_generation(results: Results, device: torch.device, lengths: Lengths) -> None:
    """Add rates of generation."""
    for config in _make_configs(lengths)[:2]:
        found = rates.measure_generation(config, [1, 64, 1000], device, min(lengths.rate, 1.0))
        naive = found["one call per character"]
        for name, rate in found.items():
            print(f"  {name:28}{rate:14,.0f}   {rate / naive:.1f} times one call per character", flush=True)
            bar = LEAST_GENERATION if name == f"64 samples, {device.type}" else None
            results.add("generation", f"{_describe(config)}, {name}: characters/s", rate)
            if bar is not None:
                results.add("generation", f"{_describe(config)}, {name}: times one call", rate / naive, at_least=bar)


def measure_costs(results: Results, device: torch.device, lengths: Lengths) -> None:
    """Add what a million characters cost by size, and by the shape of a step."""
    precision = _usable_precisions(device)[-1]
    for shape in ((64, 128), (128, 128), (256, 128)):
        for units in (512, 1024, 2048):
            config = ModelConfig("lstm", 1, units // lengths.divisor, 64, VOCAB)
            seconds = rates.measure_cost(config, shape, PRECISIONS[precision], device, min(lengths.rate, 0.7))
            what = f"{_describe(config, precision)}, batch {shape[0]} x {shape[1]}, a million characters"
            results.add("costs", what, seconds, "s")


def print_rates(options: argparse.Namespace, device: torch.device) -> None:
    """Print rates of one configuration beside bare loops, memory, and costs by size."""
    config = ModelConfig(options.cell, options.layers, options.hidden_size, options.hidden_size, options.vocab)
    shape = options.batch_size, options.seq_len
    print(f"{_describe(config)}, batch {shape[0]} x {shape[1]}, {config.vocab_size} symbols\n")
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
