"""What `charrnn evaluate` tells of labelled texts by a model that writes them."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from charrnn.cli.progress import Progress
from charrnn.errors import CorpusError
from charrnn.inference.labelled import LabelledModel
from charrnn.inference.scoring import Score, readable
from charrnn.inference.settings import OutputSettings
from charrnn.text.columns import LabelledReader
from charrnn.text.settings import ReadingSettings
from charrnn.text.vocabulary import Ids


def evaluate_documents(
    path: Path,
    model: LabelledModel,
    names: list[str],
    reading: ReadingSettings,
    columns: str | None,
    output: OutputSettings,
) -> None:
    """Loss of each text given its label, and how often Bayes' rule tells its label from the text.

    Raises:
        CorpusError: if a text has a label that the model does not know, or there is none.
    """
    reader = LabelledReader(names, reading, columns, model.vocabulary.tokens)
    documents, labels, unknown = _read(reader, model, path)
    if not documents:
        raise CorpusError(f"{', '.join(names)} holds no labelled text; give lines of a label, a tab and a text")
    if not output.quiet:
        for note in reader.notes:
            typer.echo(note, err=True)
    begin = time.perf_counter()
    with Progress("evaluating", quiet=output.quiet) as progress:
        likelihoods = model.log_likelihoods(documents, progress)
    seconds = time.perf_counter() - begin
    given = likelihoods[np.arange(len(labels)), labels]
    posterior = model.posterior(likelihoods)
    symbols = np.concatenate(documents)
    counted = symbols[symbols != model.vocabulary.unknown]
    found = Score(-float(given.sum()), len(counted), int(model.vocabulary.lengths[counted].sum()), unknown)
    _tell(
        {
            "model": str(path),
            "texts": len(documents),
            "chars": found.chars,
            "unknown": found.unknown,
            "loss": found.loss,
            "bpc": found.bpc,
            "perplexity": found.perplexity,
            "accuracy": float((posterior.argmax(axis=1) == labels).mean()),
            "log_loss": float(-posterior[np.arange(len(labels)), labels].mean()),
            "seconds": round(seconds, 3),
        },
        model.vocabulary.units.removesuffix("s"),
        output,
    )


def _read(reader: LabelledReader, model: LabelledModel, path: Path) -> tuple[list[Ids], NDArray[np.int64], int]:
    """The ids of each text, its label's index, and how many symbols are unknown."""
    documents, labels, unknown = [], [], 0
    vocabulary = model.vocabulary
    for label, text in reader:
        if label in model.labels:
            codes = vocabulary.codes_of(text.encode("latin-1") if vocabulary.tokens == "byte" else text)
            unknown += int((~readable(vocabulary, codes)[1]).sum())
            documents.append(model.document_ids(codes))
            labels.append(model.labels.index(label))
        elif documents or not reader.sounds_like_header:
            raise CorpusError(f"{label!r} is no label of {path}; {model.some_labels()}, or name columns with --columns")
    return documents, np.array(labels, dtype=np.int64), unknown


def _tell(figures: dict[str, Any], unit: str, output: OutputSettings) -> None:
    if output.json:
        typer.echo(json.dumps(figures))
        return
    for line in (
        f"texts                {figures['texts']:,}",
        f"cross-entropy        {figures['loss']:.4f} nats per {unit}, given the label, each text's end included",
        f"bits per character   {figures['bpc']:.4f}",
        f"perplexity           {figures['perplexity']:.3f}",
        f"unknown {unit + 's':<13}{figures['unknown']:,}",
        f"accuracy             {figures['accuracy']:.4f} of telling labels apart, by Bayes' rule",
        f"log-loss             {figures['log_loss']:.4f} nats per text",
    ):
        typer.echo(line)
