"""From transitions by characters to transitions by a model's symbols.

A symbol of several characters, such as a word, leads where its characters lead one after the other. A byte is part of
a character's UTF-8: after the first bytes of a character there are states of their own. Their number stays small
because beginnings with the same continuations share one, as in a minimal automaton.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.generation.constraint.automaton import DEAD, Automaton
from charrnn.inference.generation.constraint.tracking import Integers
from charrnn.text.vocabulary.base import CODE_POINTS, Vocabulary

SURROGATES = (0xD800, 0xE000)
UTF8 = ((0x80, 0x00), (0x800, 0xC0), (0x10000, 0xE0), (CODE_POINTS, 0xF0))  # by length: first code point beyond, mark


@dataclass(frozen=True)
class Transitions:
    """Where symbols lead. Symbols that always lead to the same states have one column.

    Attributes:
        next: the state (S, D) that the symbols of a column lead to, or `DEAD`.
        cost: the length (D,) of these symbols in characters.
        columns: the column (V,) of each symbol.
    """

    next: Integers
    cost: Integers
    columns: Integers


def get_alphabet(vocabulary: Vocabulary) -> str:
    """The characters that texts of the model can have, in ascending order."""
    if not vocabulary.binary:
        return "".join(sorted({character for text in get_texts(vocabulary) for character in text or ""}))
    present = np.zeros(256, dtype=np.bool_)
    present[[code for index, code in enumerate(vocabulary.codes) if index not in vocabulary.marks.values()]] = True
    codes = np.arange(CODE_POINTS if present[0xC2:].any() else 0x80)
    possible = (codes < SURROGATES[0]) | (codes >= SURROGATES[1])
    begin = 0
    for count, (stop, mark) in enumerate(UTF8):  # count: bytes after the first
        part = codes[begin:stop]
        possible[begin:stop] &= present[mark | (part >> 6 * count)]
        for place in range(count):
            possible[begin:stop] &= present[0x80 | ((part >> 6 * place) & 0x3F)]
        begin = stop
    return codes[possible].astype("<u4").tobytes().decode("utf-32-le")


def get_texts(vocabulary: Vocabulary) -> list[str | None]:
    """The text of each symbol; None for those that stand for no text."""
    marks = vocabulary.marks.values()
    return [None if index in marks else text for index, text in enumerate(vocabulary.to_strings(vocabulary.codes))]


def expand(automaton: Automaton, vocabulary: Vocabulary) -> Transitions:
    """Transitions by symbols; the first states are those of the automaton, others are not accepting."""
    if not vocabulary.binary:
        return walk(automaton, get_texts(vocabulary), np.arange(len(automaton.next), dtype=np.int32))
    rows = _expand_bytes(automaton)
    return Transitions(rows, np.ones(256, dtype=np.int32), vocabulary.codes.astype(np.int32))


def walk(automaton: Automaton, texts: Sequence[str | None], states: Integers) -> Transitions:
    """The transitions by texts from some states (S,); None leads nowhere."""
    numbers = dict(zip(automaton.alphabet, automaton.classes.tolist(), strict=True))
    paths = [None if text is None else tuple(map(numbers.__getitem__, text)) for text in texts]
    places = {path: place for place, path in enumerate(dict.fromkeys(paths))}
    dead = len(automaton.next)  # as a row of its own, which leads to itself
    table = np.pad(automaton.next, ((0, 1), (0, 0)), constant_values=DEAD)
    table[table == DEAD] = dead
    reached = np.empty((len(states), len(places)), dtype=np.int32)
    for path, place in places.items():
        state = states if path is not None else np.full_like(states, dead)
        for step in path or ():
            state = table[state, step]
        reached[:, place] = state
    reached[reached == dead] = DEAD
    cost = np.array([len(path or ()) for path in places], dtype=np.int32)
    return Transitions(reached, cost, np.array([places[path] for path in paths], dtype=np.int32))


def _expand_bytes(automaton: Automaton) -> Integers:
    """The state (S, 256) that each byte leads to."""
    codes = np.frombuffer(automaton.alphabet.encode("utf-32-le"), dtype="<u4").astype(np.int64)
    rows = [np.full((len(automaton.next), 256), DEAD, dtype=np.int32)]
    begin = 0
    for count, (stop, mark) in enumerate(UTF8):
        places = np.flatnonzero((codes >= begin) & (codes < stop))
        left, begin = codes[places], stop
        # What follows `left`: first a character's class, then one of the distinct tables of continuations.
        what, reached = automaton.classes[places].astype(np.int64), automaton.next
        for _ in range(count):
            shorter, group = np.unique(left >> 6, return_inverse=True)
            continuations = np.full((len(shorter), 64), reached.shape[1], dtype=np.int32)
            continuations[group, left & 0x3F] = what
            left = shorter
            distinct, what = _unique_rows(continuations)
            reached = _add_rows(rows, np.pad(reached, ((0, 0), (0, 1)), constant_values=DEAD)[:, distinct])
        rows[0][:, mark | left] = reached[:, what]
    return np.concatenate(rows)


def _add_rows(rows: list[Integers], reached: Integers) -> Integers:
    """Add states for continuations that lead to `reached` (S, N, 64); returns which state each is (S, N)."""
    distinct, inverse = _unique_rows(reached.reshape(-1, 64))
    alive = (distinct != DEAD).any(axis=1)
    added = np.full((int(alive.sum()), 256), DEAD, dtype=np.int32)
    added[:, 0x80:0xC0] = distinct[alive]
    numbers = np.where(alive, sum(map(len, rows)) + np.cumsum(alive) - 1, DEAD).astype(np.int32)
    rows.append(added)
    return numbers[inverse].reshape(reached.shape[:2])


def _unique_rows(rows: Integers) -> tuple[Integers, NDArray[np.int64]]:
    """The distinct rows of a table (N, K), and which of them each row is (N,)."""
    places: dict[bytes, int] = {}
    inverse = np.array([places.setdefault(row.tobytes(), len(places)) for row in rows], dtype=np.int64)
    return np.frombuffer(b"".join(places), dtype=rows.dtype).reshape(len(places), rows.shape[1]), inverse
