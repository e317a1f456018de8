"""`charrnn generate`: a model writes."""

import dataclasses
import json
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import typer

from charrnn.cli.display.escape import VisibleStream
from charrnn.cli.display.progress import Progress
from charrnn.cli.models import find_model
from charrnn.cli.options import command, examples
from charrnn.errors import GenerationError, UsageError
from charrnn.inference.settings import OutputSettings, PrimeSettings, SamplingSettings, WriteSettings

if TYPE_CHECKING:
    from charrnn.inference.generation.samples import Piece, Request
    from charrnn.inference.model import Model
    from charrnn.inference.network.language import State
    from charrnn.text.vocabulary.base import Ids

BOLD, DIM, PLAIN = b"\x1b[1m", b"\x1b[2m", b"\x1b[0m"


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
        ),
    )(generate)


def generate(*, text: PrimeSettings, sampling: SamplingSettings, use: WriteSettings, output: OutputSettings) -> None:
    """Write text with a model, going on from a prime."""
    if text.prime is not None and text.prime_file is not None:
        raise UsageError("--prime and --prime-file exclude each other; give one of them")
    if any(not stop for stop in text.stop or []):
        raise UsageError("--stop must not be empty")
    path = find_model(use.model, quiet=output.quiet)
    from charrnn.inference.model import fresh_seed, load, make_request

    model = load(path, use.device)
    request = make_request(sampling, text.length, text.stop or (), loss=output.json)
    seed = fresh_seed() if sampling.seed is None else sampling.seed
    seeds = range(seed, seed + text.samples)
    labels = _labels(model, text.label, seeds)
    prime = _prime(text)
    start = model.prime(prime, skip_unknown=text.unknown == "skip")
    request = dataclasses.replace(request, begun=start.begun)
    if sampling.seed is None and not output.quiet:
        typer.echo(f"seed {seed}", err=True)
    made = _pieces(model, labels, start.ids, seeds, request, quiet=output.quiet)
    # Closed at once, not when the interpreter gets round to it: its threads end before ours does.
    with closing(made) as pieces:
        if output.json:
            progress = Progress("writing", quiet=output.quiet)
            counted = _counted(pieces, text.length * text.samples, progress)
            _write_json(model, counted, seeds, prime, labels)
            return
        drawn = labels if text.label is None else []
        shown = [f"{label}\t".encode() + prime for label in drawn] or [prime]
        _Writer(model, shown if text.echo else [b""], text.samples).write(pieces)


def _labels(model: "Model", label: str | None, seeds: Sequence[int]) -> list[str]:
    """The label of each sample: the one that is asked for, or drawn ones; of a model without labels, none.

    Raises:
        UsageError: if a label is asked for that cannot be had.
    """
    from charrnn.inference.labelled import LabelledModel

    if isinstance(model, LabelledModel):
        return [model.drawn_label(seed) for seed in seeds] if label is None else [label] * len(seeds)
    if label is not None:
        raise UsageError("--label is for models of labelled texts; train one with: charrnn train FILE.tsv --labels")
    return []


def _pieces(
    model: "Model", labels: Sequence[str], ids: "Ids", seeds: Sequence[int], request: "Request", *, quiet: bool
) -> "Generator[Piece]":
    """Pieces of all samples, those of one label after those of another."""
    from charrnn.inference.labelled import LabelledModel

    if not isinstance(model, LabelledModel):
        yield from model.pieces(_read(model, ids, quiet=quiet), seeds=seeds, request=request)
        return
    for label in dict.fromkeys(labels):
        own, at = model.of(label), [sample for sample, other in enumerate(labels) if other == label]
        state = _read(own, ids, quiet=quiet)
        with closing(own.pieces(state, seeds=[seeds[sample] for sample in at], request=request)) as pieces:
            for piece in pieces:
                yield dataclasses.replace(piece, sample=at[piece.sample])


def _prime(text: PrimeSettings) -> bytes:
    if text.prime_file is None:
        return (text.prime or "").encode("utf-8", "surrogateescape")
    if text.prime_file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(text.prime_file).read_bytes()
    except OSError as error:
        raise GenerationError(f"the prime cannot be read from {text.prime_file}: {error.strerror}") from None


