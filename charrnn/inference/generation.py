"""Generation in layers: ids of one step -> pieces of text -> whole samples.

All samples advance together; those that have met a stop leave the batch. Sample i draws from a generator of
its own, seeded with seed + i.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.network import Network, State
from charrnn.inference.sampling import Sampler, log_softmax
from charrnn.inference.stopping import StopFinder
from charrnn.text.vocabulary import Ids, Vocabulary

PRIME_CHUNK = 512
UNIFORMS = 256  # random numbers drawn at a time for each sample


@dataclass(frozen=True)
class Piece:
    """Text that sample `sample` has gained; `finish` ("length" or "stop") comes with its last piece."""

    sample: int
    text: bytes
    finish: str | None = None
    loss: float | None = None


@dataclass(frozen=True)
class Sample:
    """A whole generated text. `loss` is the mean of -ln p at temperature 1 over the characters drawn."""

    text: bytes
    finish: str
    seed: int
    loss: float


def prime_state(network: Network, ids: Ids) -> Iterator[tuple[int, State]]:
    """Read a prime (n,); yields (characters read, state) after each part of it, the first before any."""
    state = network.initial_state()
    yield 0, state
    for begin in range(0, len(ids), PRIME_CHUNK):
        network.read(ids[begin : begin + PRIME_CHUNK, None], state)
        yield min(begin + PRIME_CHUNK, len(ids)), state


def generate(
    network: Network,
    vocabulary: Vocabulary,
    start: State,
    *,
    seeds: Sequence[int],
    length: int,
    sampler: Sampler,
    stops: Sequence[bytes] = (),
) -> Iterator[Piece]:
    """Write a text of up to `length` characters for each seed, going on from `start` (of one stream).

    Yields pieces as they are made; the pieces of one sample, joined, are its text.
    """
    state = State(
        start.hidden.repeat(len(seeds), axis=1),
        None if start.cell is None else start.cell.repeat(len(seeds), axis=1),
    )
    samples = [_Sample(index, seed, StopFinder(stops)) for index, seed in enumerate(seeds)]
    logits = network.next_logits(state)
    for made in range(length):
        chosen = sampler.choose(logits, np.array([sample.uniform(made) for sample in samples]))
        nats = -np.take_along_axis(log_softmax(logits), chosen[:, None], axis=-1)[:, 0]
        for sample, index, lost in zip(samples, chosen, nats, strict=True):
            yield from sample.take(vocabulary.pieces[index], float(lost))
        staying = [k for k, sample in enumerate(samples) if not sample.stops.stopped]
        if not staying:
            return
        if len(staying) < len(samples):
            samples, chosen = [samples[k] for k in staying], chosen[staying]
            state = State(state.hidden[:, staying], None if state.cell is None else state.cell[:, staying])
        logits = network.logits(network.read(chosen[None], state)[0])
    for sample in samples:
        yield Piece(sample.index, sample.stops.flush(), "length", sample.mean_loss)


class _Sample:
    """One text in the making."""

    def __init__(self, index: int, seed: int, stops: StopFinder) -> None:
        self.index = index
        self.stops = stops
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._uniforms: NDArray[np.float64] = np.empty(0)
        self._nats, self._drawn = 0.0, 0

    @property
    def mean_loss(self) -> float:
        """Nats per character drawn so far; 0 if none was."""
        return self._nats / max(1, self._drawn)

    def uniform(self, made: int) -> float:
        """The random number for the character after `made`."""
        at = made % UNIFORMS
        if at == 0:
            self._uniforms = self._generator.random(UNIFORMS)
        return float(self._uniforms[at])

    def take(self, text: bytes, nats: float) -> Iterator[Piece]:
        """Add a character; yields what can be told of it already."""
        self._nats += nats
        self._drawn += 1
        released = self.stops.feed(text)
        if self.stops.stopped:
            yield Piece(self.index, released, "stop", self.mean_loss)
        elif released:
            yield Piece(self.index, released)


def whole_samples(pieces: Iterator[Piece], seeds: Sequence[int]) -> Iterator[Sample]:
    """Join pieces into samples, in the order of the seeds, each as soon as it and those before it are done."""
    texts: list[list[bytes]] = [[] for _ in seeds]
    done: dict[int, Sample] = {}
    following = 0
    for piece in pieces:
        texts[piece.sample].append(piece.text)
        if piece.finish:
            text = b"".join(texts[piece.sample])
            done[piece.sample] = Sample(text, piece.finish, seeds[piece.sample], piece.loss or 0.0)
        while following in done:
            yield done.pop(following)
            following += 1
