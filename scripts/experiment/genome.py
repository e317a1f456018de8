"""A genome: bits per base beside context models, and generated sequences held against the real ones by BLAST."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from charrnn.corpora.fasta import reverse_complement, sequences
from charrnn.corpora.lines import lines_of
from scripts.experiment import blast
from scripts.experiment.context_models import bases_of, bits_per_base
from scripts.experiment.running import ExperimentError, Story, need, table

HELD_OUT = 10  # one part of so many, at the end
ORDERS = (2, 8, 11)
TEMPERATURES = (0.3, 0.5, 0.7, 0.85, 1.0)
BASES = 500
SMALL = ("--hidden-size", "136", "--layers", "1")  # some eighty thousand weights for five symbols
TIME = "80s"  # of each of three runs


def tell(story: Story, files: Sequence[str]) -> Iterator[str]:
    """The story's tables."""
    need(["makeblastdb", "blastn"], "ncbi-blast+")
    records = "".join(sequences(lines_of(files)))
    border = len(records) - len(records) // HELD_OUT
    train, held_out = records[:border], records[border:]
    if len(held_out) < BASES:
        raise ExperimentError(f"the sequence is too short: its held-out end has {len(held_out)} bases")
    model, lines = _bits(story, train, held_out)
    yield lines
    yield _alignments(story, model, train, held_out)


def _bits(story: Story, train: str, held_out: str) -> tuple[str, str]:
    """The model that is best on the held-out part, and the first table."""
    valid = story.corpus("held_out.txt", [held_out])
    one = story.corpus("one_strand.txt", [train])
    both = story.corpus("both_strands.txt", [train, *(_other_strand(train))])
    held = ("--valid", str(valid))
    runs = [
        ("one strand", story.train(one, "small", TIME, *held, *SMALL)),
        ("both strands", story.train(both, "small_both", TIME, *held, *SMALL)),
        ("both strands", story.train(both, "automatic_both", TIME, *held)),
    ]
    rows: list[Sequence[object]] = [["equal chances", "", "", "2.0000"]]
    seen, asked = bases_of(train), bases_of(held_out)
    for order in ORDERS:
        for strands in ("one strand", "both strands"):
            bits = bits_per_base(seen, asked, order, both_strands=strands == "both strands")
            rows.append([f"context model of order {order}", strands, "", f"{bits:.4f}"])
    rows += [[_name(run), strands, f"{run['parameters']:,}", f"**{run['valid_bpc']:.4f}**"] for strands, run in runs]
    best = min((run for _, run in runs), key=lambda run: float(run["valid_loss"]))
    head = ["model", "learned from", "weights", "bits per base, held out"]
    return str(best["model"]), table(head, rows)


def _name(run: dict[str, Any]) -> str:
    return f"charrnn, {run['epochs']:.2g} epochs in {run['seconds']:.0f} s"


def _other_strand(train: str) -> Iterator[str]:
    """The reverse complement of each record, on a line of its own."""
    for record in train.split("\n"):
        if record:
            yield "\n" + reverse_complement(record)


def _alignments(story: Story, model: str, train: str, held_out: str) -> str:
    databases = {
        "training": blast.database(story.folder / "training.fa", filter(None, train.split("\n"))),
        "held out": blast.database(story.folder / "held_out.fa", filter(None, held_out.split("\n"))),
    }
    rows = []
    for temperature in TEMPERATURES:
        made = [sample["text"].replace("\n", "") for sample in story.generate(model, temperature, BASES)]
        rows += _compared(f"T {temperature}", made, databases)
        rows += _compared(f"T {temperature}, shuffled", blast.shuffled(made), databases)
    step = max(1, (len(held_out) - BASES) // story.samples)
    real = [held_out[at : at + BASES].replace("\n", "") for at in range(0, step * story.samples, step)]
    only = {"training": databases["training"]}
    rows += _compared("real, held out", real, only) + _compared("real, shuffled", blast.shuffled(real), only)
    head = ["sequences", "aligned with", "best E-value", "identity", "bases", "median E-value", "share with E < 0.001"]
    return table(head, rows)


def _compared(name: str, made: Sequence[str], databases: dict[str, Path]) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for part, path in databases.items():
        found = blast.align(made, path)
        best = found.best
        rows.append(
            [
                name,
                part,
                f"{best.evalue:.0e}",
                f"{best.identity:.0f} %",
                best.length,
                f"{found.median:.1g}",
                f"{found.share(1e-3):.0%}",
            ]
        )
    return rows
