"""Context models of DNA: the share of each base after the last k ones, counted; what a network has to beat."""

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError

BASES = "ACGT"
WEIGHTS = (1.0, 4.0, 16.0, 64.0, 256.0)

Bases = NDArray[np.int64]


def bases_of(sequence: str) -> Bases:
    """A, C, G, T as 0 to 3; all else is left out. The complement of b is 3 - b."""
    table = np.full(256, -1, dtype=np.int64)
    table[list(BASES.encode())] = range(4)
    found = table[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]
    if not (found >= 0).any():
        raise CorpusError("no A, C, G, T in the sequence: context models are for DNA")
    return found[found >= 0]


def bits_per_base(train: Bases, held_out: Bases, order: int, *, both_strands: bool = False) -> float:
    """Mean of -log2 p(base | the `order` bases before it) over the held-out sequence.

    Counts of the training sequence, smoothed by the estimate of the next shorter context:

        p_k(b | context) = (n(context b) + w p_{k-1}(b | shorter context)) / (n(context) + w),  p_{-1} = 1/4

    (a Dirichlet prior, MacKay and Peto 1995). The weight w is the best one for the last tenth of the training
    sequence, counted in the rest of it.

    Args:
        train: what is counted.
        held_out: what follows it; its first contexts reach back into `train`.
        order: k.
        both_strands: whether the reverse complement of `train` is counted too.
    """
    border = len(train) * 9 // 10
    weight = min(WEIGHTS, key=lambda w: _bits(train[:border], train[border:], order, w, both_strands))
    return _bits(train, held_out, order, weight, both_strands)


def _bits(train: Bases, held_out: Bases, order: int, weight: float, both_strands: bool) -> float:
    strands = [train, 3 - train[::-1]] if both_strands else [train]
    probability = np.full(len(held_out), 0.25)
    for length in range(order + 1):
        counts = np.zeros(4 ** (length + 1), dtype=np.int64)
        for strand in strands:
            counts += np.bincount(_contexts(strand, length) * 4 + strand[length:], minlength=len(counts))
        before = train[len(train) - length :]
        asked = _contexts(np.concatenate([before, held_out]), length)
        seen = counts.reshape(-1, 4)[asked]
        own = np.take_along_axis(seen, held_out[:, None], axis=1)[:, 0]
        probability = (own + weight * probability) / (seen.sum(axis=1) + weight)
    return float(-np.log2(probability).mean())


def _contexts(bases: Bases, length: int) -> Bases:
    """For each base but the first `length`: the number that the bases before it spell."""
    numbers = np.zeros(len(bases) - length, dtype=np.int64)
    for back in range(length):
        numbers = numbers * 4 + bases[back : back + len(numbers)]
    return numbers
