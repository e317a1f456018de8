"""A regular expression as tables over a model's symbols: what may follow, and how much a match still needs.

In a state that is no match, only symbols after which a match can still be completed in time have a probability. In a
state that is a match, the model chooses freely; if it chooses a symbol that cannot continue the match, the text ends
before it. So the probability of ending is the model's own probability of everything that cannot follow: a word ends
where the model would write a space, a line where it would write a line end.
"""

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import PatternError
from charrnn.inference.generation.constraint.automaton import DEAD, Automaton, build_automaton
from charrnn.inference.generation.constraint.symbols import Transitions, expand, get_alphabet, get_texts, walk
from charrnn.inference.generation.constraint.tracking import IMPOSSIBLE, Constraint, Integers
from charrnn.text.vocabulary.base import Vocabulary
from charrnn.wording import count_of

MOST_ENTRIES = 2**25  # of a table
ROW_UNIT = 16  # rows are padded to a multiple of it, the most lanes of a vector
MOST_SHOWN = 5  # characters in a message


def build_constraint(
    pattern: str, vocabulary: Vocabulary, length: int, *, stops: Sequence[bytes] = (), prefix: bytes = b""
) -> Constraint:
    """The tables for texts that match `pattern` in full and have at most `length` characters.

    Args:
        pattern: a regular expression in Python's syntax.
        vocabulary: the model's.
        length: the most characters (of bytes: bytes).
        stops: strings that end a text; what precedes the first one is the text.
        prefix: beginning of a word that the first symbol has to complete; not part of the text.

    Raises:
        PatternError: if it is not a regular expression, one that generation cannot follow, too large, or one that no
            text of this model and length matches.
    """
    alphabet = get_alphabet(vocabulary)
    texts = [stop.decode("utf-8", "surrogateescape") for stop in stops]
    possible = [text for text in texts if set(text) <= set(alphabet)]
    automaton = build_automaton(pattern, alphabet, possible)
    _check_size(len(automaton.next), vocabulary)
    transitions = expand(automaton, vocabulary)
    states = len(transitions.next)
    _check_size(states, vocabulary)
    accepting = np.zeros(states, dtype=np.bool_)
    accepting[: len(automaton.accepting)] = automaton.accepting
    shortest = _measure(transitions, accepting)
    if prefix:
        first = _complete(automaton, vocabulary, prefix.decode("utf-8"))
        least = int(_add_costs(first, shortest).min(initial=IMPOSSIBLE))
    else:
        first, least = None, int(shortest[0])
    if least > length:
        raise PatternError(_explain(pattern, alphabet, least, length, prefix))
    return _lay_out(transitions, first, shortest, accepting, tuple(text.encode("utf-8") for text in possible))


def _check_size(states: int, vocabulary: Vocabulary) -> None:
    if states * len(vocabulary) > MOST_ENTRIES:
        raise PatternError(
            f"the regular expression needs {states:,} states; with a model of {len(vocabulary):,} {vocabulary.units}, "
            f"it can have {MOST_ENTRIES // len(vocabulary):,}; use fewer repetitions"
        )


def _complete(automaton: Automaton, vocabulary: Vocabulary, prefix: str) -> Transitions:
    """The transitions from the start by the rest of each word that begins with `prefix`."""
    rests = [text[len(prefix) :] if text and text.startswith(prefix) else None for text in get_texts(vocabulary)]
    return walk(automaton, rests, np.zeros(1, dtype=np.int32))


def _measure(transitions: Transitions, accepting: NDArray[np.bool_]) -> Integers:
    """Characters (S,) of the shortest way to an accepting state, by Dijkstra's algorithm from the accepting states."""
    before: list[dict[int, int]] = [{} for _ in accepting]  # for each state, those that lead to it, and how far
    costs = transitions.cost.tolist()
    for state, row in enumerate(transitions.next.tolist()):
        for target, characters in zip(row, costs, strict=True):
            if target != DEAD:
                before[target][state] = min(before[target].get(state, IMPOSSIBLE), characters)
    shortest = np.full(len(accepting), IMPOSSIBLE, dtype=np.int32)
    queue = [(0, int(state)) for state in np.flatnonzero(accepting)]
    while queue:
        characters, state = heapq.heappop(queue)
        if characters < shortest[state]:
            shortest[state] = characters
            for source, more in before[state].items():
                heapq.heappush(queue, (characters + more, source))
    return shortest


def _add_costs(transitions: Transitions, shortest: Integers) -> Integers:
    """Characters (S, D) of the shortest way to a match by the symbols of a column, their own included."""
    after = np.append(shortest, IMPOSSIBLE)[transitions.next].astype(np.int64)  # the last entry is that of DEAD
    return np.where(after == IMPOSSIBLE, IMPOSSIBLE, after + transitions.cost).astype(np.int32)


def _lay_out(
    transitions: Transitions,
    first: Transitions | None,
    shortest: Integers,
    accepting: NDArray[np.bool_],
    stops: tuple[bytes, ...],
) -> Constraint:
    """The constraint's tables; its states are those on the way from the start to a match."""
    needed = _add_costs(transitions, shortest)
    start = len(shortest)
    waiting = [0]
    if first is not None:
        waiting = first.next[_add_costs(first, shortest) != IMPOSSIBLE].tolist()
    states = set(waiting)
    while waiting:
        state = waiting.pop()
        further = set(transitions.next[state, needed[state] != IMPOSSIBLE].tolist()) - states
        states |= further
        waiting += further
    order = sorted(states)
    numbers = np.full(start + 1, DEAD, dtype=np.int32)  # the last entry is that of DEAD
    numbers[order] = np.arange(len(order))
    symbols, extra = len(transitions.columns), int(first is not None)
    shape = len(order) + extra, -(-symbols // ROW_UNIT) * ROW_UNIT
    tables = Constraint(
        start=len(order) if extra else 0,
        next=np.full(shape, DEAD, dtype=np.int32),
        needed=np.full(shape, IMPOSSIBLE, dtype=np.int32),
        shortest=np.append(shortest[order], np.full(extra, IMPOSSIBLE, dtype=np.int32)),
        accepting=np.append(accepting[order], np.zeros(extra, dtype=np.bool_)).astype(np.uint8),
        stops=stops,
    )
    tables.next[: len(order), :symbols] = numbers[transitions.next[order]][:, transitions.columns]
    tables.needed[: len(order), :symbols] = needed[order][:, transitions.columns]
    if first is not None:
        tables.next[-1, :symbols] = numbers[first.next[0]][first.columns]
        tables.needed[-1, :symbols] = _add_costs(first, shortest)[0, first.columns]
    return tables


def _explain(pattern: str, alphabet: str, shortest: int, length: int, prefix: bytes) -> str:
    """Why no text can match."""
    if shortest < IMPOSSIBLE:
        least = count_of(shortest, "character")
        return f"the shortest text that matches {pattern!r} has {least}, more than --length {length:,}"
    if prefix:
        ending = prefix.decode("utf-8")
        return f"the prime ends with {ending!r}, and no word of the model that begins like this matches {pattern!r}"
    strange = [character for character in dict.fromkeys(pattern) if character not in alphabet and character.isalnum()]
    lacking = f"; it has never seen {', '.join(map(repr, strange[:MOST_SHOWN]))}" if strange else ""
    return f"no text that the model can generate matches {pattern!r}{lacking}"
