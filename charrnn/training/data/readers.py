"""Truncated back-propagation through time over parallel readers.

The text is read by B readers at once, each from its own place, T characters a step (here B = 3, T = 4):

    text       t h e   q u i c k   b r o w n   f o x   j u m p s .
    reader 0   [t h e _] [q u i c] [k _ b r] ...
    reader 1               ... [k _ b r] [o w n _] ...
    reader 2                             ... [f o x _] [j u m p] ... and round to the start again
                  step 1    step 2

Between steps each reader's state is carried over but detached: it remembers, yet gradients flow back T
characters at most. Now and then a reader jumps to a fresh place, there to start from the learned initial
state, which is how that is trained; a place just after a line's end is preferred, for that is where people
let a text begin.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.text.tokens import TokenIds
from charrnn.text.vocabulary.base import Ids

LINE_SEARCH = 512  # characters looked through for a line's end


@dataclass(frozen=True)
class Places:
    """Where a step of `length` characters begins: positions (B,) in the text; `fresh` (B,) marks new starts."""

    at: NDArray[np.int64]
    fresh: NDArray[np.bool_]
    length: int

    @property
    def chars(self) -> int:
        """Characters that the step learns to predict."""
        return int(len(self.at) * self.length + self.fresh.sum())


class Readers:
    """B readers walking round a text of ids.

    Args:
        ids: the text, (n,), n at least 2.
        batch: B.
        restart: probability that a reader jumps to a fresh place, each step.
        seed: of the jumps.
        line_end: id of the character that ends lines, if there is one.
    """

    def __init__(
        self, ids: Ids | TokenIds, batch: int, *, restart: float, seed: int, line_end: int | None = None
    ) -> None:
        self._ids = ids
        self._restart = restart
        self._line_end = line_end
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self.positions = np.arange(batch, dtype=np.int64) * len(ids) // batch
        self._fresh = np.ones(batch, dtype=bool)

    def window(self, at: NDArray[np.int64], length: int) -> NDArray[np.int64]:
        """The characters (length + 1, b) from places (b,) on."""
        found: NDArray[np.int64] = self._ids[(at + np.arange(length + 1)[:, None]) % len(self._ids)].astype(np.int64)
        return found

    def next_places(self, length: int) -> Places:
        """Move every reader on by `length` characters; where they were."""
        count = len(self.positions)
        jumping = self._generator.random(count) < self._restart
        for reader in np.flatnonzero(jumping):
            self.positions[reader] = self._fresh_place()
        fresh = self._fresh | jumping
        at = self.positions
        self.positions = (self.positions + length) % len(self._ids)
        self._fresh = np.zeros(count, dtype=bool)
        return Places(at, fresh, length)

    def chars_per_step(self, length: int) -> float:
        """How many characters a batch of this length has."""
        return float(len(self.positions) * length)

    def _fresh_place(self) -> int:
        place = int(self._generator.integers(len(self._ids)))
        if self._line_end is not None:
            ahead = (place + np.arange(LINE_SEARCH)) % len(self._ids)
            ends = np.flatnonzero(self._ids[ahead] == self._line_end)
            if len(ends):
                place = (place + int(ends[0]) + 1) % len(self._ids)
        return place

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on as if nothing had happened; JSON-able."""
        return {
            "positions": self.positions.tolist(),
            "fresh": self._fresh.tolist(),
            "generator": self._generator.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.positions = np.array(state["positions"], dtype=np.int64)
        self._fresh = np.array(state["fresh"], dtype=bool)
        self._generator.bit_generator.state = state["generator"]
