"""Held-out loss by training time."""

import argparse
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from charrnn.model.file import read_header
from scripts.common import duration, run_json, table, table_row

GRID = ((128, 256, 512), (1, 2), (2e-3, 5e-3, 1e-2))  # hidden size, layers, learning rate
# As their sources state them, by their protocols; not measured here.
QUOTED = (
    ("tiny Shakespeare", "about 3 min, CPU", "nanoGPT, CPU configuration, as quoted in its README", "", "1.88"),
    ("tiny Shakespeare", "about 3 min, A100", "nanoGPT, GPU configuration, as quoted in its README", "", "1.4697"),
)
COLUMNS = ("text", "time", "settings", "epochs", "loss (nats per character)")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("quality", help="held-out loss by training time")
    parser.add_argument("texts", nargs="+", type=Path, metavar="TEXT")
    parser.add_argument("--times", nargs="+", type=duration, default=["13s", "60s", "5m"], metavar="DURATION")
    parser.add_argument("--grid", action="store_true", help="also 18 combinations of size, layers and learning rate")
    parser.set_defaults(run=quality)


def quality(options: argparse.Namespace) -> None:
    """Print the held-out loss with automatic settings, and with --grid of fixed ones, for the same training times."""
    print(table(COLUMNS, []))
    for text in options.texts:
        for time in options.times:
            print(table_row(measure_quality(text, time)), flush=True)
            for size, layers, rate in product(*GRID) if options.grid else ():
                fixed = ["--hidden-size", str(size), "--layers", str(layers), "--lr", str(rate), "--dropout", "0"]
                print(table_row(measure_quality(text, time, fixed)), flush=True)


def measure_quality(text: Path, time: str, fixed: Sequence[str] = ()) -> tuple[str, ...]:
    """Train a model, with some options; returns a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.safetensors"
        command = ["train", str(text), "--time", time, "-o", str(model), *fixed, "--no-tensorboard", "--quiet"]
        summary = run_json(*command)
        header = read_header(model)
    chosen, size = header.training["settings"], header.config
    settings = (
        f"{size.cell} {size.layers}x{size.hidden_size}, lr {chosen['lr']:.2g}, dropout {chosen['dropout']:.2g}, "
        f"batch {chosen['batch_size']} x {chosen['seq_len']}{'' if fixed else ' (automatic)'}"
    )
    return text.name, time, settings, f"{summary['epochs']:.1f}", f"{summary['valid_loss']:.4f}"
