"""The language of nested brackets: `( ) 1 2 3 4`, and inside a bracket nothing but the digit of its depth.

A language that needs a counter and nothing else, and that a program can check:

    (11(222(3)2)1)      accepted
    (11(22(1)2)1)       refused at the third digit 1: its depth is 3
"""

import random
from collections.abc import Iterator

DEPTH = 4


def brackets(length: int = 400_000, seed: int = 0, *, lines: bool = False) -> Iterator[str]:
    """A random text of the language, closed at its end, symbol by symbol.

    Args:
        length: symbols, before those that close it.
        seed: the same seed gives the same text.
        lines: whether each outermost bracket has a line of its own.
    """
    draw = random.Random(seed)
    depth = 0
    for _ in range(length):
        chance = draw.random()
        if depth and chance < 0.55:
            yield str(depth)
        elif depth == 0 or (chance < 0.78 and depth < DEPTH):
            depth += 1
            yield "("
        else:
            depth -= 1
            yield ")\n" if lines and not depth else ")"
    yield ")" * depth + ("\n" if lines and depth else "")


def refused_at(text: str) -> int | None:
    """Where a text leaves the language, or None where it does not: its length if it ends inside a bracket.

    >>> refused_at("(1(22)1)"), refused_at("(1(21)1)"), refused_at("(1(2")
    (None, 4, 4)
    """
    depth = 0
    for place, symbol in enumerate(text):
        if symbol == "(" and depth < DEPTH:
            depth += 1
        elif symbol == ")" and depth:
            depth -= 1
        elif not depth or symbol != str(depth):
            return place
    return len(text) if depth else None
