"""Truncated back-propagation through time over parallel readers.

B readers read the text side by side, each from its own position, T characters a step (here B = 3, T = 4):

    text       t h e   q u i c k   b r o w n   f o x   j u m p s .
    reader 0   [t h e _] [q u i c] [k _ b r] ...
    reader 1               ... [k _ b r] [o w n _] ...
    reader 2                             ... [f o x _] [j u m p] ... and on from the start
                  step 1    step 2

Between steps the state of each reader is carried over but detached, so gradients flow back at most T characters.
Now and then a reader jumps to a random position and starts from the learned initial state, which trains that state.
Positions after a line end are preferred, because that is where generated texts begin.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.text.tokens import TokenIds
from charrnn.text.vocabulary.base import Ids

LINE_SEARCH = 512  # characters searched for a line end


@dataclass(frozen=True)
class Positions:
    """Where a step of `length` characters begins: positions `at` (B,) in the text; `fresh` (B,) marks new starts."""

    at: NDArray[np.int64]
    fresh: NDArray[np.bool_]
    length: int

    @property
    def chars(self) -> int:
        """Number of characters that the step predicts."""
        return int(len(self.at) * self.length + self.fresh.sum())


class Readers:
    """B readers that walk through a text of ids in a circle.

    Args:
        ids: the text, (n,), n at least 2.
        batch: B.
        restart: probability that a reader jumps to a random position, in each step.
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
        """The characters (length + 1, b) from positions (b,) on."""
        window: NDArray[np.int64] = self._ids[(at + np.arange(length + 1)[:, None]) % len(self._ids)].astype(np.int64)
        return window

    def next_positions(self, length: int) -> Positions:
        """Move every reader forward by `length` characters; returns where they were."""
        count = len(self.positions)
        jumping = self._generator.random(count) < self._restart
        for reader in np.flatnonzero(jumping):
            self.positions[reader] = self._draw_position()
        fresh = self._fresh | jumping
        at = self.positions
        self.positions = (self.positions + length) % len(self._ids)
        self._fresh = np.zeros(count, dtype=bool)
        return Positions(at, fresh, length)

    def chars_per_step(self, length: int) -> float:
        """Number of characters in a window of this length."""
        return float(len(self.positions) * length)

    def _draw_position(self) -> int:
        position = int(self._generator.integers(len(self._ids)))
        if self._line_end is not None:
            ahead = (position + np.arange(LINE_SEARCH)) % len(self._ids)
            ends = np.flatnonzero(self._ids[ahead] == self._line_end)
            if len(ends):
                position = (position + int(ends[0]) + 1) % len(self._ids)
        return position

    def get_state(self) -> dict[str, Any]:
        """Everything that `set_state` needs to continue exactly; JSON-able."""
        return {
            "positions": self.positions.tolist(),
            "fresh": self._fresh.tolist(),
            "generator": self._generator.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        self.positions = np.array(state["positions"], dtype=np.int64)
        self._fresh = np.array(state["fresh"], dtype=bool)
        self._generator.bit_generator.state = state["generator"]
