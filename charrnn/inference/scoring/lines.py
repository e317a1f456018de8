"""Scoring lines, each on its own from the initial state, to find those that are least like the others.

The line end, where there is one, counts as a character of its line: so a line that breaks off in the middle is
penalized too, and the characters of all lines add up to those of the text.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from charrnn.inference.network.cores import map_parallel
from charrnn.inference.network.language import Floats, Network
from charrnn.inference.scoring.texts import Score, chunk_steps, cross_entropy, readable_ids, score_ids, sum_scores
from charrnn.text.vocabulary.base import UNKNOWN, Codes, Ids, Vocabulary

WINDOW = 2**19  # characters of lines that are sorted by length together
BATCH = 256  # sequences that are read side by side
LONG = 2**15  # tokens; a longer sequence is read in pieces, like a text


def split_lines(vocabulary: Vocabulary, pieces: Iterable[Codes]) -> Iterator[Codes]:
    """The lines of a text that comes as pieces of codes, their line ends included."""
    line: list[Codes] = []
    for piece in pieces:
        begin = 0
        for end in np.flatnonzero(piece == vocabulary.line_end) + 1:
            yield np.concatenate([*line, piece[begin:end]])
            line, begin = [], int(end)
        if begin < len(piece):
            line.append(piece[begin:])
    if line:
        yield np.concatenate(line)


def score_lines(network: Network, vocabulary: Vocabulary, lines: Iterable[Codes]) -> Iterator[tuple[Codes, Score]]:
    """Yields each line with its score, in the order of the lines."""
    for line, nats in score_line_tokens(network, vocabulary, lines):
        yield line, sum_scores(vocabulary, [(line, nats)])


def score_line_tokens(
    network: Network, vocabulary: Vocabulary, lines: Iterable[Codes]
) -> Iterator[tuple[Codes, Floats]]:
    """Yields each line's codes (n,) with their nats (n,), NaN for unknown ones, in the order of the lines."""
    for window in _windows(lines):
        read = [readable_ids(vocabulary, line) for line in window]
        known = [ids[ids != UNKNOWN] for ids, _ in read]
        for line, (ids, counted), losses in zip(window, read, score_sequences(network, known), strict=True):
            nats = np.full(len(line), np.nan, dtype=np.float32)
            nats[ids != UNKNOWN] = losses
            nats[~counted] = np.nan
            yield line, nats


def _windows(lines: Iterable[Codes]) -> Iterator[list[Codes]]:
    window: list[Codes] = []
    chars = 0
    for line in lines:
        window.append(line)
        chars += len(line)
        if chars >= WINDOW:
            yield window
            window, chars = [], 0
    if window:
        yield window


def score_sequences(network: Network, sequences: Sequence[Ids]) -> list[Floats]:
    """-ln p of each id (n,) of each sequence; sequences of similar length are read side by side."""
    order = sorted(range(len(sequences)), key=lambda k: len(sequences[k]))
    results: list[Floats] = [np.empty(0, dtype=np.float32)] * len(sequences)
    short = [k for k in order if len(sequences[k]) <= LONG]
    batches = [short[begin : begin + BATCH] for begin in range(0, len(short), BATCH)]
    batch_nats = map_parallel(lambda batch: _score_batch(network, [sequences[k] for k in batch]), batches)
    for batch, nats in zip(batches, batch_nats, strict=True):
        for k, losses in zip(batch, nats, strict=True):
            results[k] = losses
    for k in order[len(short) :]:
        results[k] = score_ids(network, sequences[k])
    return results


def _score_batch(network: Network, sequences: Sequence[Ids]) -> list[Floats]:
    """-ln p of each id (n,) of each sequence, padded to the longest."""
    reach = max(map(len, sequences))
    columns = np.zeros((reach, len(sequences)), dtype=np.int32)  # (T, B)
    for k, ids in enumerate(sequences):
        columns[: len(ids), k] = ids
    nats = np.empty(columns.shape, dtype=np.float32)
    state = network.initial_state(len(sequences))
    before = state.hidden[-1][None].copy()
    step = chunk_steps(network, len(sequences))
    for begin in range(0, reach, step):
        chunk = columns[begin : begin + step]
        after = network.read(chunk, state)
        nats[begin : begin + step] = cross_entropy(network.logits(np.concatenate([before, after[:-1]])), chunk)
        before = after[-1:]
    return [nats[: len(ids), k] for k, ids in enumerate(sequences)]
