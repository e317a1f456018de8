"""A genome: bits per base compared with context models, and generated sequences aligned with real ones by BLAST."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from charrnn.corpora.fasta import read_sequences, reverse_complement
from charrnn.corpora.plain import read_lines
from scripts.common import ScriptError, table
from scripts.experiment import blast
from scripts.experiment.context_models import encode_bases, measure_bits_per_base
from scripts.experiment.workspace import Workspace, require_programs

HELD_OUT = 10  # the last tenth
ORDERS = (2, 8, 11)
TEMPERATURES = (0.3, 0.5, 0.7, 0.85, 1.0)
BASES = 500
SMALL = ("--hidden-size", "136", "--layers", "1")  # 79 thousand weights for five symbols
TIME = "80s"  # of each of three runs


def run(workspace: Workspace, files: Sequence[str]) -> Iterator[str]:
    """Yield the experiment's tables."""
    require_programs(["makeblastdb", "blastn"], "ncbi-blast+")
    records = "".join(read_sequences(read_lines(files)))
    border = len(records) - len(records) // HELD_OUT
    train, held_out = records[:border], records[border:]
    if len(held_out) < BASES:
        raise ScriptError(f"the sequence is too short: its held-out end has {len(held_out)} bases")
    model, rows = _compare_bits(workspace, train, held_out)
    yield rows
    yield _compare_alignments(workspace, model, train, held_out)


def _compare_bits(workspace: Workspace, train: str, held_out: str) -> tuple[str, str]:
    """Return the model that is best on the held-out part, and the table of bits per base."""
    valid = workspace.write_corpus("held_out.txt", [held_out])
    one = workspace.write_corpus("one_strand.txt", [train])
    both = workspace.write_corpus("both_strands.txt", [train, *_opposite_strand(train)])
    held = ("--valid", str(valid))
    runs = [
        ("one strand", workspace.train(one, "small", TIME, *held, *SMALL)),
        ("both strands", workspace.train(both, "small_both", TIME, *held, *SMALL)),
        ("both strands", workspace.train(both, "automatic_both", TIME, *held)),
    ]
    rows: list[Sequence[object]] = [["equal chances", "", "", "2.0000"]]
    train_bases, held_out_bases = encode_bases(train), encode_bases(held_out)
    for order in ORDERS:
        for strands in ("one strand", "both strands"):
            both_strands = strands == "both strands"
            bits = measure_bits_per_base(train_bases, held_out_bases, order, both_strands=both_strands)
            rows.append([f"context model of order {order}", strands, "", f"{bits:.4f}"])
    for strands, run in runs:
        rows.append([_describe_run(run), strands, f"{run['parameters']:,}", f"**{run['valid_bpc']:.4f}**"])
    best = min((run for _, run in runs), key=lambda run: float(run["valid_loss"]))
    head = ["model", "trained on", "weights", "bits per base, held out"]
    return str(best["model"]), table(head, rows)


def _describe_run(run: dict[str, Any]) -> str:
    return f"charrnn, {run['epochs']:.2g} epochs in {run['seconds']:.0f} s"


def _opposite_strand(train: str) -> Iterator[str]:
    """Yield the reverse complement of each record, on a line of its own."""
    for record in train.split("\n"):
        if record:
            yield "\n" + reverse_complement(record)


def _compare_alignments(workspace: Workspace, model: str, train: str, held_out: str) -> str:
    databases = {
        "training": blast.make_database(workspace.folder / "training.fa", filter(None, train.split("\n"))),
        "held out": blast.make_database(workspace.folder / "held_out.fa", filter(None, held_out.split("\n"))),
    }
    rows = []
    for temperature in TEMPERATURES:
        samples = workspace.generate(model, temperature, BASES)
        generated = [sample["text"].replace("\n", "") for sample in samples]
        rows += _align(f"T {temperature}", generated, databases)
        rows += _align(f"T {temperature}, shuffled", blast.shuffle_sequences(generated), databases)
    step = max(1, (len(held_out) - BASES) // workspace.samples)
    real = [held_out[at : at + BASES].replace("\n", "") for at in range(0, step * workspace.samples, step)]
    only = {"training": databases["training"]}
    rows += _align("real, held out", real, only) + _align("real, shuffled", blast.shuffle_sequences(real), only)
    head = ["sequences", "aligned with", "best E-value", "identity", "bases", "median E-value", "share with E < 0.001"]
    return table(head, rows)


def _align(name: str, sequences: Sequence[str], databases: dict[str, Path]) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for part, path in databases.items():
        alignments = blast.align(sequences, path)
        best = alignments.best
        rows.append(
            [
                name,
                part,
                f"{best.evalue:.0e}",
                f"{best.identity:.0f} %",
                best.length,
                f"{alignments.median:.1g}",
                f"{alignments.share(1e-3):.0%}",
            ]
        )
    return rows
