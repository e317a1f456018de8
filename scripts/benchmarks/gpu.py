"""Training and generation on a GPU: tests, losses beside those of the CPU, speed, resuming, and runs by the clock.

python scripts/benchmark.py gpu                          everything, in about a quarter of an hour
python scripts/benchmark.py gpu --parts speed            one part of it
python scripts/benchmark.py gpu --device cpu --quick     the script itself, in a minute
python scripts/benchmark.py gpu --parts cost --device cpu --batch-size 16 --seq-len 64

A part that fails is reported, and the next one goes on. The figures are a table in Markdown at the end.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from charrnn.model.config import ModelConfig
from charrnn.training.checkpoint.files import RunFiles
from charrnn.training.devices.device import choose_device, synchronize
from charrnn.training.network.precision import full_precision
from scripts.benchmarks.loops import make_bare_step
from scripts.benchmarks.quality import measure_quality
from scripts.benchmarks.report import find_text
from scripts.common import CHARRNN, ROOT, ScriptError, count, duration, make_environment, run_json, table

SYMBOLS = 65
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
LARGEST_DIFFERENCE = 0.02  # nats between the losses of the same steps on two devices, in float32
LEAST_SPEED = 0.9  # times the bare loop
Row = tuple[str, str, str, str]  # part, what, figure, whether it reaches its bar


class GpuBenchmark:
    """Measures the parts; each appends to `rows`."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options, self._folder = options, folder
        self._device = choose_device(options.device)
        self._text = options.text or find_text(folder)
        self._divisor = 8 if options.quick else 1
        self._seconds = "1s" if options.quick else "5s"
        self.rows: list[Row] = []

    def run(self, parts: list[str]) -> None:
        """Measure some parts; an error in one is a row."""
        for part in parts:
            print(f"== {part}", file=sys.stderr, flush=True)
            try:
                getattr(self, f"measure_{part}")()
            except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are measured
                traceback.print_exc()
                self._add(part, f"failed: {type(error).__name__}: {str(error).splitlines()[0]}", "", holds=False)

    def _add(self, part: str, what: str, figure: str, *, holds: bool | None = None) -> None:
        checked = holds is not None and not self._options.quick
        self.rows.append((part, what, figure, ("holds" if holds else "FAILS") if checked else ""))

    def _train(self, name: str, *options: str, device: str | None = None) -> Any:
        command = ["train", str(self._text), "-o", str(self._folder / name), "--overwrite", "--quiet"]
        return run_json(*command, "--no-tensorboard", "--device", device or self._device.type, *options)

    def measure_tests(self) -> None:
        """Run the tests that hold on every device."""
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-m", "device"], cwd=ROOT, check=True)
        self._add("tests", "tests that hold on every device", "passed")

    def measure_losses(self) -> None:
        """Compare the losses of the same steps on this device and on the CPU, without dropout."""
        steps = "10" if self._options.quick else "200"
        sizes = ["--steps", steps, "--batch-size", "32", "--seq-len", "64", "--dropout", "0", "--precision", "fp32"]
        for cell, layers, units in (("lstm", 1, 512), ("gru", 1, 512), ("lstm", 2, 512)):
            network = ["--cell", cell, "--layers", str(layers), "--hidden-size", str(units // self._divisor)]
            here, there = (
                self._train("losses", *network, *sizes, device=device)["train_loss"]
                for device in (self._device.type, "cpu")
            )
            what = f"{cell} {layers}x{units // self._divisor}: train loss after {steps} steps, and on the CPU"
            self._add("losses", what, f"{here:.4f}, {there:.4f}", holds=abs(here - there) <= LARGEST_DIFFERENCE)

    def measure_speed(self) -> None:
        """Compare training with a bare loop of PyTorch's layers of the same shape."""
        columns, rows = self._options.batch_size, self._options.seq_len
        for layers, units in ((1, 512 // self._divisor), (2, 1024 // self._divisor)):
            for precision, dtype in PRECISIONS.items():
                config = ModelConfig("lstm", layers, units, units, SYMBOLS)
                ours = self._measure_rate(config, precision)
                with full_precision():
                    bare = self._repeat(make_bare_step(config, columns, rows, self._device, dtype, fused=True))
                what = f"lstm {layers}x{units}, {precision}: characters/s, and of a bare loop"
                bare *= columns * rows
                self._add("speed", what, f"{ours:,.0f}, {bare:,.0f}", holds=ours >= LEAST_SPEED * bare)
        if self._device.type == "cuda":
            self._add("speed", "peak memory of the bare loops", f"{torch.cuda.max_memory_allocated() / 1e9:.2f} GB")

    def _measure_rate(self, config: ModelConfig, precision: str) -> float:
        """Characters per second of `charrnn train`."""
        sizes = ["--layers", str(config.layers), "--hidden-size", str(config.hidden_size)]
        shape = ["--batch-size", str(self._options.batch_size), "--seq-len", str(self._options.seq_len)]
        run = ["--embedding-size", str(config.embedding_size), "--precision", precision, "--time", self._seconds]
        return float(self._train("speed", *sizes, *shape, *run)["chars_per_second"])

    def _repeat(self, step: Callable[[], object]) -> float:
        """Steps per second."""
        for _ in range(3):
            step()
        synchronize(self._device)
        steps, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < float(self._seconds.rstrip("s")):
            for _ in range(5):
                step()
            synchronize(self._device)
            steps += 5
        return steps / (time.perf_counter() - begin)

    def measure_cost(self) -> None:
        """Measure how long networks of some sizes take for a million characters."""
        for units in (256, 512, 1024, 2048):
            config = ModelConfig("lstm", 1, units // self._divisor, 64, SYMBOLS)
            for precision in PRECISIONS if self._device.type == "cuda" else ("fp32",):
                seconds = 1e6 / self._measure_rate(config, precision)
                what = f"lstm 1x{config.hidden_size}, {precision}: seconds for a million characters"
                self._add("cost", what, f"{seconds:.3g}")

    def measure_generation(self) -> None:
        """Generate with one sample and with many, on the device and on the CPU."""
        self._train("generator", "--hidden-size", str(512 // self._divisor), "--steps", "2")
        length = 200 if self._options.quick else 2000
        for samples in (1, 64, 1000):
            for device in dict.fromkeys(("cpu", self._device.type)):
                begin = time.perf_counter()
                command = ["generate", "-m", str(self._folder / "generator.safetensors"), "-n", str(samples)]
                done = [*CHARRNN, *command, "-l", str(length), "--device", device, "--quiet"]
                subprocess.run(done, check=True, stdout=subprocess.DEVNULL, env=make_environment())
                rate = samples * length / (time.perf_counter() - begin)
                self._add("generation", f"{samples} samples on {device}, start included: characters/s", f"{rate:,.0f}")

    def measure_resume(self) -> None:
        """Kill a run after a save, resume it, and compare it with a run that was not interrupted."""
        steps = 200 if self._options.quick else 2000
        options = ["--steps", str(steps), "--hidden-size", "128", "--batch-size", "16", "--seq-len", "64"]
        whole = self._train("whole", *options)["valid_loss"]
        command = [*CHARRNN, "train", str(self._text), "-o", str(self._folder / "broken"), "--overwrite", "--quiet"]
        command += ["--no-tensorboard", "--device", self._device.type, *options]
        process = subprocess.Popen(command, env=make_environment())
        files, saved = RunFiles(self._folder / "broken.safetensors"), 0
        while saved < steps // 4 and process.poll() is None:
            state, _ = files.read_newest()
            saved = 0 if state is None else int(state.state["trainer"]["steps"])
            time.sleep(0.02)
        process.kill()
        process.wait()
        resumed = run_json(*command[len(CHARRNN) :], "--resume")["valid_loss"]
        what = f"loss of a run killed at step {saved}, and of one that was not"
        holds = abs(resumed - whole) <= LARGEST_DIFFERENCE
        self._add("resume", what, f"{resumed:.4f}, {whole:.4f}", holds=holds)

    def measure_quality(self) -> None:
        """Train with automatic settings for some times."""
        for length in self._options.times or (["2s"] if self._options.quick else ["60s", "3m"]):
            _, _, settings, epochs, loss, windows = measure_quality(self._text, length, device=self._device.type)
            self._add("quality", f"{length}: {settings}, {epochs} epochs; loss, random windows", f"{loss}, {windows}")


PARTS = ("tests", "losses", "speed", "cost", "generation", "resume", "quality")


def gpu(options: argparse.Namespace) -> None:
    """Measure, and print the table.

    Raises:
        ScriptError: if a part failed, or a figure does not reach its bar.
    """
    with tempfile.TemporaryDirectory() as folder:
        benchmark = GpuBenchmark(options, Path(folder))
        benchmark.run(options.parts or list(PARTS))
    print(table(("part", "what", "figure", ""), benchmark.rows))
    if any(row[3] == "FAILS" for row in benchmark.rows):
        raise ScriptError("some of the measurements failed or do not reach their bar; see the table")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("gpu", help="training and generation on a GPU, compared with a CPU and a bare loop")
    add = parser.add_argument
    add("--device", default="auto", choices=("auto", "cuda", "mps", "cpu"))
    add("--parts", nargs="+", choices=PARTS, help="these parts only")
    add("--quick", action="store_true", help="small networks and short runs, without bars")
    add("--text", type=Path, help="the text to learn (default: tiny Shakespeare)")
    add("--times", nargs="+", type=duration, help="durations of the runs with automatic settings (default: 60s 3m)")
    add("--batch-size", type=count, default=128)
    add("--seq-len", type=count, default=128)
    parser.set_defaults(run=gpu)