def _read(model: "Model", ids: "Ids", *, quiet: bool) -> "State":
    """The state after the prime, with progress."""
    from charrnn.inference.generation.samples import prime_state

    progress = Progress("reading the prime", quiet=quiet)
    for done, state in prime_state(model.network, ids):
        progress(done, len(ids))
        reached = state
    progress.close()
    return reached


def _counted(pieces: "Iterator[Piece]", total: int, progress: Progress) -> "Iterator[Piece]":
    """The same pieces; the bytes in them count as progress towards `total` characters, of which they are no fewer."""
    done = 0
    for piece in pieces:
        done += len(piece.text)
        progress(min(done, total), total)
        yield piece
    progress.close()


def _write_json(
    model: "Model", pieces: "Iterator[Piece]", seeds: Sequence[int], prime: bytes, labels: Sequence[str]
) -> None:
    """One object per sample and line, each as soon as it and those before it are done."""
    from charrnn.inference.generation.samples import whole_samples

    vocabulary = model.vocabulary
    for sample in whole_samples(pieces, seeds):
        text = sample.text.decode("utf-8", errors="surrogateescape")
        described = {
            "text": text,
            "prime": prime.decode("utf-8", errors="surrogateescape"),
            "chars": vocabulary.count_characters(vocabulary.tokenize(sample.text)),
            "finish": sample.finish,
            "seed": sample.seed,
            "loss": sample.loss,
            **({"label": labels[sample.seed - seeds[0]]} if labels else {}),
        }
        typer.echo(json.dumps(described))


class _Writer:
    """Brings samples to stdout: the first as it is made, each other behind it, from a line of its own.

    On a terminal what the model was given is bold, and a rule stands before each of several samples.

    Args:
        shown: what stands before each sample, the same before all if there is one only.
        samples: how many there will be.
    """

    def __init__(self, model: "Model", shown: Sequence[bytes], samples: int) -> None:
        self._shown = shown
        self._samples = samples
        self._terminal = sys.stdout.isatty()
        self._styled = self._terminal and os.environ.get("TERM") != "dumb"
        self._exact = model.vocabulary.binary and samples == 1 and not self._terminal
        self._line_open = False
        # A stranger's vocabulary can hold any character: a terminal is shown its controls, a pipe gets them.
        self._stream = VisibleStream(sys.stdout.buffer) if self._terminal else sys.stdout.buffer

    def write(self, pieces: "Iterator[Piece]") -> None:
        """All of them, in order."""
        waiting: dict[int, list[Piece]] = {}
        current = 0
        self._begin(current)
        for piece in pieces:
            waiting.setdefault(piece.sample, []).append(piece)
            while current in waiting:
                ready = waiting.pop(current)
                self._out(b"".join(each.text for each in ready))
                if not ready[-1].finish:
                    break
                self._end()
                current += 1
                if current < self._samples:
                    self._begin(current)

    def _begin(self, sample: int) -> None:
        if self._samples > 1 and self._terminal:
            name = f" sample {sample + 1} of {self._samples} "
            rule = "\u2500\u2500" + name.ljust(get_terminal_size().columns - 2, "\u2500") + "\n"
            self._out(("\n" * (sample > 0) + rule).encode(), DIM)
        self._out(self._shown[sample % len(self._shown)], BOLD)

    def _end(self) -> None:
        """Close the last line, save where every byte of the output counts."""
        if isinstance(self._stream, VisibleStream):
            self._stream.finish()
        if self._line_open and not self._exact:
            self._out(b"\n")

    def _out(self, text: bytes, style: bytes = b"") -> None:
        """The one place where generated text leaves; styles do not go by way of what makes controls visible."""
        if not text:
            return
        style = style if self._styled else b""
        sys.stdout.buffer.write(style)
        self._stream.write(text)
        sys.stdout.buffer.write(PLAIN if style else b"")
        self._stream.flush()
        self._line_open = not text.endswith(b"\n")
