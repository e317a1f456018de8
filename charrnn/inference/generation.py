"""Generation in layers: symbols of one step -> pieces of text -> whole samples.

Samples go side by side in groups; each group advances by bursts of a few hundredths of a second, in a thread of its
own where there are several, for the kernel leaves Python's lock alone. Samples that have met a stop
leave their group. Sample i draws from a generator of its own, seeded with seed + i, so its text depends on nothing
else: not on how many there are, nor on where bursts end.
"""

import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from charrnn.inference.cores import available_cores
from charrnn.inference.kernel.compiled import kernel
from charrnn.inference.network import Floats, Network, State
from charrnn.inference.sampling import Sampler
from charrnn.inference.stepping import Symbols, Weights, writer_for
from charrnn.inference.stopping import StopFinder
from charrnn.text.vocabulary import Ids, Vocabulary

PRIME_CHUNK = 512
BURST = 0.02  # seconds: text comes fifty times a second at least, where a step is faster than that
LONGEST = 4096  # symbols of a burst, however small the network
GROUP = 64  # samples: more side by side gain nothing


@dataclass(frozen=True)
class Piece:
    """Text that sample `sample` has gained; `finish` ("length" or "stop") comes with its last piece.

    `loss`, with the last piece of a text that has any, is the mean of -ln p at temperature 1 over its characters.
    """

    sample: int
    text: bytes
    finish: str | None = None
    loss: float | None = None


@dataclass(frozen=True)
class Sample:
    """A whole generated text; `loss` as in `Piece`."""

    text: bytes
    finish: str
    seed: int
    loss: float | None


@dataclass(frozen=True)
class Request:
    """What every sample is asked for.

    Attributes:
        length: symbols to add.
        stops: byte strings that end a text; not part of it.
        loss: whether to compute each text's loss, too.
    """

    sampler: Sampler
    length: int
    stops: Sequence[bytes] = ()
    loss: bool = False


def prime_state(network: Network, ids: Ids) -> Iterator[tuple[int, State]]:
    """Read a prime (n,); yields (characters read, state) after each part of it, the first before any."""
    state = network.initial_state()
    yield 0, state
    for begin in range(0, len(ids), PRIME_CHUNK):
        network.read(ids[begin : begin + PRIME_CHUNK, None], state)
        yield min(begin + PRIME_CHUNK, len(ids)), state


def generate(
    network: Network, vocabulary: Vocabulary, start: State, *, seeds: Sequence[int], request: Request
) -> Generator[Piece]:
    """Write a text for each seed, going on from `start` (of one stream).

    Yields pieces as they are made; the pieces of one sample, joined, are its text.
    """
    cores = available_cores()
    size = min(GROUP, -(-len(seeds) // cores)) or 1
    weights = Weights(network, kernel(network.config.cell))
    groups = (
        Group(weights, vocabulary, start, request, list(enumerate(seeds[first : first + size], first)))
        for first in range(0, len(seeds), size)
    )
    if len(seeds) > size:
        yield from _side_by_side(groups, cores)
        return
    for group in groups:
        while not group.done:
            yield from group.advance()


def _side_by_side(groups: "Iterator[Group]", cores: int) -> Generator[Piece]:
    """Advance groups in threads, as many at a time as there are cores; each is a burst ahead of the reader."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(cores) as pool:
        running = deque((group, pool.submit(group.advance)) for group in islice(groups, cores))
        while running:
            group, burst = running.popleft()
            pieces = burst.result()
            following = next(groups, None) if group.done else group
            if following is not None:
                running.append((following, pool.submit(following.advance)))
            yield from pieces


class Group:
    """Samples that advance together, (index, seed) each.

    Attributes:
        done: whether all of them are.
    """

    def __init__(
        self,
        weights: Weights,
        vocabulary: Vocabulary,
        start: State,
        request: Request,
        seeds: Sequence[tuple[int, int]],
    ) -> None:
        self._request = request
        self._texts = [_Text(index, vocabulary, request) for index, _ in seeds]
        self._generators = [np.random.Generator(np.random.PCG64(seed)) for _, seed in seeds]
        self._writer = writer_for(weights, start, len(seeds), request.sampler, loss=request.loss)
        self._made = 0
        self._steps = 1  # the very first symbol is shown at once
        self.done = False

    def advance(self) -> list[Piece]:
        """Write for a moment; what the texts have gained."""
        symbols, nats = self._burst()
        last = self._made == self._request.length
        pieces = [
            piece
            for column, text in enumerate(self._texts)
            if (piece := text.take(symbols[:, column], nats[:, column], last=last))
        ]
        self.done = last
        staying = np.flatnonzero([not text.stops.stopped for text in self._texts])
        if len(staying) < len(self._texts) and not last:
            self._keep(staying)
        return pieces

    def _burst(self) -> tuple[Symbols, Floats]:
        """The next symbols (T, B), and if wanted their nats (T, B)."""
        steps = min(self._steps, self._request.length - self._made)
        uniforms = np.stack([generator.random(steps) for generator in self._generators], axis=1)
        began = time.perf_counter()
        written = self._writer.write(uniforms)
        speed = steps / (time.perf_counter() - began)
        self._steps = min(max(int(speed * BURST), 1), LONGEST)
        self._made += steps
        return written

    def _keep(self, staying: Symbols) -> None:
        if not len(staying):
            self.done = True
            return
        self._texts = [self._texts[k] for k in staying]
        self._generators = [self._generators[k] for k in staying]
        self._writer = self._writer.kept(staying)


class _Text:
    """One text in the making."""

    def __init__(self, index: int, vocabulary: Vocabulary, request: Request) -> None:
        self.stops = StopFinder(request.stops)
        self._index = index
        self._pieces = vocabulary.pieces
        self._loss = request.loss
        self._bytes = 0
        self._symbols: list[int] = []  # these two only where the loss is wanted
        self._nats: list[Floats] = []

    def take(self, symbols: Symbols, nats: Floats, *, last: bool) -> Piece | None:
        """Add symbols; what can be told of them already, if anything."""
        added = symbols.tolist()
        pieces = self._pieces
        text = self.stops.feed(b"".join([pieces[symbol] for symbol in added]))
        if last and not self.stops.stopped:
            text += self.stops.flush()
        self._bytes += len(text)
        if self._loss:
            self._symbols += added
            self._nats.append(nats)
        if last or self.stops.stopped:
            return Piece(self._index, text, "stop" if self.stops.stopped else "length", self._mean_loss())
        return Piece(self._index, text) if text else None

    def _mean_loss(self) -> float | None:
        """Mean nats of the symbols that the text consists of; those of a stop do not belong to it."""
        if not self._bytes or not self._loss:
            return None
        ends = np.cumsum([len(self._pieces[symbol]) for symbol in self._symbols])
        count = int(ends.searchsorted(self._bytes)) + 1
        return float(np.concatenate(self._nats)[:count].mean(dtype=np.float64))


def whole_samples(pieces: Iterator[Piece], seeds: Sequence[int]) -> Iterator[Sample]:
    """Join pieces into samples, in the order of the seeds, each as soon as it and those before it are done."""
    texts: dict[int, list[bytes]] = {}
    done: dict[int, Sample] = {}
    following = 0
    for piece in pieces:
        texts.setdefault(piece.sample, []).append(piece.text)
        if piece.finish:
            text = b"".join(texts.pop(piece.sample))
            done[piece.sample] = Sample(text, piece.finish, seeds[piece.sample], piece.loss)
        while following in done:
            yield done.pop(following)
            following += 1
