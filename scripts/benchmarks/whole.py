"""Everything at once, in under ten minutes on two cores: speed, memory and quality as tables in Markdown."""

import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from charrnn.inference.network.cores import available_cores
from charrnn.model.config import ModelConfig
from charrnn.model.file import save_model
from scripts.benchmarks.generation import rates, start_times
from scripts.benchmarks.learning import BATCH, HIDDEN, LAYERS, SEQ_LEN, learning_rates
from scripts.benchmarks.quality import COLUMNS, quality_row
from scripts.benchmarks.timing import CHARRNN, figures_of, made_up_model, table, time_and_memory

if TYPE_CHECKING:
    from collections.abc import Callable

CORPORA = Path(__file__).parents[1] / "corpora.py"
PLAYS = Path("data/shakespeare.txt")
TIMES = ("13s", "60s")
TURNS = 3
GIGABYTE = 10**9
EVALUATED = 10**6  # characters


def whole() -> None:
    """The tables, each printed when it is done; what is being measured is told on stderr."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = _text(folder)
        print(f"{available_cores()} cores, Python {platform.python_version()}, NumPy {np.__version__}\n")
        sections: dict[str, Callable[[], str]] = {
            "the speed of learning": lambda: learning(text),
            "the speed of writing": writing,
            "starting": starting,
            "the speed of reading": lambda: reading(text, folder),
            "a large text": lambda: large_text(text, folder),
            "what is learned in a given time": lambda: learned(text),
        }
        for number, (title, section) in enumerate(sections.items(), 1):
            print(f"{number}/{len(sections)}: {title} ...", file=sys.stderr, flush=True)
            print(section(), flush=True)


def _text(folder: Path) -> Path:
    """The plays, fetched if need be; where they cannot be, Python's own source."""
    if PLAYS.exists():
        return PLAYS
    for name in ("shakespeare", "stdlib"):
        path = folder / f"{name}.txt"
        if not subprocess.run([sys.executable, str(CORPORA), name, "-o", str(path)], check=False).returncode:
            return path
    sys.exit("benchmark.py: there is no text to measure with; put one at data/shakespeare.txt")


def learning(text: Path) -> str:
    """Training speed against bare loops."""
    found = learning_rates(text, TURNS)
    classic, *_ = found.values()
    rows = [(name, f"{rate:,.0f}", f"{rate / classic:.2f}") for name, rate in found.items()]
    title = f"Learning: LSTM {LAYERS}x{HIDDEN}, batch {BATCH}, {SEQ_LEN} characters a step"
    return table(title, ("loop", "characters/s", "to the classic loop"), rows)


def writing() -> str:
    """Generation speed against the naive loop and the machine's limits."""
    found = rates(ModelConfig("lstm", 2, 256, 0, 65), TURNS, 1.0)
    rows = [(f"{way.strip()}: {why}", f"{rate:,.0f}", f"{rate / found[0][1]:.1f}") for way, rate, why in found]
    return table("Writing: LSTM 2x256, 65 symbols", ("way", "characters/s", "to the naive loop"), rows)


def starting() -> str:
    """From Enter to the last character."""
    rows = [(f"`{name}`" if "charrnn" in name else name, f"{took:.2f}") for name, took in start_times().items()]
    return table("Starting", ("command", "seconds"), rows)


def reading(text: Path, folder: Path) -> str:
    """The speed of `charrnn evaluate`."""
    model, sample = folder / "read.safetensors", folder / "sample.txt"
    made = made_up_model(ModelConfig("lstm", 2, 256, 0, 65))
    save_model(model, made.header, made.network.tensors)
    ids = np.frombuffer(text.read_bytes()[:EVALUATED], dtype=np.uint8) % 65
    sample.write_text("".join(made.vocabulary.symbols[i] for i in ids), encoding="utf-8")
    best = max(figures_of("evaluate", "-m", str(model), str(sample))["chars_per_second"] for _ in range(TURNS))
    return table("Reading: LSTM 2x256", ("command", "characters/s"), [("`charrnn evaluate`", f"{best:,.0f}")])


def large_text(text: Path, folder: Path) -> str:
    """Five steps and an evaluation on a gigabyte, against the same on a small text."""
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
        seconds, memory = time_and_memory(command)
        rows.append((f"{path.stat().st_size / 1e6:,.0f} MB", f"{seconds:.1f}", f"{memory / 1e6:,.0f}"))
    large.unlink()
    return table("A large text: five steps and an evaluation, PyTorch's start in it", ("text", "seconds", "MB"), rows)


def learned(text: Path) -> str:
    """Held-out loss of runs of given time."""
    rows = [quality_row(text, seconds) for seconds in TIMES]
    return table("What is learned in a given time, on the text's last tenth", COLUMNS, rows)
