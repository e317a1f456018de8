"""A formal language of nested brackets, `( ) 1 2 3 4`: inside a bracket, only the digit of the current depth may occur.

Recognizing it takes a counter and nothing else, and a program can check every string:

    (11(222(3)2)1)      in the language
    (11(22(1)2)1)       not in the language: the digit after the third bracket must be 3
"""

import random
from collections.abc import Iterator

MAX_DEPTH = 4


def generate_brackets(length: int = 400_000, seed: int = 0, *, lines: bool = False) -> Iterator[str]:
    """Yield a random string of the language symbol by symbol, all brackets closed at its end.

    Brackets that are open after `length` symbols are closed. `lines` ends the line after each outermost bracket.
    """
    draw = random.Random(seed)
    depth = 0
    for _ in range(length):
        chance = draw.random()
        if depth and chance < 0.55:
            yield str(depth)
        elif depth == 0 or (chance < 0.78 and depth < MAX_DEPTH):
            depth += 1
            yield "("
        else:
            depth -= 1
            yield ")\n" if lines and not depth else ")"
    yield ")" * depth + ("\n" if lines and depth else "")


def find_error(text: str) -> int | None:
    """Return the index of the first symbol that violates the grammar, or None if the text is in the language.

    The index is the text's length if the text ends inside a bracket.

    >>> find_error("(1(22)1)"), find_error("(1(21)1)"), find_error("(1(2")
    (None, 4, 4)
    """
    depth = 0
    for index, symbol in enumerate(text):
        if symbol == "(" and depth < MAX_DEPTH:
            depth += 1
        elif symbol == ")" and depth:
            depth -= 1
        elif not depth or symbol != str(depth):
            return index
    return len(text) if depth else None
