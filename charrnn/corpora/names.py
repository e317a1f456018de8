"""Lists of names, one a line."""

import random
from collections.abc import Iterable, Iterator


def names(lines: Iterable[str], seed: int = 0) -> Iterator[str]:
    """Each different name once, in random order, so that the held-out end is of the same kind as the rest.

    Args:
        lines: a name each; of a line with tabs, what follows the last one.
        seed: of the order.
    """
    found = {name: None for line in lines if (name := line.rpartition("\t")[2].strip())}
    order = list(found)
    random.Random(seed).shuffle(order)
    for name in order:
        yield name + "\n"
