"""Scoring lines, each for itself from a fresh state: which is the least like the others?

The line's end counts as one of its characters where there is one: a line that breaks off in the middle is a
surprise too, and the characters of all lines add up to those of the text.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from charrnn.inference.network.cores import on_all_cores
from charrnn.inference.network.language import Floats, Network
from charrnn.inference.scoring.texts import Score, chunk_steps, readable, score, surprise, target_nats
from charrnn.text.vocabulary.base import UNKNOWN, Codes, Ids, Vocabulary

WINDOW = 2**19  # characters of lines that are sorted by length together
BESIDE = 256  # lines that are read side by side
LONG = 2**15  # characters of a line that is read like a text, in pieces


def lines_of(vocabulary: Vocabulary, pieces: Iterable[Codes]) -> Iterator[Codes]:
    """The lines of a text that comes as pieces of codes, their line ends included."""
    waiting: list[Codes] = []
    for piece in pieces:
        begin = 0
        for end in np.flatnonzero(piece == vocabulary.line_end) + 1:
            yield np.concatenate([*waiting, piece[begin:end]])
            waiting, begin = [], int(end)
        if begin < len(piece):
            waiting.append(piece[begin:])
    if waiting:
        yield np.concatenate(waiting)


def score_lines(network: Network, vocabulary: Vocabulary, lines: Iterable[Codes]) -> Iterator[tuple[Codes, Score]]:
    """Each line with its score, in the order in which they come."""
    for window in _windows(lines):
        read = [readable(vocabulary, line) for line in window]
        known = [ids[ids != UNKNOWN] for ids, _ in read]
        for line, (ids, counted), found in zip(window, read, surprises(network, known), strict=True):
            nats = np.full(len(line), np.nan, dtype=np.float32)
            nats[ids != UNKNOWN] = found
            nats[~counted] = np.nan
            yield line, score(vocabulary, [(line, nats)])


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


def surprises(network: Network, lines: Sequence[Ids]) -> list[Floats]:
    """The surprise of each line's characters; lines of similar length are read side by side."""
    order = sorted(range(len(lines)), key=lambda k: len(lines[k]))
    found: list[Floats] = [np.empty(0, dtype=np.float32)] * len(lines)
    short = [k for k in order if len(lines[k]) <= LONG]
    groups = [short[begin : begin + BESIDE] for begin in range(0, len(short), BESIDE)]
    by_group = on_all_cores(lambda group: _beside(network, [lines[k] for k in group]), groups)
    for group, nats in zip(groups, by_group, strict=True):
        for k, of_line in zip(group, nats, strict=True):
            found[k] = of_line
    for k in order[len(short) :]:
        found[k] = surprise(network, lines[k])
    return found


def _beside(network: Network, lines: Sequence[Ids]) -> list[Floats]:
    """Lines read side by side; the shorter ones are filled up with what is not counted."""
    reach = max(map(len, lines))
    columns = np.zeros((reach, len(lines)), dtype=np.int32)  # (T, B)
    for k, line in enumerate(lines):
        columns[: len(line), k] = line
    nats = np.empty(columns.shape, dtype=np.float32)
    state = network.initial_state(len(lines))
    before = state.hidden[-1][None].copy()
    step = chunk_steps(network, len(lines))
    for begin in range(0, reach, step):
        chunk = columns[begin : begin + step]
        after = network.read(chunk, state)
        nats[begin : begin + step] = target_nats(network.logits(np.concatenate([before, after[:-1]])), chunk)
        before = after[-1:]
    return [nats[: len(line), k] for k, line in enumerate(lines)]
