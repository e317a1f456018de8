"""`charrnn generate`: a model writes."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from charrnn.cli.escape import VisibleStream
from charrnn.cli.models import find_model
from charrnn.cli.options import command
from charrnn.cli.progress import Progress
from charrnn.errors import GenerationError, UsageError
from charrnn.inference.settings import OutputSettings, PrimeSettings, SamplingSettings, UseSettings

if TYPE_CHECKING:
    from charrnn.inference.api import Model
    from charrnn.inference.generation import Piece, Sample
    from charrnn.inference.network import State
    from charrnn.inference.sampling import Sampler


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "generate", epilog="Example: charrnn generate --prime 'ROMEO:' -t 0.5 -l 500")(generate)


def generate(*, text: PrimeSettings, sampling: SamplingSettings, use: UseSettings, output: OutputSettings) -> None:
    """Write text with a model, going on from a prime."""
    if text.prime is not None and text.prime_file is not None:
        raise UsageError("--prime and --prime-file exclude each other; give one of them")
    if any(not stop for stop in text.stop or []):
        raise UsageError("--stop must not be empty")
    path = find_model(use.model)
    from charrnn.inference.api import fresh_seed, load
    from charrnn.inference.sampling import Sampler

    model = load(path)
    prime = _prime(text)
    ids = model.prime_ids(prime, skip_unknown=text.unknown == "skip")
    seed = fresh_seed() if sampling.seed is None else sampling.seed
    if sampling.seed is None and not output.quiet:
        typer.echo(f"seed {seed}", err=True)
    state = _read(model, ids, quiet=output.quiet)
    writer = _Writer(model, text, prime, list(range(seed, seed + text.samples)))
    sampler = Sampler(sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p)
    if output.json:
        writer.write_json(state, sampler)
    else:
        writer.write_text(state, sampler)


def _prime(text: PrimeSettings) -> bytes:
    if text.prime_file is None:
        return (text.prime or "").encode("utf-8", "surrogateescape")
    if text.prime_file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(text.prime_file).read_bytes()
    except OSError as error:
        raise GenerationError(f"the prime cannot be read from {text.prime_file}: {error.strerror}") from None


def _read(model: "Model", ids: "object", *, quiet: bool) -> "State":
    from charrnn.inference.generation import prime_state

    progress = Progress("reading the prime", quiet=quiet)
    for done, state in prime_state(model.network, ids):  # type: ignore[arg-type]
        progress(done, len(ids))  # type: ignore[arg-type]
        reached = state
    progress.close()
    return reached


class _Writer:
    """Brings samples to stdout."""

    def __init__(self, model: "Model", text: PrimeSettings, prime: bytes, seeds: list[int]) -> None:
        self._model = model
        self._text = text
        self._prime = prime
        self._seeds = seeds
        self._raw = model.vocabulary.tokens == "byte"

    def _pieces(self, state: "State", sampler: "Sampler") -> Iterator["Piece"]:
        stop = self._text.stop or []
        return self._model.pieces(state, seeds=self._seeds, length=self._text.length, sampler=sampler, stop=stop)

    def write_text(self, state: "State", sampler: "Sampler") -> None:
        """The first sample as it is made, the others behind it, each ending its line."""
        out = VisibleStream(sys.stdout.buffer) if sys.stdout.isatty() else sys.stdout.buffer
        shown = self._prime if self._text.echo else b""
        waiting: dict[int, list[bytes]] = {k: [] for k in range(len(self._seeds))}
        done: set[int] = set()
        current, last = 0, shown
        out.write(shown)
        out.flush()
        for piece in self._pieces(state, sampler):
            waiting[piece.sample].append(piece.text)
            if piece.finish:
                done.add(piece.sample)
            while current < len(self._seeds):
                fresh = b"".join(waiting[current])
                waiting[current] = []
                last = fresh or last
                out.write(fresh)
                out.flush()
                if current not in done:
                    break
                current += 1
                if not (self._raw and len(self._seeds) == 1) and not last.endswith(b"\n"):
                    out.write(b"\n")
                if current < len(self._seeds):
                    self._separate()
                    out.write(shown)
                last = shown
        if isinstance(out, VisibleStream):
            out.finish()
        out.flush()

    def _separate(self) -> None:
        """A rule between samples, where a person reads them."""
        if sys.stdout.isatty():
            sys.stdout.buffer.write(b"-" * 40 + b"\n")

    def write_json(self, state: "State", sampler: "Sampler") -> None:
        """One object per sample and line, each as soon as it is done."""
        from charrnn.inference.generation import whole_samples

        for sample in whole_samples(self._pieces(state, sampler), self._seeds):
            typer.echo(json.dumps(self._described(sample)))

    def _described(self, sample: "Sample") -> dict[str, object]:
        text = sample.text.decode("utf-8", errors="surrogateescape")
        return {
            "text": text,
            "prime": self._prime.decode("utf-8", errors="surrogateescape"),
            "chars": len(sample.text) if self._raw else len(text),
            "finish": sample.finish,
            "seed": sample.seed,
            "loss": sample.loss,
        }
