"""Generation in layers: symbols of one step -> pieces of text -> whole samples.

Samples advance side by side in groups, in bursts of a few hundredths of a second; several groups run in threads, which
is possible because the kernel releases Python's global interpreter lock. Samples that reach a stop string leave their
group. Sample i draws from a random generator of its own, seeded with seed + i, so its text depends neither on the
number of samples nor on where bursts end.
"""

import copy
import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from charrnn.inference.generation.constraint.tracking import ENDED, Constraint, Tracker
from charrnn.inference.generation.kernel.compiled import load_kernel
from charrnn.inference.generation.sampling import Sampler, Symbols, log_softmax
from charrnn.inference.generation.stopping import StopFinder
from charrnn.inference.generation.writer import Weights, Writer, make_writer
from charrnn.inference.network.cores import available_cores
from charrnn.inference.network.language import Floats, Network, State
from charrnn.text.vocabulary.base import Ids, Vocabulary

PRIME_CHUNK = 512
BURST = 0.02  # seconds: text arrives at least fifty times a second, where a step is faster than that
LONGEST = 4096  # symbols of a burst, however small the network
GROUP = 64  # samples; larger groups are not faster


@dataclass(frozen=True)
class Piece:
    """Text that sample `sample` has gained; `finish` ("length", "stop" or "match") is set in its last piece.

    `loss` is set in the last piece if it was requested and the text is not empty: mean -ln p per character, in nats,
    at temperature 1.
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
    """What to generate for every sample.

    Attributes:
        sampler: how symbols are drawn.
        length: characters to add; the word that reaches this length is written to its end.
        stops: byte strings that end a text; not part of it.
        loss: whether to compute each text's loss.
        prefix: beginning of a word that the first symbol has to complete; not part of the text.
        constraint: the texts that may be generated, as built for this length, these stops and this prefix.
    """

    sampler: Sampler
    length: int
    stops: Sequence[bytes] = ()
    loss: bool = False
    prefix: bytes = b""
    constraint: Constraint | None = None

    @property
    def most_symbols(self) -> int:
        """Symbols that always suffice for the length: each has a character, the first perhaps only the prefix."""
        return self.length + 1 if self.prefix and self.length else self.length


def read_prime(network: Network, ids: Ids) -> Iterator[tuple[int, State]]:
    """Read a prime (n,); yields (symbols read, state) at the start and after each chunk."""
    state = network.initial_state()
    yield 0, state
    for begin in range(0, len(ids), PRIME_CHUNK):
        network.read(ids[begin : begin + PRIME_CHUNK, None], state)
        yield min(begin + PRIME_CHUNK, len(ids)), state


class TextGenerator:
    """Generates texts with a network on the CPU; its weights are laid out for the kernel when that is needed first.

    `base` is a generator whose network differs in the initial state and the first layer's bias only; the layout of the
    other weights is shared with it.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary, base: "TextGenerator | None" = None) -> None:
        self.network = _mask_symbols(network, vocabulary.never_generated)
        self.vocabulary = vocabulary
        self._base = base

    def for_network(self, network: Network) -> "TextGenerator":
        """A generator for a network that differs in the initial state and the first layer's bias only."""
        return TextGenerator(network, self.vocabulary, self)

    def for_weights(self, network: Network) -> "TextGenerator":
        """A generator for a network with other weights."""
        return TextGenerator(network, self.vocabulary)

    @cached_property
    def weights(self) -> Weights:
        """The network's weights, laid out for the kernel."""
        if self._base is not None:
            return self._base.weights.for_network(self.network)
        return Weights(self.network, load_kernel(self.network.config.cell))

    def make_writer(self, state: State, request: Request) -> Writer:
        """A writer of one sample for each stream of `state`."""
        tracker = make_tracker(request, state)
        return make_writer(self.weights, state, request.sampler, loss=request.loss, tracker=tracker)

    def plan_groups(self, samples: int) -> tuple[int, int]:
        """Samples in a group, and groups that run at the same time."""
        cores = available_cores()
        return min(GROUP, -(-samples // cores)) or 1, cores

    def generate(self, start: State, *, seeds: Sequence[int], request: Request) -> Generator[Piece]:
        """Generate a text for each seed, continuing from `start` (one stream).

        Yields pieces as they are made; the pieces of one sample, joined, are its text.
        """
        size, threads = self.plan_groups(len(seeds))
        pace = Pace()
        groups = (
            Group(self, start, request, list(enumerate(seeds[first : first + size], first)), pace)
            for first in range(0, len(seeds), size)
        )
        if len(seeds) > size and threads > 1:
            yield from _advance_in_threads(groups, threads)
            return
        for group in groups:
            while not group.done:
                yield from group.advance()


def make_tracker(request: Request, state: State) -> Tracker | None:
    """A tracker of the streams of `state`, at the start of the constraint; None if there is none."""
    if request.constraint is None:
        return None
    return Tracker(request.constraint, request.length, state.hidden.shape[1])


def _mask_symbols(network: Network, ids: Sequence[int]) -> Network:
    """The network with probability 0 for symbols `ids`; it shares all weights but the decoder's bias."""
    if not ids:
        return network
    masked = copy.copy(network)
    masked.decoder_bias = network.decoder_bias.copy()
    masked.decoder_bias[list(ids)] = -np.inf
    return masked


def _advance_in_threads(groups: "Iterator[Group]", threads: int) -> Generator[Piece]:
    """Advance up to `threads` groups at a time; each is one burst ahead of what is yielded."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        running = deque((group, pool.submit(group.advance)) for group in islice(groups, threads))
        while running:
            group, burst = running.popleft()
            pieces = burst.result()
            successor = next(groups, None) if group.done else group
            if successor is not None:
                running.append((successor, pool.submit(successor.advance)))
            yield from pieces


@dataclass
class Pace:
    """The symbols, of all samples of a group together, that take as long as a burst, as measured last."""

    symbols: int = 1  # the first one is shown at once


class Group:
    """Samples that advance together, (index, seed) each, at a pace that all groups share.

    Attributes:
        done: whether all texts are finished.
    """

    def __init__(
        self,
        generator: TextGenerator,
        start: State,
        request: Request,
        samples: Sequence[tuple[int, int]],
        pace: Pace,
    ) -> None:
        self._request = request
        self._texts = [TextBuilder(index, generator.vocabulary, request) for index, _ in samples]
        self._draws = [np.random.Generator(np.random.PCG64(seed)) for _, seed in samples]
        self._first: tuple[Symbols, Floats] | None = None
        state = start.repeat(len(samples))
        self._unused = np.empty((0, len(samples)))  # uniforms (T, B) of symbols that were not written
        if request.prefix and request.length and request.constraint is None:
            symbols, nats, state = _complete_prefix(generator, start, request, self._draws)
            self._first = symbols, nats
        self._writer = generator.make_writer(state, request)
        self._made = 0
        self._pace = pace
        self.done = False

    def advance(self) -> list[Piece]:
        """Generate one burst; returns what the texts have gained."""
        symbols, nats = self._next_symbols()
        pieces = [
            piece
            for column, (text, added) in enumerate(zip(self._texts, symbols.T.tolist(), strict=True))
            if text.finish is None and (piece := text.append(added, nats[:, column]))
        ]
        active = np.flatnonzero([text.finish is None for text in self._texts])
        self.done = not len(active)
        if not self.done and len(active) < len(self._texts):
            self._select(active)
        return pieces

    def _next_symbols(self) -> tuple[Symbols, Floats]:
        """The next symbols (T, B) and, if requested, their nats (T, B)."""
        if self._first:
            result, self._first = self._first, None
            self._made += 1
            return result
        samples = len(self._texts)
        steps = self._writer.burst or min(max(self._pace.symbols // samples, 1), LONGEST)
        steps = min(steps, self._request.most_symbols - self._made)
        fresh = max(0, steps - len(self._unused))
        uniforms = np.stack([draw.random(fresh) for draw in self._draws], axis=1)
        if len(self._unused):
            uniforms = np.concatenate([self._unused, uniforms])
        begin = time.perf_counter()
        result = self._writer.write(uniforms[:steps])
        made = len(result[0])
        self._pace.symbols = int(made * samples * BURST / (time.perf_counter() - begin))
        self._unused = uniforms[made:]
        self._made += made
        return result

    def _select(self, active: Symbols) -> None:
        """Go on with these samples only, if the writer can leave samples out."""
        writer = self._writer.select(active)
        if writer is not None:
            self._writer = writer
            self._texts = [self._texts[k] for k in active]
            self._draws = [self._draws[k] for k in active]
            self._unused = self._unused[:, active]


def _complete_prefix(
    generator: TextGenerator, start: State, request: Request, draws: Sequence[np.random.Generator]
) -> tuple[Symbols, Floats, State]:
    """A first symbol (1, B) for each sample that begins with the prefix, its nats (1, B), and the states after it."""
    network = generator.network
    fitting = np.array([piece.startswith(request.prefix) for piece in generator.vocabulary.pieces])
    scores = np.where(fitting, network.next_logits(start), np.float32(-np.inf))
    symbols = np.concatenate([request.sampler.choose(scores, draw.random(1)) for draw in draws])
    after = {}
    for symbol in set(symbols.tolist()):
        after[symbol] = start.copy()
        network.read(np.full((1, 1), symbol), after[symbol])
    nats = -log_softmax(scores)[:, symbols]
    return symbols[None], nats, State.concatenate([after[symbol] for symbol in symbols.tolist()])


class TextBuilder:
    """Builds one text from its symbols.

    Attributes:
        finish: "length", "stop" or "match" once it is complete.
    """

    def __init__(self, index: int, vocabulary: Vocabulary, request: Request) -> None:
        self.finish: str | None = None
        self._stops = StopFinder(request.stops)
        self._index = index
        self._pieces = vocabulary.pieces
        self._lengths = vocabulary.lengths
        self._multi_character = vocabulary.multi_character
        self._ended = "stop" if request.constraint is None else "match"
        self._ends = [] if request.constraint is None else [ENDED]
        self._ends += [] if vocabulary.end is None else [vocabulary.end]
        self._prefix = self._hidden = len(request.prefix)  # bytes, those still to come
        self._prefix_chars = len(request.prefix.decode("utf-8"))
        self._left = request.length + self._prefix_chars if request.length else 0  # characters
        self._loss = request.loss
        self._shown = 0  # bytes
        self._symbols: list[int] = []  # these two only if the loss is requested
        self._nats: list[Floats] = []

    def append(self, symbols: list[int], nats: Floats) -> Piece | None:
        """Add symbols with their nats (T,); returns the text that is final now, if any."""
        ends = [symbols.index(end) for end in self._ends if end in symbols]
        added = symbols[: min(ends)] if ends else symbols
        if self._multi_character:
            lengths = self._lengths[added].cumsum()
            added = added[: int(lengths.searchsorted(self._left)) + 1]
            self._left -= int(lengths[len(added) - 1]) if added else 0
        else:
            added = added[: self._left]
            self._left -= len(added)
        text = b"".join(map(self._pieces.__getitem__, added))
        if self._loss:
            self._symbols += added
            self._nats.append(nats)
        hidden = self._hidden
        self._hidden = max(0, hidden - len(text))
        return self._release(text[hidden:], ended=bool(ends))

    def _release(self, text: bytes, *, ended: bool) -> Piece | None:
        """The text that cannot belong to a stop string any more; of a text that has `ended` all of it."""
        text = self._stops.feed(text)
        if self._stops.stopped:
            self.finish = "stop"
        elif self._left <= 0 or ended:
            text += self._stops.flush()
            self.finish = "length" if self._left <= 0 else self._ended
        self._shown += len(text)
        if self.finish:
            return Piece(self._index, text, self.finish, self._mean_loss())
        return Piece(self._index, text) if text else None

    def _mean_loss(self) -> float | None:
        """Mean nats per character of the symbols of the text, without those of a stop string."""
        if not self._shown or not self._loss:
            return None
        ends = np.cumsum([len(self._pieces[symbol]) for symbol in self._symbols])
        count = int(ends.searchsorted(self._prefix + self._shown)) + 1
        chars = int(self._lengths[self._symbols[:count]].sum()) - self._prefix_chars
        return float(np.concatenate(self._nats)[:count].sum(dtype=np.float64)) / max(1, chars)


def join_pieces(pieces: Iterator[Piece], seeds: Sequence[int]) -> Iterator[Sample]:
    """Whole samples in the order of the seeds, each as soon as it and those before it are complete."""
    texts: dict[int, list[bytes]] = {}
    done: dict[int, Sample] = {}
    current = 0
    for piece in pieces:
        texts.setdefault(piece.sample, []).append(piece.text)
        if piece.finish:
            text = b"".join(texts.pop(piece.sample))
            done[piece.sample] = Sample(text, piece.finish, seeds[piece.sample], piece.loss)
        while current in done:
            yield done.pop(current)
            current += 1


@dataclass(frozen=True)
class Choice:
    """A text, and the losses of all those it was chosen from; None is the loss of an empty text."""

    sample: Sample
    losses: tuple[float | None, ...]


def choose_best(samples: Iterator[Sample], count: int) -> Iterator[Choice]:
    """The best of every `count` texts, which must come with their losses; an empty text is the last choice."""
    while candidates := list(islice(samples, count)):
        best = min(candidates, key=lambda sample: math.inf if sample.loss is None else sample.loss)
        yield Choice(best, tuple(sample.loss for sample in candidates))
