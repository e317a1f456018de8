"""Context models of DNA: the frequency of each base after the last k ones, a baseline for a network."""

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError

BASES = "ACGT"
WEIGHTS = (1.0, 4.0, 16.0, 64.0, 256.0)

Bases = NDArray[np.int64]


def encode_bases(sequence: str) -> Bases:
    """Return A, C, G, T as 0 to 3, without other symbols; the complement of b is 3 - b.

    Raises:
        CorpusError: if there are none.
    """
    table = np.full(256, -1, dtype=np.int64)
    table[list(BASES.encode())] = range(4)
    bases = table[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]
    if not (bases >= 0).any():
        raise CorpusError("no A, C, G, T in the sequence: context models are for DNA")
    return bases[bases >= 0]


def measure_bits_per_base(train: Bases, held_out: Bases, order: int, *, both_strands: bool = False) -> float:
    """Return the mean of -log2 p(base | the `order` bases before it) over the held-out sequence.

    The estimate is the counts of the training sequence, smoothed by the estimate of the next shorter context:

        p_k(b | context) = (n(context b) + w p_{k-1}(b | shorter context)) / (n(context) + w),  p_{-1} = 1/4

    (a Dirichlet prior, MacKay and Peto 1995). The weight w is the one that is best on the last tenth of the
    training sequence, with the counts of the rest.

    Args:
        train: the bases to count.
        held_out: the bases after them; the first contexts reach back into `train`.
        order: k.
        both_strands: whether to count the reverse complement of `train` too.
    """
    border = len(train) * 9 // 10
    weight = min(WEIGHTS, key=lambda w: _measure_bits(train[:border], train[border:], order, w, both_strands))
    return _measure_bits(train, held_out, order, weight, both_strands)


def _measure_bits(train: Bases, held_out: Bases, order: int, weight: float, both_strands: bool) -> float:
    strands = [train, 3 - train[::-1]] if both_strands else [train]
    probability = np.full(len(held_out), 0.25)
    for length in range(order + 1):
        counts = np.zeros(4 ** (length + 1), dtype=np.int64)
        for strand in strands:
            counts += np.bincount(_encode_contexts(strand, length) * 4 + strand[length:], minlength=len(counts))
        before = train[len(train) - length :]
        contexts = _encode_contexts(np.concatenate([before, held_out]), length)
        seen = counts.reshape(-1, 4)[contexts]
        own = np.take_along_axis(seen, held_out[:, None], axis=1)[:, 0]
        probability = (own + weight * probability) / (seen.sum(axis=1) + weight)
    return float(-np.log2(probability).mean())


def _encode_contexts(bases: Bases, length: int) -> Bases:
    """Return, for each base but the first `length`, the bases before it as a number in base 4."""
    numbers = np.zeros(len(bases) - length, dtype=np.int64)
    for back in range(length):
        numbers = numbers * 4 + bases[back : back + len(numbers)]
    return numbers
