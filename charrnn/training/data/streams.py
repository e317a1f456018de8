"""Truncated back-propagation through time over parallel streams.

B streams read the text side by side, each from its own position, T characters a step (here B = 3, T = 4):

    text       t h e   q u i c k   b r o w n   f o x   j u m p s .
    stream 0   [t h e _] [q u i c] [k _ b r] ...
    stream 1               ... [k _ b r] [o w n _] ...
    stream 2                             ... [f o x _] [j u m p] ... and on from the start
                  step 1    step 2

Between steps the state of each stream is carried over but detached, so gradients flow back at most T characters.
Now and then a stream starts from the learned initial state, which trains that state, at the next line's start,
because that is where generated texts begin.

What was read last is known best. So the streams are moved, whenever they restart, to where they have to stand for the
last of them to reach the end of the text with the end of the run. How much a run by the clock will read is an estimate
that changes, above all in the beginning. So each stream keeps its distance from the others: it moves to where it would
have stood if it had begun so much earlier or later. Measurements are in docs/experiments/recipe.md.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.text.storage import TokenIds
from charrnn.text.vocabulary.base import Ids

LINE_SEARCH = 512  # characters searched for a line end


@dataclass(frozen=True)
class Positions:
    """Where a step of `length` characters begins: at positions (B,) in the text; `restarted` (B,) marks new starts."""

    at: NDArray[np.int64]
    restarted: NDArray[np.bool_]
    length: int

    @property
    def chars(self) -> int:
        """Number of characters that the step predicts."""
        return int(len(self.at) * self.length + self.restarted.sum())


class Streams:
    """B streams that walk through a text of ids in a circle.

    Args:
        ids: the text, (n,), n at least 2.
        batch: B.
        restart: probability that a stream starts anew, in each step.
        seed: of the restarts.
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
        self._read = 0  # characters that each stream has passed
        self._restarted = np.ones(batch, dtype=bool)

    def window(self, at: NDArray[np.int64], length: int) -> NDArray[np.int64]:
        """The characters (length + 1, b) from positions (b,) on."""
        window: NDArray[np.int64] = self._ids[(at + np.arange(length + 1)[:, None]) % len(self._ids)].astype(np.int64)
        return window

    def next_positions(self, length: int, left: float | None = None) -> Positions:
        """Move every stream forward by `length` characters; returns where they were.

        Args:
            length: T.
            left: how many characters each stream will still read in this run, this step's included, if that is known.
        """
        count = len(self.positions)
        restarting = self._generator.random(count) < self._restart
        for stream in np.flatnonzero(restarting):
            place = int(self.positions[stream]) if left is None else self._aim(int(stream), left)
            self.positions[stream] = self._find_start(place)
        restarted = self._restarted | restarting
        at = self.positions
        self.positions = (self.positions + length) % len(self._ids)
        self._read += length
        self._restarted = np.zeros(count, dtype=bool)
        return Positions(at, restarted, length)

    def chars_per_step(self, length: int) -> float:
        """Number of characters in a window of this length."""
        return float(len(self.positions) * length)

    def _aim(self, stream: int, left: float) -> int:
        """Where a stream has to stand to end at a first position, as many first positions on as all others."""
        distance = len(self._ids) / len(self.positions)
        passed = round((self._read + left) / distance)
        return round((stream + passed) * distance - left) % len(self._ids)

    def _find_start(self, position: int) -> int:
        """The start of a line after `position`, if there is one near."""
        if self._line_end is None:
            return position
        ahead = (position + np.arange(LINE_SEARCH)) % len(self._ids)
        ends = np.flatnonzero(self._ids[ahead] == self._line_end)
        return (position + int(ends[0]) + 1) % len(self._ids) if len(ends) else position

    def get_state(self) -> dict[str, Any]:
        """Everything that `set_state` needs to continue exactly; JSON-able."""
        return {
            "positions": self.positions.tolist(),
            "read": self._read,
            "fresh": self._restarted.tolist(),
            "generator": self._generator.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        self.positions = np.array(state["positions"], dtype=np.int64)
        self._read = state.get("read", 0)  # files from before it was saved
        self._restarted = np.array(state["fresh"], dtype=bool)
        self._generator.bit_generator.state = state["generator"]
