"""Where samples are in a constraint, and the choice of a symbol there, one sample at a time.

This is the reference in NumPy, which the kernel follows (`charrnn.inference.generation.kernel.matching`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IMPOSSIBLE = 2**31 - 1  # characters
MOST_CHARACTERS = IMPOSSIBLE - 1
Integers = NDArray[np.int32]
ENDED = -1  # the symbol after the last one of a text, and the state of a text that has ended


@dataclass(frozen=True)
class Constraint:
    """The texts that may be generated; rows have W >= V columns, those beyond V of symbols that never occur.

    Attributes:
        start: the first state.
        next: the state (S, W) that a symbol leads to, or -1 if none.
        needed: characters (S, W) of the shortest way to a match by a symbol, its own included; or `IMPOSSIBLE`.
        shortest: characters (S,) of the shortest way to a match.
        accepting: whether a text may end (S,), as bytes 0 and 1.
        stops: strings that end a text; not part of it.
    """

    start: int
    next: Integers
    needed: Integers
    shortest: Integers
    accepting: NDArray[np.uint8]
    stops: tuple[bytes, ...]


class Tracker:
    """The states of B samples in a constraint.

    Attributes:
        states: (B,), `ENDED` for texts that have ended.
        left: characters (B,) that each text may still have.
    """

    def __init__(self, constraint: Constraint, length: int, samples: int) -> None:
        self.constraint = constraint
        self.states = np.full(samples, constraint.start, dtype=np.int64)
        self.left = np.full(samples, min(length, MOST_CHARACTERS), dtype=np.int64)

    @property
    def quorum(self) -> int:
        """Samples that are too few to go on with, as most of the batch would be computed for nothing."""
        return len(self.states) // 2

    @property
    def enough(self) -> bool:
        """Whether more samples than the quorum have not ended."""
        return int((self.states != ENDED).sum()) > self.quorum

    def select(self, samples: NDArray[np.int64]) -> "Tracker":
        """A tracker of these samples only."""
        tracker = Tracker(self.constraint, 0, len(samples))
        tracker.states[:], tracker.left[:] = self.states[samples], self.left[samples]
        return tracker

    def choose(
        self,
        sample: int,
        scores: NDArray[np.float32],
        draw: Callable[[NDArray[np.float32]], NDArray[np.int64]],
    ) -> int:
        """The next symbol of a sample, drawn by `draw` from its scores (1, V), or `ENDED`."""
        tables, state, left = self.constraint, self.states[sample], self.left[sample]
        if state == ENDED:
            return ENDED
        needed = tables.needed[state, : scores.shape[1]]
        free = bool(tables.accepting[state])
        symbol = int(draw(scores if free else np.where(needed <= left, scores, np.float32(-np.inf)))[0])
        if needed[symbol] > left:
            self.states[sample] = ENDED
            return ENDED
        after = tables.next[state, symbol]
        self.left[sample] = left - needed[symbol] + tables.shortest[after]
        self.states[sample] = after
        return symbol
