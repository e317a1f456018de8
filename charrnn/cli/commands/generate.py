"""`charrnn generate`: text from a language model."""

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.adaptation import adapt_model, check_adaptation
from charrnn.cli.display.escape import to_cell, unescape
from charrnn.cli.display.notes import Progress, announce_stdin, write_notes
from charrnn.cli.display.records import print_record
from charrnn.cli.models import NO_LABELS, choose_model
from charrnn.errors import CorpusError, GenerationError, UsageError
from charrnn.inference.settings import (
    AdaptSettings,
    GenerationSettings,
    OutputSettings,
    PrimeSettings,
    SamplingSettings,
)
from charrnn.settings import raise_usage_errors

if TYPE_CHECKING:
    from charrnn.inference.generation.samples import Choice, Piece, Request
    from charrnn.inference.model import Model
    from charrnn.inference.network.language import State
    from charrnn.inference.session import Session
    from charrnn.text.vocabulary.base import Ids

MOST_TEXTS = 1_000_000  # all those that the best are chosen from
TURN_LENGTH = 200  # characters of a continuation with --interactive
SYLLABLES = r"(?:[^aeiouy\n]{1,3}[aeiouy]{1,2})"
HAIKU = rf"(?i){SYLLABLES}{{5}}\n{SYLLABLES}{{7}}\n{SYLLABLES}{{5}}"
EXAMPLES = (
    'charrnn generate --prime "It was" -t 0.5',
    "charrnn generate -m titles -n 20 -t 1 --min-p 0.05 -l 60",
    "charrnn generate -m book --prime-file letter.txt --no-echo",
    "charrnn generate -n 100 -l 200 --seed 7 --json | jq .loss",
    "charrnn generate -m titles -n 5 --best 10 -t 1 --lines",
    "charrnn generate -m names -n 12 --match '[A-Z][a-z]{5}'  # names of six letters",
    "charrnn generate -m titles -n 5 --match '(Man|Woman) .{20,60}'  # headlines with a given beginning",
    f"charrnn generate --match '{HAIKU}'",
    "charrnn generate -m tunes --match '(?:[A-Ga-g]{4} ?[A-Ga-g]{4}\\|){8}'  # eight bars",
    "charrnn generate -m genome --match '[ACGT]{200}GAATTC[ACGT]{200}'  # with a restriction site of EcoRI",
    "charrnn generate -m book --adapt letters.txt",
)


def generate(
    *,
    text: PrimeSettings,
    sampling: SamplingSettings,
    adaptation: AdaptSettings,
    use: GenerationSettings,
    output: OutputSettings,
) -> None:
    """Generate text with a model, continuing a prime."""
    raise_usage_errors(_find_conflicts(text, sampling, adaptation, output))
    path = choose_model(use.model, quiet=output.quiet)
    check_adaptation(adaptation, [path])
    from charrnn.cli.display.samples import SampleWriter
    from charrnn.inference.loading import load_language_model
    from charrnn.inference.model import make_request, random_seed

    model = load_language_model(path, use.device)
    length = TURN_LENGTH if text.interactive and text.length == PrimeSettings.length else text.length
    request = make_request(sampling, length, _read_stops(text), loss=output.json)
    seed = random_seed() if sampling.seed is None else sampling.seed
    seeds = range(seed, seed + text.samples * sampling.best)
    labels = [
        label for label in _choose_labels(model, text.label, seeds[:: sampling.best]) for _ in range(sampling.best)
    ]
    model = adapt_model(model, adaptation, text.label, quiet=output.quiet)
    prime = _read_prime_text(text, binary=model.vocabulary.binary, quiet=output.quiet)
    if text.interactive:
        from charrnn.cli.prompt import Prompt

        session = _start_session(model, labels, request, text, sampling)
        Prompt(dataclasses.replace(session, seed=seed, prime=prime), echo=text.echo, quiet=output.quiet).run()
        return
    start = model.prime(prime, skip_unknown=text.unknown == "skip")
    request = model.constrain(dataclasses.replace(request, prefix=start.prefix), text.match)
    if sampling.seed is None:
        write_notes([f"seed {seed}"], quiet=output.quiet)
    # Closed here rather than by the garbage collector, so that its threads end before the main thread.
    with closing(_generate_pieces(model, labels, start.ids, seeds, request, quiet=output.quiet)) as pieces:
        progress = Progress("writing", quiet=output.quiet)
        total = text.length * len(seeds)
        if output.json:
            _print_json(model, _choose(_count(pieces, total, progress), seeds, sampling.best), seed, prime, labels)
            return
        shown_labels = labels[:: sampling.best] if text.label is None else []
        headings = [f"{to_cell(label)}\t".encode() + prime for label in shown_labels] or [prime]
        writer = SampleWriter(headings if text.echo else [b""], text.samples, binary=model.vocabulary.binary)
        if sampling.best > 1:
            writer.write(_join(_choose(_count(pieces, total, progress), seeds, sampling.best)))
        else:
            writer.write(pieces)


