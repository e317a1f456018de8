"""Training speed: `charrnn train` against two loops in plain PyTorch."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from charrnn.model.config import ModelConfig
from scripts.benchmarks.loops import Step, make_bare_step, make_classic_step
from scripts.benchmarks.timing import measure_rate, repeat_step
from scripts.common import run_json

HIDDEN, LAYERS, BATCH, SEQ_LEN, VOCAB = 100, 2, 100, 200, 65
STEPS = 30  # of charrnn's run
SECONDS = 5.0  # of each loop, in each turn


def measure_loop(make: Callable[[ModelConfig, int, int], Step]) -> float:
    """Return the characters per second of a training loop."""
    config = ModelConfig("lstm", LAYERS, HIDDEN, HIDDEN, VOCAB)
    return measure_rate(lambda: repeat_step(make(config, BATCH, SEQ_LEN), BATCH * SEQ_LEN), SECONDS)


def measure_charrnn(text: Path) -> float:
    """Return the characters per second that `charrnn train` reports for a run of the same sizes."""
    sizes = {"hidden-size": HIDDEN, "embedding-size": HIDDEN, "layers": LAYERS, "batch-size": BATCH, "seq-len": SEQ_LEN}
    with tempfile.TemporaryDirectory() as folder:
        options = [f"--{name}={size}" for name, size in sizes.items()]
        files = ["-o", f"{folder}/m.safetensors", "--logdir", f"{folder}/runs"]
        summary = run_json("train", str(text), *options, f"--steps={STEPS}", "--dropout=0", *files, "--quiet")
    return float(summary["chars_per_second"])


def measure_learning(text: Path, turns: int) -> dict[str, float]:
    """Return characters per second of each loop, the best of some turns; the classic loop first."""
    loops: dict[str, Callable[[], float]] = {
        "one call a character, as the classic scripts": lambda: measure_loop(make_classic_step),
        "bare `nn.LSTM`, one call a sequence": lambda: measure_loop(make_bare_step),
        "`charrnn train`": lambda: measure_charrnn(text),
    }
    best = dict.fromkeys(loops, 0.0)
    for _ in range(turns):
        for name, measure in loops.items():
            best[name] = max(best[name], measure())
    return best
