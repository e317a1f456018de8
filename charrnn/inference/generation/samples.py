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

from charrnn.inference.generation.kernel.compiled import load_kernel
from charrnn.inference.generation.sampling import Sampler, log_softmax
from charrnn.inference.generation.stopping import StopFinder
from charrnn.inference.generation.writer import Symbols, Weights, writer_for
from charrnn.inference.network.cores import available_cores
from charrnn.inference.network.language import Floats, Network, State
from charrnn.text.vocabulary.characters import Ids, Vocabulary

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
        length: characters to add; the word that reaches this length is written to its end.
        begun: the beginning of a word that the first symbol has to complete; it is no part of the text.
        stops: byte strings that end a text; not part of it.
        loss: whether to compute each text's loss, too.
    """

    sampler: Sampler
    length: int
    stops: Sequence[bytes] = ()
    loss: bool = False
    begun: bytes = b""

    @property
    def most_symbols(self) -> int:
        """How many symbols reach the length in any case: each has a character, the first maybe only `begun`."""
        return self.length + 1 if self.begun and self.length else self.length


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
    weights = Weights(network, load_kernel(network.config.cell))
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
        self._texts = [Text(index, vocabulary, request) for index, _ in seeds]
        self._generators = [np.random.Generator(np.random.PCG64(seed)) for _, seed in seeds]
        self._opening: tuple[Symbols, Floats] | None = None
        state = start.repeated(len(seeds))
        if request.begun and request.length:
            symbols, nats, state = opened(weights.network, vocabulary, start, request, self._generators)
            self._opening = symbols, nats
        self._writer = writer_for(weights, state, request.sampler, loss=request.loss)
        self._made = 0
        self._steps = 1  # the very first symbol is shown at once
        self.done = False

    def advance(self) -> list[Piece]:
        """Write for a moment; what the texts have gained."""
        symbols, nats = self._burst()
        pieces = [
            piece
            for column, text in enumerate(self._texts)
            if (piece := text.take(symbols[:, column], nats[:, column]))
        ]
        staying = np.flatnonzero([text.finish is None for text in self._texts])
        self.done = not len(staying)
        if not self.done and len(staying) < len(self._texts):
            self._keep(staying)
        return pieces

    def _burst(self) -> tuple[Symbols, Floats]:
        """The next symbols (T, B), and if wanted their nats (T, B)."""
        if self._opening:
            written, self._opening = self._opening, None
            self._made += 1
            return written
        steps = min(self._steps, self._request.most_symbols - self._made)
        uniforms = np.stack([generator.random(steps) for generator in self._generators], axis=1)
        began = time.perf_counter()
        written = self._writer.write(uniforms)
        speed = steps / (time.perf_counter() - began)
        self._steps = min(max(int(speed * BURST), 1), LONGEST)
        self._made += steps
        return written

    def _keep(self, staying: Symbols) -> None:
        self._texts = [self._texts[k] for k in staying]
        self._generators = [self._generators[k] for k in staying]
        self._writer = self._writer.kept(staying)


def opened(
    network: Network,
    vocabulary: Vocabulary,
    start: State,
    request: Request,
    generators: Sequence[np.random.Generator],
) -> tuple[Symbols, Floats, State]:
    """A first symbol (1, B) for each generator that begins with what is begun, its nats (1, B), the states after."""
    fitting = np.array([piece.startswith(request.begun) for piece in vocabulary.pieces])
    scores = np.where(fitting, network.next_logits(start), np.float32(-np.inf))
    symbols = np.concatenate([request.sampler.choose(scores, generator.random(1)) for generator in generators])
    after = {}
    for symbol in set(symbols.tolist()):
        after[symbol] = start.copy()
        network.read(np.full((1, 1), symbol), after[symbol])
    nats = -log_softmax(scores)[:, symbols]
    return symbols[None], nats, State.together([after[symbol] for symbol in symbols.tolist()])


class Text:
    """One text in the making.

    Attributes:
        finish: "length" or "stop", once it is whole.
    """

    def __init__(self, index: int, vocabulary: Vocabulary, request: Request) -> None:
        self.finish: str | None = None
        self._stops = StopFinder(request.stops)
        self._index = index
        self._pieces = vocabulary.pieces
        self._lengths = vocabulary.lengths
        self._end = vocabulary.end
        self._begun = self._unseen = len(request.begun)  # bytes
        self._begun_chars = len(request.begun.decode("utf-8"))
        self._left = request.length + self._begun_chars if request.length else 0  # characters
        self._loss = request.loss
        self._shown = 0  # bytes
        self._symbols: list[int] = []  # these two only where the loss is wanted
        self._nats: list[Floats] = []

    def take(self, symbols: Symbols, nats: Floats) -> Piece | None:
        """Add symbols; what can be told of them already, if anything."""
        ends = np.flatnonzero(symbols == self._end).tolist() if self._end is not None else []
        symbols = symbols[: ends[0]] if ends else symbols
        lengths = self._lengths[symbols].cumsum()
        added = symbols[: int(lengths.searchsorted(self._left)) + 1].tolist()
        self._left -= int(lengths[len(added) - 1]) if added else 0
        pieces = self._pieces
        text = b"".join([pieces[symbol] for symbol in added])
        if self._loss:
            self._symbols += added
            self._nats.append(nats)
        unseen = self._unseen
        self._unseen = max(0, unseen - len(text))
        return self._passed_on(text[unseen:], ended=bool(ends))

    def _passed_on(self, text: bytes, *, ended: bool) -> Piece | None:
        """What is certain to be no part of a stop, and of a text that has `ended` the rest too."""
        text = self._stops.feed(text)
        if self._stops.stopped:
            self.finish = "stop"
        elif self._left <= 0 or ended:
            text += self._stops.flush()
            self.finish = "length" if self._left <= 0 else "stop"
        self._shown += len(text)
        if self.finish:
            return Piece(self._index, text, self.finish, self._mean_loss())
        return Piece(self._index, text) if text else None

    def _mean_loss(self) -> float | None:
        """Mean nats per character of the symbols that make up the text; those of a stop do not belong to it."""
        if not self._shown or not self._loss:
            return None
        ends = np.cumsum([len(self._pieces[symbol]) for symbol in self._symbols])
        count = int(ends.searchsorted(self._begun + self._shown)) + 1
        chars = int(self._lengths[self._symbols[:count]].sum()) - self._begun_chars
        return float(np.concatenate(self._nats)[:count].sum(dtype=np.float64)) / max(1, chars)


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
