"""Held-out loss by time."""

import argparse
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from charrnn.model.file import read_header
from scripts.benchmarks.timing import figures_of

GRID = ((128, 256, 512), (1, 2), (2e-3, 5e-3, 1e-2))  # hidden size, layers, learning rate
COLUMNS = ("text", "time", "settings", "epochs", "loss (nats per character)")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("quality", help=quality.__doc__)
    parser.add_argument("texts", nargs="+", type=Path, metavar="TEXT")
    parser.add_argument("--times", nargs="+", default=["13s", "60s", "5m"], metavar="DURATION")
    parser.add_argument("--grid", action="store_true", help="hidden size, layers and rate by hand, 18 runs a time")
    parser.set_defaults(run=quality)


def quality(options: argparse.Namespace) -> None:
    """Held-out loss of what charrnn chooses by itself, and with --grid of fixed settings, for the same time."""
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for text in options.texts:
        for seconds in options.times:
            print(f"| {' | '.join(quality_row(text, seconds))} |", flush=True)
            for size, layers, rate in product(*GRID) if options.grid else ():
                fixed = ["--hidden-size", str(size), "--layers", str(layers), "--lr", str(rate), "--dropout", "0"]
                print(f"| {' | '.join(quality_row(text, seconds, fixed))} |", flush=True)


def quality_row(text: Path, seconds: str, fixed: Sequence[str] = ()) -> tuple[str, ...]:
    """One training run as a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.safetensors"
        found = figures_of("train", str(text), "--time", seconds, "-o", str(model), *fixed, "--no-tensorboard")
        made = read_header(model)
    chosen, size = made.training["settings"], made.config
    settings = (
        f"{size.cell} {size.layers}x{size.hidden_size}, lr {chosen['lr']:.2g}, dropout {chosen['dropout']:.2g}, "
        f"batch {chosen['batch_size']} x {chosen['seq_len']}{'' if fixed else ' (chosen)'}"
    )
    return text.name, seconds, settings, f"{found['epochs']:.1f}", f"{found['valid_loss']:.4f}"
