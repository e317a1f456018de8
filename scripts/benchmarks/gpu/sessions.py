"""Whole runs of `charrnn train` on a device: killed and resumed, and by the clock."""

import signal
import subprocess
import time
from pathlib import Path

from charrnn.training.checkpoint.files import RunFiles
from scripts.benchmarks.gpu.results import Results
from scripts.benchmarks.quality import measure_quality
from scripts.common import CHARRNN, ScriptError, make_environment, run_json

UNITS = 128
RESUMED_DIFFERENCE = 0.02  # nats: sums on a GPU are not always in the same order
WAIT = 120.0  # seconds for a run to save its first state
BARS = {"3m": 1.44}  # nats per character in random windows; nanoGPT's Transformer has 1.4697 in that time on an A100


def measure_resume(results: Results, text: Path, folder: Path, device: str, steps: int) -> None:
    """Kill a run after a save, resume it, and compare it with a run that was not interrupted."""
    whole = run_json(*make_command(text, folder / "whole.safetensors", device, steps))
    broken = folder / "broken.safetensors"
    saved = kill_after_save(make_command(text, broken, device, steps), broken, steps // 4)
    print(f"  killed after the save at step {saved} of {steps}", flush=True)
    resumed = run_json(*make_command(text, broken, device, steps), "--resume")
    difference = abs(resumed["valid_loss"] - whole["valid_loss"])
    print(f"  loss {resumed['valid_loss']:.4f}, not interrupted {whole['valid_loss']:.4f}", flush=True)
    results.add("resume", "difference from a run without interruption", difference, "nats", at_most=RESUMED_DIFFERENCE)


def make_command(text: Path, output: Path, device: str, steps: int) -> list[str]:
    """Return a command that trains a small network in float32."""
    sizes = ["--hidden-size", str(UNITS), "--batch-size", "16", "--seq-len", "64", "--precision", "fp32"]
    run = ["--steps", str(steps), "--device", device, "--no-tensorboard", "--quiet", "-o", str(output)]
    return ["train", str(text), *sizes, *run]


def kill_after_save(command: list[str], output: Path, step: int) -> int:
    """Start a command of charrnn and kill it when it has saved this step or a later one; returns the saved step.

    Raises:
        ScriptError: if it ends before, or saves nothing in time.
    """
    process = subprocess.Popen([*CHARRNN, *command], stdout=subprocess.DEVNULL, env=make_environment())
    begin = time.monotonic()
    try:
        while time.monotonic() - begin < WAIT:
            if process.poll() is not None:
                raise ScriptError(f"charrnn {command[0]} ended with status {process.returncode} before it was killed")
            saved, _ = RunFiles(output).read_newest()
            if saved is not None and int(saved.state["trainer"]["steps"]) >= step:
                return int(saved.state["trainer"]["steps"])
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    raise ScriptError(f"charrnn {command[0]} saved no step from {step} on in {WAIT:.0f} s")


def measure_timed(results: Results, text: Path, device: str, times: list[str]) -> None:
    """Train with automatic settings for some times."""
    for length in times:
        _, _, settings, epochs, loss, windows = measure_quality(text, length, device=device)
        print(f"  {length}: {settings}, {epochs} epochs, loss {loss}, random windows {windows}", flush=True)
        results.add("quality", f"{length}: held-out loss", float(loss), "nats per character")
        results.add(
            "quality", f"{length}: random windows", float(windows), "nats per character", at_most=BARS.get(length)
        )
