"""The parts of a measurement that need no corpus: tests, and the rates of products, training and generation."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from charrnn.model.config import ModelConfig
from charrnn.training.network.precision import choose_precision
from scripts.benchmarks.generation import SAMPLES
from scripts.benchmarks.gpu import rates
from scripts.benchmarks.gpu.results import Results
from scripts.common import ROOT, ScriptError, make_environment, run_charrnn

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
VOCAB = 65
LEAST_SPEED = 0.95  # of the bare loop
LEAST_GENERATION = 20.0  # times one call per character, with `SAMPLES`
TESTS = ("tests/training", "tests/inference", "tests/native")


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


def make_text(folder: Path, quick: bool) -> Path:
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


def describe(config: ModelConfig, precision: str = "") -> str:
    """Return a network in words."""
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
            name = f"{describe(config, precision)}, batch {shape[0]} x {shape[1]}"
            for loop, rate in found.items():
                results.add("speed", f"{name}: {loop}", rate, "characters/s")
            results.add("speed", f"{name}: times bare", found["charrnn"] / found["bare"], at_least=LEAST_SPEED)


def measure_generation(results: Results, device: torch.device, lengths: Lengths) -> None:
    """Add rates of generation."""
    for config in _make_configs(lengths)[:2]:
        found = rates.measure_generation(config, [1, SAMPLES, 1000], device, min(lengths.rate, 1.0))
        naive = found["one call per character"]
        for name, rate in found.items():
            results.add("generation", f"{describe(config)}, {name}", rate, "characters/s")
        times, what = found[f"{SAMPLES} samples, {device.type}"] / naive, f"{describe(config)}, {SAMPLES} samples"
        results.add("generation", f"{what}: times one call per character", times, at_least=LEAST_GENERATION)


def measure_costs(results: Results, device: torch.device, lengths: Lengths) -> None:
    """Add what a million characters cost by size, and by the shape of a step."""
    precision = _usable_precisions(device)[-1]
    for shape in ((64, 128), (128, 128), (256, 128)):
        for units in (512, 1024, 2048):
            config = ModelConfig("lstm", 1, units // lengths.divisor, 64, VOCAB)
            seconds = rates.measure_cost(config, shape, PRECISIONS[precision], device, min(lengths.rate, 0.7))
            what = f"{describe(config, precision)}, batch {shape[0]} x {shape[1]}, a million characters"
            results.add("costs", what, seconds, "s")
