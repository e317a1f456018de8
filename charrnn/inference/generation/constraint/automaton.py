"""A deterministic automaton of an expression and of the strings that stop a text, over classes of characters.

Characters that no part of the expression tells apart are one class. A state is what may follow: the positions that
can come next, whether the text so far matches, and the end of it that may begin a stop string.

The stop strings end a text as they do without an expression: what precedes the first of them is the text, and has to
match. So a stop string may be completed only where it begins after a match; this leads to the state `stopped`, which
every character leads back to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import PatternError
from charrnn.inference.generation.constraint.pattern import PositionAutomaton, bits
from charrnn.inference.generation.constraint.tracking import Integers

DEAD = -1
MOST_STATES = 20_000


@dataclass(frozen=True)
class Automaton:
    """A deterministic automaton; state 0 is its start.

    Attributes:
        alphabet: characters in ascending order.
        classes: the class (A,) of each.
        next: the state (S, C) that a class leads to, or `DEAD`.
        accepting: whether the text is a match (S,).
    """

    alphabet: str
    classes: Integers
    next: Integers
    accepting: NDArray[np.bool_]


def build_automaton(pattern: str, alphabet: str, stops: Sequence[str] = ()) -> Automaton:
    """The automaton of the texts that match `pattern`, followed or not by a string of `stops`.

    Raises:
        PatternError: see `PositionAutomaton.parse`; also if there are too many states.
    """
    return _Builder(pattern, alphabet, stops).build()


@dataclass(frozen=True)
class _State:
    """A state of the automaton; see the module."""

    follow: int
    accepting: bool
    suffix: str  # the end of the text that may begin a stop string
    stopped: bool = False


class _Builder:
    """Finds the states that can be reached, and where the classes of characters lead from each."""

    def __init__(self, pattern: str, alphabet: str, stops: Sequence[str]) -> None:
        self._positions = positions = PositionAutomaton(alphabet)
        self._stops = stops
        whole = positions.parse(pattern)
        self._last = whole.last
        endings = [positions.add_literal(stop) for stop in stops]
        self._completed = dict(zip(stops, (ending.last for ending in endings), strict=True))
        first = positions.join([whole, positions.unite(endings)]).first if endings else whole.first
        self._start = _State(first, whole.empty, "")
        self._classes, representatives = _classify(positions.members, len(alphabet))
        self._characters = [alphabet[place] for place in representatives]
        self._takers = [self._find_takers(place) for place in representatives]

    def _find_takers(self, place: int) -> int:
        """The positions that take the character at this place of the alphabet."""
        takes = [members[place] for members in self._positions.members]
        return sum(1 << position for position, number in enumerate(self._positions.sets) if takes[number])

    def build(self) -> Automaton:
        states = {self._start: 0}
        rows: list[list[int]] = []
        waiting = [self._start]
        for state in waiting:  # grows as states are found
            row = []
            for taken, character in zip(self._takers, self._characters, strict=True):
                after = self._step(state, taken, character)
                if after is not None and after not in states:
                    states[after] = len(states)
                    waiting.append(after)
                row.append(DEAD if after is None else states[after])
            rows.append(row)
            if len(states) > MOST_STATES:
                raise PatternError(
                    f"the regular expression needs more than {MOST_STATES:,} states; use fewer repetitions, or put "
                    "what is repeated into fewer alternatives"
                )
        table = np.array(rows, dtype=np.int32).reshape(len(states), len(self._takers))
        accepting = np.array([state.accepting for state in states])
        return Automaton(self._positions.alphabet, self._classes, table, accepting)

    def _step(self, state: _State, taken: int, character: str) -> _State | None:
        if state.stopped:
            return state
        reached = state.follow & taken
        if not reached:
            return None
        text = state.suffix + character
        completed = [stop for stop in self._stops if text.endswith(stop)]
        if completed:
            first = max(completed, key=len)  # of two that end together, the one that begins first
            fits = reached & self._completed[first]
            return _State(0, accepting=True, suffix="", stopped=True) if fits else None
        follow = reduce(int.__or__, (self._positions.follow[position] for position in bits(reached)))
        ends = (text[begin:] for begin in range(len(text)))
        suffix = next((end for end in ends if any(stop.startswith(end) for stop in self._stops)), "")
        return _State(follow, bool(reached & self._last), suffix)


def _classify(members: Sequence[NDArray[np.bool_]], characters: int) -> tuple[Integers, list[int]]:
    """The class of each character, and the place of one character of each class."""
    classes = np.zeros(characters, dtype=np.int64)
    for mask in members:
        classes = 2 * classes + mask
        present = np.bincount(classes) > 0
        classes = (np.cumsum(present) - 1)[classes]
    _, places = np.unique(classes, return_index=True)
    return classes.astype(np.int32), places.tolist()
