"""`charrnn generate`: text from a language model."""

import dataclasses
import json
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from charrnn.cli.adaptation import adapt_model, check_adaptation
from charrnn.cli.display.notes import write_notes
from charrnn.cli.display.progress import Progress
from charrnn.cli.display.samples import SampleWriter
from charrnn.cli.models import choose_model
from charrnn.cli.options import command, examples
from charrnn.errors import GenerationError, UsageError
from charrnn.inference.settings import (
    AdaptSettings,
    GenerationSettings,
    OutputSettings,
    PrimeSettings,
    SamplingSettings,
)

if TYPE_CHECKING:
    from charrnn.inference.generation.samples import Piece, Request
    from charrnn.inference.model import Model
    from charrnn.inference.network.language import State
    from charrnn.text.vocabulary.base import Ids


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(
        app,
        "generate",
        epilog=examples(
            'charrnn generate --prime "It was" -t 0.5',
            "charrnn generate -m titles -n 20 -t 1 --min-p 0.05 -l 60",
            "charrnn generate -m book --prime-file letter.txt --no-echo",
            "charrnn generate -n 100 -l 200 --seed 7 --json | jq .loss",
            "charrnn generate -m book --adapt letter.txt",
        ),
    )(generate)


def generate(
    *,
    text: PrimeSettings,
    sampling: SamplingSettings,
    adaptation: AdaptSettings,
    use: GenerationSettings,
    output: OutputSettings,
) -> None:
    """Generate text with a model, continuing a prime."""
    if text.prime is not None and text.prime_file is not None:
        raise UsageError("--prime and --prime-file exclude each other; give one of them")
    if any(not stop for stop in text.stop or []):
        raise UsageError("--stop must not be empty")
    if text.prime_file == adaptation.adapt == "-":
        raise UsageError("--prime-file and --adapt cannot both read stdin; give one of them a file")
    path = choose_model(use.model, quiet=output.quiet)
    check_adaptation(adaptation, [path])
    from charrnn.inference.loading import load_language_model
    from charrnn.inference.model import make_request, random_seed

    model = load_language_model(path, use.device)
    request = make_request(sampling, text.length, text.stop or (), loss=output.json)
    seed = random_seed() if sampling.seed is None else sampling.seed
    seeds = range(seed, seed + text.samples)
    labels = _choose_labels(model, text.label, seeds)
    model = adapt_model(model, adaptation, text.label, quiet=output.quiet)
    prime = _read_prime_text(text)
    start = model.prime(prime, skip_unknown=text.unknown == "skip")
    request = dataclasses.replace(request, prefix=start.prefix)
    if sampling.seed is None:
        write_notes([f"seed {seed}"], quiet=output.quiet)
    # Closed here rather than by the garbage collector, so that its threads end before the main thread.
    with closing(_generate_pieces(model, labels, start.ids, seeds, request, quiet=output.quiet)) as pieces:
        if output.json:
            progress = Progress("writing", quiet=output.quiet)
            _print_json(model, _count(pieces, text.length * text.samples, progress), seeds, prime, labels)
            return
        shown_labels = labels if text.label is None else []
        headings = [f"{label}\t".encode() + prime for label in shown_labels] or [prime]
        writer = SampleWriter(headings if text.echo else [b""], text.samples, binary=model.vocabulary.binary)
        writer.write(pieces)


def _choose_labels(model: "Model", label: str | None, seeds: Sequence[int]) -> list[str]:
    """The label of each sample: the one given, or drawn ones; empty for a model without labels.

    Raises:
        UsageError: if a label is given and the model has none.
    """
    from charrnn.inference.labelled import LabelledModel

    if isinstance(model, LabelledModel):
        return [model.draw_label(seed) for seed in seeds] if label is None else [label] * len(seeds)
    if label is not None:
        raise UsageError("--label is for models of labelled texts; train one with: charrnn train FILE.tsv --labels")
    return []


def _generate_pieces(
    model: "Model", labels: Sequence[str], ids: "Ids", seeds: Sequence[int], request: "Request", *, quiet: bool
) -> "Generator[Piece]":
    """Pieces of all samples, one label after the other."""
    from charrnn.inference.labelled import LabelledModel

    if not isinstance(model, LabelledModel):
        yield from model.pieces(_read_prime(model, ids, quiet=quiet), seeds=seeds, request=request)
        return
    for label in dict.fromkeys(labels):
        plain, samples = model.for_label(label), [k for k, other in enumerate(labels) if other == label]
        state = _read_prime(plain, ids, quiet=quiet)
        with closing(plain.pieces(state, seeds=[seeds[k] for k in samples], request=request)) as pieces:
            for piece in pieces:
                yield dataclasses.replace(piece, sample=samples[piece.sample])


def _read_prime_text(text: PrimeSettings) -> bytes:
    if text.prime_file is None:
        return (text.prime or "").encode("utf-8", "surrogateescape")
    if text.prime_file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(text.prime_file).read_bytes()
    except OSError as error:
        raise GenerationError(f"the prime cannot be read from {text.prime_file}: {error.strerror}") from None


def _read_prime(model: "Model", ids: "Ids", *, quiet: bool) -> "State":
    """The state after the prime."""
    from charrnn.inference.generation.samples import read_prime

    with Progress("reading the prime", quiet=quiet) as progress:
        for done, state in read_prime(model.network, ids):
            progress(done, len(ids))
            last = state
    return last


def _count(pieces: "Iterator[Piece]", total: int, progress: Progress) -> "Iterator[Piece]":
    """The same pieces; their bytes, no fewer than their characters, are reported as progress towards `total`."""
    done = 0
    for piece in pieces:
        done += len(piece.text)
        progress(min(done, total), total)
        yield piece
    progress.close()


def _print_json(
    model: "Model", pieces: "Iterator[Piece]", seeds: Sequence[int], prime: bytes, labels: Sequence[str]
) -> None:
    """Print one object per sample and line, as soon as it and those before it are complete."""
    from charrnn.inference.generation.samples import join_pieces

    vocabulary = model.vocabulary
    for sample in join_pieces(pieces, seeds):
        text = sample.text.decode("utf-8", errors="surrogateescape")
        record = {
            "text": text,
            "prime": prime.decode("utf-8", errors="surrogateescape"),
            "chars": vocabulary.count_characters(vocabulary.tokenize(sample.text)),
            "finish": sample.finish,
            "seed": sample.seed,
            "loss": sample.loss,
            **({"label": labels[sample.seed - seeds[0]]} if labels else {}),
        }
        typer.echo(json.dumps(record))
