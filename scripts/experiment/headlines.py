"""Headlines: how many words are real, and how much is copied."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from charrnn.corpora.lines import lines_of
from scripts.experiment.running import ExperimentError, Story, charrnn, table

TEMPERATURES = (0.4, 0.7, 1.0)
TIME = "240s"
LENGTH = 300
SPAN = 30
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


def tell(story: Story, files: Sequence[str]) -> Iterator[str]:
    """The story's tables: figures, and the first headlines."""
    lines = [line for line in lines_of(files) if line.strip()]
    border = len(lines) - len(lines) // 10
    if border == len(lines):
        raise ExperimentError(f"{len(lines)} headlines are too few; one a line is read")
    known = words(lines[:border])
    train = story.corpus("headlines.txt", (line + "\n" for line in lines[:border]))
    valid = story.corpus("held_out.txt", (line + "\n" for line in lines[border:]))
    found = story.train(train, "headlines", TIME, "--valid", str(valid))
    samples = {"real, held out": lines[border:][: story.samples]}
    for temperature in TEMPERATURES:
        made = story.generate(found["model"], temperature, LENGTH, "--prime", "\n", "--stop", "\n")
        samples[f"T {temperature}"] = [sample["text"] for sample in made]
    yield f"{found['valid_bpc']:.3f} bits per character held out; {found['seconds']:.0f} s of training."
    head = [
        "headlines",
        "words that the corpus has",
        "lines that it has",
        f"copied in spans of {SPAN} or more",
        "longest",
    ]
    yield table(head, [_row(story, name, made, train, known) for name, made in samples.items()])
    yield table(["temperature", "first headlines"], _examples(samples))


def words(lines: Sequence[str]) -> set[str]:
    """The different words of some lines, in lower case."""
    return {word.lower() for line in lines for word in WORD.findall(line)}


def real_words(lines: Sequence[str], known: set[str]) -> float:
    """Share of the words of some lines that are known."""
    found = [word.lower() for line in lines for word in WORD.findall(line)]
    return sum(word in known for word in found) / max(1, len(found))


def _row(story: Story, name: str, made: Sequence[str], train: Path, known: set[str]) -> list[object]:
    text = story.corpus("judged.txt", (line + "\n" for line in made))
    found = json.loads(charrnn(["novelty", str(train), str(text), "--span", str(SPAN), "--json"]))
    span = found["span"].replace("\n", "⏎").replace("|", "\\|")
    return [
        name,
        f"{real_words(made, known):.1%}",
        f"{found['lines_copied'] / max(1, found['lines']):.1%}",
        f"{found['copied'] / found['chars']:.1%}",
        f"{found['longest']} characters: “{span.strip()}”",
    ]


def _examples(samples: dict[str, list[str]]) -> Iterator[list[object]]:
    for name, made in samples.items():
        for line in made[:3]:
            yield [name, line.replace("|", "\\|")]
