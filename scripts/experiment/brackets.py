"""Nested brackets: a network of 15 units, and the share of its samples that the grammar accepts."""

from collections.abc import Iterator
from statistics import mean

from charrnn.corpora.brackets import find_error, generate_brackets
from scripts.common import table
from scripts.experiment.workspace import Workspace

TEMPERATURES = (0.3, 0.5, 0.7, 1.0, 1.3)
NETWORK = ("--cell", "gru", "--layers", "1", "--hidden-size", "15")
TIME = "60s"
LENGTH = 2000
SEQUENCE = ("--prime", "()\n", "--stop", "\n")  # after a complete sequence, a new one begins


def run(workspace: Workspace, symbols: int = 400_000) -> Iterator[str]:
    """Yield the experiment's tables."""
    corpus = workspace.write_corpus("brackets.txt", generate_brackets(symbols, lines=True))
    summary = workspace.train(corpus, "brackets", TIME, *NETWORK)
    training = set(corpus.read_text().split("\n"))
    rows = [_make_row("the corpus", [line for line in corpus.read_text().split("\n") if line], training)]
    for temperature in TEMPERATURES:
        samples = workspace.generate(summary["model"], temperature, LENGTH, *SEQUENCE)
        rows.append(_make_row(f"T {temperature}", [sample["text"] for sample in samples], training))
    size, bits = summary["parameters"], summary["valid_bpc"]
    yield f"A GRU of 15 units, {size:,} weights, {summary['seconds']:.0f} s; {bits:.3f} bits per symbol held out."
    yield table(["sequences", "accepted", "mean length", "longest", "deepest", "not in the corpus"], rows)


def _make_row(name: str, lines: list[str], training: set[str]) -> list[object]:
    accepted = sum(find_error(line) is None for line in lines) / len(lines)
    new = sum(line not in training for line in lines) / len(lines)
    deepest = max(int(symbol) for line in lines for symbol in line + "0" if symbol.isdigit())
    return [name, f"{accepted:.1%}", f"{mean(map(len, lines)):.1f}", max(map(len, lines)), deepest, f"{new:.0%}"]