def _start_session(
    model: "Model", labels: Sequence[str], request: "Request", text: PrimeSettings, sampling: SamplingSettings
) -> "Session":
    """A session without a prime; of a labelled model, with the first label."""
    from charrnn.inference.labelled import LabelledModel
    from charrnn.inference.session import Session

    plain = model.for_label(labels[0]) if isinstance(model, LabelledModel) else model
    return Session(
        plain,
        request,
        seed=0,
        match=text.match,
        samples=text.samples,
        best=sampling.best,
        skip_unknown=text.unknown == "skip",
    )


def _find_conflicts(
    text: PrimeSettings, sampling: SamplingSettings, adaptation: AdaptSettings, output: OutputSettings
) -> list[str]:
    """A message for each conflict between settings."""
    files = text.prime_file, adaptation.adapt
    checks = {
        "--prime and --prime-file cannot be combined; give one of them": None not in (text.prime, text.prime_file),
        "--stop must not be empty": not all(text.stop or []),
        f"--samples times --best must be at most {MOST_TEXTS:,}": text.samples * sampling.best > MOST_TEXTS,
        "--prime-file and --adapt cannot both read stdin; give one of them a file": files == ("-", "-"),
        "--interactive reads from stdin; leave out --json, and give --prime-file and --adapt a file": text.interactive
        and (output.json or "-" in files),
    }
    return [message for message, wrong in checks.items() if wrong]


def _read_stops(text: PrimeSettings) -> list[str]:
    """The strings of --stop, with line ends and tabs in the place of their escapes, and that of --lines."""
    stops = [unescape(stop) for stop in text.stop or []]
    return [*stops, "\n"] if text.lines else stops


def _choose_labels(model: "Model", label: str | None, seeds: Sequence[int]) -> list[str]:
    """The label of each sample: the one given, or drawn ones; empty for a model without labels.

    Raises:
        UsageError: if a label is given and the model has none.
    """
    if not model.header.labels:
        if label is not None:
            raise UsageError(NO_LABELS)
        return []
    from charrnn.inference.labelled import LabelledModel

    assert isinstance(model, LabelledModel)  # noqa: S101 - it has labels
    return [model.draw_label(seed) for seed in seeds] if label is None else [label] * len(seeds)


def _generate_pieces(
    model: "Model", labels: Sequence[str], ids: "Ids", seeds: Sequence[int], request: "Request", *, quiet: bool
) -> "Generator[Piece]":
    """Pieces of all samples, one label after the other."""
    if not model.header.labels:  # as of a model adapted with a label
        yield from model.pieces(_read_prime(model, ids, quiet=quiet), seeds=seeds, request=request)
        return
    from charrnn.inference.labelled import LabelledModel

    assert isinstance(model, LabelledModel)  # noqa: S101 - it has labels
    for label in dict.fromkeys(labels):
        plain, samples = model.for_label(label), [k for k, other in enumerate(labels) if other == label]
        state = _read_prime(plain, ids, quiet=quiet)
        with closing(plain.pieces(state, seeds=[seeds[k] for k in samples], request=request)) as pieces:
            for piece in pieces:
                yield dataclasses.replace(piece, sample=samples[piece.sample])


def _read_prime_text(text: PrimeSettings, *, binary: bool, quiet: bool) -> bytes:
    """The prime; a file is read as a corpus is: without a byte order mark, with LF as line ends."""
    if text.prime_file is None:
        return (text.prime or "").encode("utf-8", "surrogateescape")
    from charrnn.text.reading import TextReader
    from charrnn.text.settings import ReadingSettings
    from charrnn.text.sources import Source

    path = None if text.prime_file == "-" else Path(text.prime_file)
    announce_stdin([text.prime_file], quiet=quiet)
    try:
        pieces = list(TextReader([Source(text.prime_file, path)], ReadingSettings(), binary=binary))
    except CorpusError as error:
        reason = str(error).split("; ")[0].removeprefix(f"{text.prime_file} cannot be read: ")
        name = "stdin" if text.prime_file == "-" else text.prime_file
        raise GenerationError(f"the prime cannot be read from {name}: {reason}") from None
    return b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)


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


def _choose(pieces: "Iterator[Piece]", seeds: Sequence[int], count: int) -> "Iterator[Choice]":
    """The best of every `count` texts, as soon as they and those before them are complete."""
    from charrnn.inference.generation.samples import choose_best, join_pieces

    return choose_best(join_pieces(pieces, seeds), count)


def _join(choices: "Iterator[Choice]") -> "Generator[Piece]":
    """Each chosen text as one piece."""
    from charrnn.inference.generation.samples import Piece

    for index, choice in enumerate(choices):
        yield Piece(index, choice.sample.text, choice.sample.finish)


def _print_json(model: "Model", choices: "Iterator[Choice]", seed: int, prime: bytes, labels: Sequence[str]) -> None:
    """Print one object per sample and line."""
    vocabulary = model.vocabulary
    for choice in choices:
        sample = choice.sample
        text = sample.text.decode("utf-8", errors="replace")  # JSON has no other bytes
        record = {
            "text": text,
            "prime": prime.decode("utf-8", errors="replace"),
            "chars": vocabulary.count_characters(vocabulary.tokenize(sample.text)),
            "finish": sample.finish,
            "seed": sample.seed,
            "loss": sample.loss,
            **({"losses": choice.losses} if len(choice.losses) > 1 else {}),
            **({"label": labels[sample.seed - seed]} if labels else {}),
        }
        print_record(record)
