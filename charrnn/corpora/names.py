"""Lists of names, one per line."""

import random
from collections.abc import Iterable, Iterator


def read_names(lines: Iterable[str], seed: int = 0) -> Iterator[str]:
    """Yield each distinct name once, in random order, so that the held-out end is of the same kind as the rest.

    Args:
        lines: one name each; of a line with tabs, the last column.
        seed: of the order.
    """
    names = list({name: None for line in lines if (name := line.rpartition("\t")[2].strip())})
    random.Random(seed).shuffle(names)
    for name in names:
        yield name + "\n"
