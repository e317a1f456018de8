"""Adapting a network to a text as a whole: for writing on in its manner, and for scoring what follows it."""

from collections.abc import Iterable, Iterator

import numpy as np

from charrnn.errors import CorpusError
from charrnn.inference.adaptation.adapter import Adapter
from charrnn.inference.network.language import Floats, Network
from charrnn.inference.scoring.lines import split_lines
from charrnn.inference.scoring.texts import NOTHING, OnProgress, Score, readable_ids, sum_scores
from charrnn.text.vocabulary.base import UNKNOWN, Codes, Vocabulary

PIECE = 2**13  # codes between two reports of progress


def adapt_network(
    network: Network, vocabulary: Vocabulary, pieces: Iterable[Codes], progress: OnProgress | None = None
) -> tuple[Network, Score]:
    """A copy of a network that has learned from a text, and the score of the text while it was read.

    The initial state of the copy is that after the text, so that it goes on where the text ends. Where every text is a
    document of its own, each line is one: it begins with the trained initial state, which is kept.

    Args:
        network: not changed.
        vocabulary: its symbols.
        pieces: of the text's codes.
        progress: called with the numbers of codes read and received so far.

    Raises:
        charrnn.errors.CorpusError: if the text holds nothing that the model knows.
    """
    adapter, total = Adapter(network), NOTHING
    documents = vocabulary.end is not None
    read = received = 0
    for text in _lines(vocabulary, pieces) if documents else pieces:
        received += len(text)
        if documents:
            adapter.restart()
        for codes in _cut(text):
            total += sum_scores(vocabulary, [(codes, read_codes(adapter, vocabulary, codes))])
            read += len(codes)
            if progress:
                progress(read, received)
        if vocabulary.end is not None:
            adapter.read(np.array([vocabulary.end], dtype=np.int32))
    if not total.tokens:
        raise CorpusError(f"the text to adapt to holds no {vocabulary.unit} that the model knows")
    return adapter.to_network(carry_state=not documents), total


def _lines(vocabulary: Vocabulary, pieces: Iterable[Codes]) -> Iterator[Codes]:
    """The lines of a text, without their ends."""
    for line in split_lines(vocabulary, pieces):
        yield line[:-1] if line[-1] == vocabulary.line_end else line


def _cut(codes: Codes) -> Iterator[Codes]:
    for begin in range(0, len(codes), PIECE):
        yield codes[begin : begin + PIECE]


def read_codes(adapter: Adapter, vocabulary: Vocabulary, codes: Codes) -> Floats:
    """Read the next codes (n,) of a text, learning from them; returns their nats (n,), NaN for unknown ones."""
    ids, counted = readable_ids(vocabulary, codes)
    known = ids != UNKNOWN
    nats = np.full(len(codes), np.nan, dtype=np.float32)
    nats[known] = adapter.read(ids[known], counted[known])
    nats[~counted] = np.nan
    return nats
