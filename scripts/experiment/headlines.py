"""Headlines: how many words are real, and how much is copied."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from charrnn.corpora.plain import read_lines
from scripts.common import ScriptError, table
from scripts.experiment.workspace import Workspace

TEMPERATURES = (0.4, 0.7, 1.0)
TIME = "240s"
LENGTH = 300
SPAN = 30
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


def run(workspace: Workspace, files: Sequence[str]) -> Iterator[str]:
    """Yield the experiment's tables: figures, and the first headlines."""
    lines = [line for line in read_lines(files) if line.strip()]
    border = len(lines) - len(lines) // 10
    if border == len(lines):
        raise ScriptError(f"{len(lines)} headlines are too few; one per line is read")
    vocabulary = find_words(lines[:border])
    train = workspace.write_corpus("headlines.txt", (line + "\n" for line in lines[:border]))
    valid = workspace.write_corpus("held_out.txt", (line + "\n" for line in lines[border:]))
    summary = workspace.train(train, "headlines", TIME, "--valid", str(valid))
    samples = {"real, held out": lines[border:][: workspace.samples]}
    for temperature in TEMPERATURES:
        generated = workspace.generate(summary["model"], temperature, LENGTH, "--prime", "\n", "--stop", "\n")
        samples[f"T {temperature}"] = [sample["text"] for sample in generated]
    yield f"{summary['valid_bpc']:.3f} bits per character held out; {summary['seconds']:.0f} s of training."
    head = [
        "headlines",
        "words in the corpus",
        "lines in the corpus",
        f"copied in spans of {SPAN} or more",
        "longest",
    ]
    yield table(head, [_make_row(workspace, name, texts, train, vocabulary) for name, texts in samples.items()])
    yield table(["temperature", "first headlines"], _examples(samples))


def find_words(lines: Sequence[str]) -> set[str]:
    """Return the distinct words of some lines, in lower case."""
    return {word.lower() for line in lines for word in WORD.findall(line)}


def measure_real_words(lines: Sequence[str], vocabulary: set[str]) -> float:
    """Return the share of the words of some lines that are in the vocabulary."""
    words = [word.lower() for line in lines for word in WORD.findall(line)]
    return sum(word in vocabulary for word in words) / max(1, len(words))


def _make_row(workspace: Workspace, name: str, lines: Sequence[str], train: Path, vocabulary: set[str]) -> list[object]:
    novelty = workspace.measure_novelty((line + "\n" for line in lines), train, SPAN)
    span = novelty["span"].replace("\n", "⏎").replace("|", "\\|")
    return [
        name,
        f"{measure_real_words(lines, vocabulary):.1%}",
        f"{novelty['lines_copied'] / max(1, novelty['lines']):.1%}",
        f"{novelty['copied'] / novelty['chars']:.1%}",
        f"{novelty['longest']} characters: “{span.strip()}”",
    ]


def _examples(samples: dict[str, list[str]]) -> Iterator[list[object]]:
    for name, lines in samples.items():
        for line in lines[:3]:
            yield [name, line.replace("|", "\\|")]
