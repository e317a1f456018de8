"""From a regular expression to its position automaton.

Each place of the expression that takes one character is a position. A text matches if it leads from a first position
to a last one, each of which may follow the one before (Glushkov, "The abstract theory of automata", 1961). Sets of
positions are integers whose bits are the positions. There are no transitions without a character, and a repetition
`x{0,n}` is built as `(x(x(...)?)?)?`, so that the sets stay small.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Python's own parser and compiler of regular expressions; the module that used to publish them is deprecated.
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]  # isort: skip

from charrnn.errors import PatternError

Members = NDArray[np.bool_]
MOST_POSITIONS = 5_000
TYPE_FLAGS = re.ASCII | re.LOCALE | re.UNICODE  # a group's flag of this kind replaces the one outside
REFUSED = {
    "ASSERT": "a look-around",
    "ASSERT_NOT": "a look-around",
    "FAILURE": "a look-around",
    "GROUPREF": "a back-reference",
    "GROUPREF_IGNORE": "a back-reference",
    "GROUPREF_EXISTS": "a condition on a group",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive quantifier",
}
ANCHORS = {
    "AT_BEGINNING": ("^", 0),
    "AT_BEGINNING_STRING": (r"\A", 0),
    "AT_END": ("$", 1),
    "AT_END_STRING": (r"\Z", 1),
}  # and the end of the expression where each is always true


@dataclass(frozen=True)
class Fragment:
    """A part of the expression: its first and last positions, and whether it matches the empty text."""

    first: int = 0
    last: int = 0
    empty: bool = True


class PositionAutomaton:
    """The positions of an expression over an alphabet.

    Args:
        alphabet: characters in ascending order, each once.

    Attributes:
        members: distinct sets of characters, as masks over the alphabet (A,).
        sets: for each position, the index of its set.
        follow: for each position, the positions that may follow it.
    """

    def __init__(self, alphabet: str) -> None:
        self.alphabet = alphabet
        self.members: list[Members] = []
        self.sets: list[int] = []
        self.follow: list[int] = []
        self._known: dict[tuple[str, int], int] = {}

    def parse(self, pattern: str) -> Fragment:
        """The expression `pattern`, added to the automaton.

        Raises:
            PatternError: if it is not a regular expression, or one that no finite automaton follows, or too large.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of patterns whose meaning may change in later versions of Python
                parsed = _parser.parse(pattern)
            return self._sequence(parsed, parsed.state.flags, (True, True))
        except re.error as error:
            place = "" if error.pos is None else f" at position {error.pos}"
            raise PatternError(f"{pattern!r} is not a regular expression: {error.msg}{place}") from None
        except (RecursionError, OverflowError):
            raise PatternError("the regular expression is nested too deeply, or has too many repetitions") from None

    def add_literal(self, text: str) -> Fragment:
        """A text that matches itself."""
        return self.join([self._take((_constants.LITERAL, ord(character)), 0) for character in text])

    def join(self, parts: Sequence[Fragment]) -> Fragment:
        """Parts that follow each other."""
        return reduce(self._append, parts, Fragment())

    def unite(self, parts: Sequence[Fragment]) -> Fragment:
        """Alternatives."""
        first = reduce(int.__or__, (part.first for part in parts), 0)
        last = reduce(int.__or__, (part.last for part in parts), 0)
        return Fragment(first, last, any(part.empty for part in parts))

    def _append(self, left: Fragment, right: Fragment) -> Fragment:
        for position in bits(left.last):
            self.follow[position] |= right.first
        return Fragment(
            left.first | (right.first if left.empty else 0),
            right.last | (left.last if right.empty else 0),
            left.empty and right.empty,
        )

    def _sequence(self, items: Any, flags: int, edges: tuple[bool, bool]) -> Fragment:
        """Items after each other; `edges` says whether the expression begins and ends with them."""
        items = list(items)
        takes = [str(operation) != "AT" for operation, _ in items]
        parts = []
        for place, (operation, argument) in enumerate(items):
            own = edges[0] and not any(takes[:place]), edges[1] and not any(takes[place + 1 :])
            parts.append(self._item(operation, argument, flags, own))
        return self.join(parts)

    def _item(self, operation: Any, argument: Any, flags: int, edges: tuple[bool, bool]) -> Fragment:
        build: dict[str, Callable[[], Fragment]] = {
            **dict.fromkeys(("LITERAL", "NOT_LITERAL", "ANY", "IN"), lambda: self._take((operation, argument), flags)),
            **dict.fromkeys(("MAX_REPEAT", "MIN_REPEAT"), lambda: self._repeat(argument, flags)),
            "SUBPATTERN": lambda: self._group(argument, flags, edges),
            "BRANCH": lambda: self.unite([self._sequence(branch, flags, edges) for branch in argument[1]]),
            "AT": lambda: self._anchor(str(argument), edges),
        }
        name = str(operation)
        if name not in build:
            what = REFUSED.get(name, f"the construct {name.lower()}")
            raise PatternError(f"the regular expression contains {what}, which is not supported; leave it out")
        return build[name]()

    def _group(self, argument: Any, flags: int, edges: tuple[bool, bool]) -> Fragment:
        _, added, removed, items = argument
        if added & TYPE_FLAGS:
            flags &= ~TYPE_FLAGS
        return self._sequence(items, (flags | added) & ~removed, edges)

    def _anchor(self, name: str, edges: tuple[bool, bool]) -> Fragment:
        sign, edge = ANCHORS.get(name, (r"\b or \B", None))
        if edge is None or not edges[edge]:
            where = "" if edge is None else f", except at its {('beginning', 'end')[edge]}"
            raise PatternError(f"the regular expression contains {sign}, which is not supported{where}; leave it out")
        return Fragment()

    def _repeat(self, argument: tuple[int, Any, Any], flags: int) -> Fragment:
        least, most, items = argument

        def copy() -> Fragment:
            return self._sequence(items, flags, (False, False))

        if not (first := copy()).first:
            return first  # it takes no character, however often it is repeated
        required = [first, *(copy() for _ in range(least - 1))] if least else []
        if most is _constants.MAXREPEAT:
            loop = required[-1] if required else first
            self._append(loop, loop)
            return self.join(required) if required else Fragment(loop.first, loop.last)
        optional = Fragment()
        copies = [copy() for _ in range(most - least)] if required else [first, *(copy() for _ in range(most - 1))]
        for each in reversed(copies):
            whole = self._append(each, optional)
            optional = Fragment(whole.first, whole.last)
        return self.join([*required, optional])

    def _take(self, item: tuple[Any, Any], flags: int) -> Fragment:
        """A new position for an item that takes one character."""
        if len(self.sets) == MOST_POSITIONS:
            raise PatternError(
                f"the regular expression is longer than {MOST_POSITIONS:,} characters when its repetitions are "
                "written out; use fewer repetitions"
            )
        key = repr(item), int(flags)
        if key not in self._known:
            self._known[key] = len(self.members)
            self.members.append(self._evaluate(item, flags))
        self.sets.append(self._known[key])
        self.follow.append(0)
        position = 1 << (len(self.sets) - 1)
        return Fragment(position, position, empty=False)

    def _evaluate(self, item: tuple[Any, Any], flags: int) -> Members:
        """The characters that an item takes, by matching it with the alphabet."""
        state = _parser.State()
        repeated = (_constants.MAX_REPEAT, (1, _constants.MAXREPEAT, _parser.SubPattern(state, [item])))
        matcher = _compiler.compile(_parser.SubPattern(state, [repeated]), flags)
        members = np.zeros(len(self.alphabet), dtype=np.bool_)
        for run in matcher.finditer(self.alphabet):
            members[run.start() : run.end()] = True
        return members


def bits(positions: int) -> Iterator[int]:
    """The positions of a set."""
    while positions:
        lowest = positions & -positions
        yield lowest.bit_length() - 1
        positions ^= lowest
