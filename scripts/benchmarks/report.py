"""All measurements in a quarter of an hour on two cores: speed, memory and quality as tables in Markdown."""

import platform
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from charrnn.inference.network.cores import available_cores
from charrnn.model.config import ModelConfig
from charrnn.model.file import save_model
from scripts.benchmarks.generation import measure_generation, measure_start
from scripts.benchmarks.learning import BATCH, HIDDEN, LAYERS, SEQ_LEN, measure_learning
from scripts.benchmarks.quality import BASELINE_COLUMNS, COLUMNS, PUBLISHED, compare, measure_quality
from scripts.benchmarks.timing import make_random_model, measure_memory
from scripts.common import CHARRNN, ROOT, ScriptError, run_charrnn, run_json, table

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = ROOT / "data" / "tinyshakespeare.txt"
TIMES = ("13s", "60s", "5m")
TURNS = 3
GIGABYTE = 10**9
EVALUATION_CHARS = 10**6


def print_report() -> None:
    """Print the tables, each as soon as it is complete, and progress on stderr."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = find_text(folder)
        print(f"{available_cores()} cores, Python {platform.python_version()}, NumPy {np.__version__}\n")
        sections: dict[str, Callable[[], str]] = {
            "training speed": lambda: tabulate_training(text),
            "generation speed": tabulate_generation,
            "start-up": tabulate_start,
            "evaluation speed": lambda: tabulate_evaluation(text, folder),
            "a large corpus": lambda: tabulate_large_corpus(text, folder),
            "loss by training time": lambda: tabulate_losses(text),
            "compressors": lambda: table(BASELINE_COLUMNS, compare(text), title="Compressors, on the same tenth"),
        }
        for number, (title, section) in enumerate(sections.items(), 1):
            print(f"{number}/{len(sections)}: {title} ...", file=sys.stderr, flush=True)
            print(section(), end="\n\n", flush=True)


def find_text(folder: Path) -> Path:
    """Return tiny Shakespeare, downloaded if necessary and possible, or else Python's own source."""
    if TEXT.exists():
        return TEXT
    for kind in ("tinyshakespeare", "stdlib"):
        path = folder / f"{kind}.txt"
        try:
            run_charrnn("corpus", kind, "-o", str(path))
        except ScriptError:
            continue
        return path
    raise ScriptError(f"no text to measure with; put one at {TEXT}")


def tabulate_training(text: Path) -> str:
    """Compare training with plain loops."""
    rates = measure_learning(text, TURNS)
    classic, *_ = rates.values()
    rows = [(name, f"{rate:,.0f}", f"{rate / classic:.2f}") for name, rate in rates.items()]
    title = f"Training: LSTM {LAYERS}x{HIDDEN}, batch {BATCH} x {SEQ_LEN}"
    return table(("loop", "characters/s", "to the classic loop"), rows, title=title, numeric=True)


def tabulate_generation() -> str:
    """Compare generation with the naive loop and the machine's limits."""
    rates = measure_generation(ModelConfig("lstm", 2, 256, 0, 65), TURNS, 1.0)
    naive = rates[0][1]
    rows = [(f"{name.strip()}: {remark}", f"{rate:,.0f}", f"{rate / naive:.1f}") for name, rate, remark in rates]
    head = ("method", "characters/s", "to the naive loop")
    return table(head, rows, title="Generation: LSTM 2x256, 65 symbols", numeric=True)


def tabulate_start() -> str:
    """Measure short commands from start to end."""
    rows = [(f"`{name}`" if "charrnn" in name else name, f"{took:.2f}") for name, took in measure_start().items()]
    return table(("command", "seconds"), rows, title="Start-up", numeric=True)


def tabulate_evaluation(text: Path, folder: Path) -> str:
    """Measure the speed of `charrnn evaluate`."""
    file, sample = folder / "random.safetensors", folder / "sample.txt"
    model = make_random_model(ModelConfig("lstm", 2, 256, 0, 65))
    save_model(file, model.header, model.network.tensors)
    ids = np.frombuffer(text.read_bytes()[:EVALUATION_CHARS], dtype=np.uint8) % 65
    sample.write_text("".join(model.vocabulary.symbols[i] for i in ids), encoding="utf-8")
    command = ("evaluate", "-m", str(file), str(sample), "--quiet")
    best = max(run_json(*command)["chars_per_second"] for _ in range(TURNS))
    rows = [("`charrnn evaluate`", f"{best:,.0f}")]
    return table(("command", "characters/s"), rows, title="Evaluation: LSTM 2x256", numeric=True)


def tabulate_large_corpus(text: Path, folder: Path) -> str:
    """Measure five steps and an evaluation on a gigabyte, and on a small text to compare."""
    small, large = folder / "small.txt", folder / "large.txt"
    piece = text.read_bytes()[: 10**6]
    small.write_bytes(piece)
    with large.open("wb") as stream:
        for _ in range(GIGABYTE // len(piece)):
            stream.write(piece)
    rows = []
    for path in (small, large):
        options = ["--steps=5", "--hidden-size=64", "--valid-fraction=0.0001", "--no-tensorboard", "--quiet"]
        command = [*CHARRNN, "train", str(path), *options, "-o", str(path.with_suffix(".safetensors"))]
        seconds, memory = measure_memory(command)
        rows.append((f"{path.stat().st_size / 1e6:,.0f} MB", f"{seconds:.1f}", f"{memory / 1e6:,.0f}"))
    large.unlink()
    title = "A large corpus: five steps and an evaluation, PyTorch's start-up included"
    return table(("text", "seconds", "MB of memory"), rows, title=title, numeric=True)


def tabulate_losses(text: Path) -> str:
    """Measure the held-out loss of runs of given times; for tiny Shakespeare, beside that of other programs."""
    rows = [measure_quality(text, time) for time in TIMES]
    rows += PUBLISHED if text.name.startswith("tinyshakespeare") else ()
    return table(COLUMNS, rows, title="Loss by training time, on the last tenth of the text", numeric=True)
