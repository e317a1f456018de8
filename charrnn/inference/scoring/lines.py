"""Scoring lines, each on its own from the initial state, to find those that are least like the others.

The line end, where there is one, counts as a character of its line: so a line that breaks off in the middle is
penalized too, and the characters of all lines add up to those of the text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from charrnn.inference.network.cores import map_parallel
from charrnn.inference.network.language import Floats, Network
from charrnn.inference.scoring.scorer import Scorer, make_scorers
from charrnn.inference.scoring.texts import Score, batch_by_size, check_losses, score_ids, sum_scores
from charrnn.text.reading import check_line_length
from charrnn.text.vocabulary.base import UNKNOWN, Codes, Ids, Vocabulary

WINDOW = 2**19  # characters of lines that are sorted by length together
BATCH = 256  # sequences that are read side by side
LONG = 2**15  # tokens; a longer sequence is read in pieces, like a text


def split_lines(vocabulary: Vocabulary, pieces: Iterable[Codes]) -> Iterator[Codes]:
    """The lines of a text that comes as pieces of codes, their line ends included; CorpusError if one is too long."""
    line: list[Codes] = []
    for piece in pieces:
        begin = 0
        for end in np.flatnonzero(piece == vocabulary.line_end) + 1:
            yield np.concatenate([*line, piece[begin:end]])
            line, begin = [], int(end)
        if begin < len(piece):
            line.append(piece[begin:])
            check_line_length(sum(map(len, line)))
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
    for window in batch_by_size(lines, WINDOW):
        read = [vocabulary.readable_ids(line) for line in window]
        known = [ids[ids != UNKNOWN] for ids, _ in read]
        for line, (ids, counted), losses in zip(window, read, score_sequences(network, known), strict=True):
            nats = np.full(len(line), np.nan, dtype=np.float32)
            nats[ids != UNKNOWN] = losses
            nats[~counted] = np.nan
            yield line, nats


def split_documents(vocabulary: Vocabulary, pieces: Iterable[Codes]) -> Iterator[Codes]:
    """The lines of a text as documents: their line ends become ends of documents, unless documents hold line ends."""
    lines = split_lines(vocabulary, pieces)
    if vocabulary.encode("\n")[0] not in (UNKNOWN, vocabulary.unknown):
        yield from lines
        return
    (end,) = vocabulary.tokenize("\0")
    for line in map(np.copy, lines):
        line[line == vocabulary.line_end] = end
        yield line


def score_sequences(network: Network, sequences: Sequence[Ids]) -> list[Floats]:
    """-ln p of each id (n,) of each sequence; sequences of similar length are read side by side."""
    order = sorted(range(len(sequences)), key=lambda k: len(sequences[k]))
    results: list[Floats] = [np.empty(0, dtype=np.float32)] * len(sequences)
    short = [k for k in order if len(sequences[k]) <= LONG]
    batches = [short[begin : begin + BATCH] for begin in range(0, len(short), BATCH)]
    make_scorer = make_scorers(network)
    batch_nats = map_parallel(lambda batch: _score_batch(make_scorer, [sequences[k] for k in batch]), batches)
    for batch, nats in zip(batches, batch_nats, strict=True):
        for k, losses in zip(batch, nats, strict=True):
            results[k] = losses
    for k in order[len(short) :]:
        results[k] = score_ids(network, sequences[k])
    return results


def _score_batch(make_scorer: Callable[[int], Scorer], sequences: Sequence[Ids]) -> list[Floats]:
    """-ln p of each id (n,) of each sequence, padded to the longest."""
    reach = max(map(len, sequences))
    columns = np.zeros((reach, len(sequences)), dtype=np.int32)  # (T, B)
    for k, ids in enumerate(sequences):
        columns[: len(ids), k] = ids
    nats = np.empty(columns.shape, dtype=np.float32)
    scorer = make_scorer(len(sequences))
    for begin in range(0, reach, scorer.steps):
        nats[begin : begin + scorer.steps] = scorer.read(columns[begin : begin + scorer.steps])
    return [check_losses(nats[: len(ids), k]) for k, ids in enumerate(sequences)]
