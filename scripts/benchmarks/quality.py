"""Held-out loss by training time, beside what compressors and n-gram models need.

By two protocols: charrnn's, one stream that carries its state on, and nanoGPT's, the mean over random windows of 256
characters before which nothing is read.
"""

import argparse
import math
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from charrnn.inference.loading import load_language_model
from charrnn.inference.scoring.lines import score_sequences
from charrnn.model.file import read_header
from charrnn.text.baselines import measure_baselines
from charrnn.text.vocabulary.base import UNKNOWN
from scripts.common import count, duration, run_json, table, table_row

GRID = ((128, 256, 512), (1, 2), (2e-3, 5e-3, 1e-2))  # hidden size, layers, learning rate
# As their sources state them, by their protocols; not measured here.
PUBLISHED = (
    (
        "tiny Shakespeare",
        "about 3 min, CPU",
        "nanoGPT, CPU configuration, as quoted in its README (windows of 64)",
        "",
        "",
        "1.88",
    ),
    ("tiny Shakespeare", "about 3 min, A100", "nanoGPT, GPU configuration, as quoted in its README", "", "", "1.4697"),
    ("tiny Shakespeare", "", "the same, mean of five seeds, AI-Scientist, multi_style_adapter/run_0", "", "", "1.4655"),
)
COLUMNS = ("text", "time", "settings", "epochs", "nats per character", "random windows")
BASELINE_COLUMNS = ("text", "program", "bits per character", "nats per character")
HELD_OUT = 0.1
WINDOW, WINDOWS = 256, 2000
# Archivers with their options; each is left out where it is not installed.
ARCHIVERS = {"PPMd (7z)": ["7z", "a", "-m0=PPMd"], "zpaq, method 5": ["zpaq", "a", "-m5"]}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("quality", help="held-out loss by training time")
    parser.add_argument("texts", nargs="+", type=Path, metavar="TEXT")
    parser.add_argument("--times", nargs="+", type=duration, default=["13s", "60s", "5m"], metavar="DURATION")
    parser.add_argument("--seeds", type=count, default=1, help="runs of each kind; mean and range are printed")
    parser.add_argument("--grid", action="store_true", help="also 18 combinations of size, layers and learning rate")
    parser.set_defaults(run=quality)


def quality(options: argparse.Namespace) -> None:
    """Print the held-out loss with automatic settings, and with --grid of fixed ones, for the same training times."""
    print(table(BASELINE_COLUMNS, [row for text in options.texts for row in compare(text)]), end="\n\n", flush=True)
    print(table(COLUMNS, []))
    for text in options.texts:
        for time in options.times:
            print(table_row(measure_quality(text, time, seeds=options.seeds)), flush=True)
            for size, layers, rate in product(*GRID) if options.grid else ():
                fixed = ["--hidden-size", str(size), "--layers", str(layers), "--lr", str(rate), "--dropout", "0"]
                print(table_row(measure_quality(text, time, fixed, options.seeds)), flush=True)


def measure_quality(
    text: Path, time: str, fixed: Sequence[str] = (), seeds: int = 1, device: str = "auto"
) -> tuple[str, ...]:
    """Train a model with each of some seeds and some options; returns a row of the table."""
    losses, in_windows = [], []
    for seed in range(1, seeds + 1):
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model.safetensors"
            command = ["train", str(text), "--time", time, "--seed", str(seed), "-o", str(model), *fixed]
            command += ["--device", device, "--valid-fraction", str(HELD_OUT), "--no-tensorboard", "--quiet"]
            summary = run_json(*command)
            header = read_header(model)
            losses.append(summary["valid_loss"])
            in_windows.append(measure_windows(model, split_text(text)[1]))
    chosen, size = header.training["settings"], header.config
    settings = (
        f"{size.cell} {size.layers}x{size.hidden_size}, lr {chosen['lr']:.2g}, dropout {chosen['dropout']:.2g}, "
        f"batch {chosen['batch_size']} x {chosen['seq_len']}{'' if fixed else ' (automatic)'}"
    )
    return text.name, time, settings, f"{summary['epochs']:.1f}", format_losses(losses), format_losses(in_windows)


def measure_windows(model: Path, text: str) -> float:
    """The mean nats per character in windows from random places (seed 0), all but their first characters scored."""
    loaded = load_language_model(model)
    ids = loaded.vocabulary.readable_ids(loaded.vocabulary.tokenize(text))[0]
    ids = ids[ids != UNKNOWN]
    begins = np.random.default_rng(0).integers(max(1, len(ids) - WINDOW), size=WINDOWS)
    nats = score_sequences(loaded.network, [ids[begin : begin + WINDOW + 1] for begin in begins])
    return float(np.concatenate([each[1:] for each in nats]).mean())


def compare(text: Path) -> list[tuple[str, ...]]:
    """Rows of what compressors and an n-gram model need for the last tenth of a text, after the first nine."""
    first, last = split_text(text)
    measured = measure_baselines(last, first)
    bits = {"gzip": measured.gzip, "xz": measured.xz, f"{measured.order}-gram, Witten-Bell": measured.ngram}
    for name, command in ARCHIVERS.items():
        if shutil.which(command[0]):
            sizes = [_archive(command, part) for part in (first, first + last)]
            bits[name] = 8 * (sizes[1] - sizes[0]) / len(last)
    return [(text.name, name, f"{value:.3f}", f"{value * math.log(2):.4f}") for name, value in bits.items()]


def split_text(text: Path) -> tuple[str, str]:
    """The training part and the held-out part of a text."""
    read = text.read_text(encoding="utf-8")
    begin = int(len(read) * (1 - HELD_OUT))
    return read[:begin], read[begin:]


def format_losses(losses: Sequence[float]) -> str:
    """The mean, with the range of several."""
    mean = f"{statistics.mean(losses):.4f}"
    return f"{mean} ({min(losses):.4f} to {max(losses):.4f})" if len(losses) > 1 else mean


def _archive(command: Sequence[str], text: str) -> int:
    """The size in bytes of an archive of the text."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "text").write_text(text, encoding="utf-8")
        program, mode, *options = command
        subprocess.run([program, mode, "archive", "text", *options], cwd=folder, check=True, capture_output=True)
        return next(Path(folder).glob("archive*")).stat().st_size
