"""Adapting a network to a text as a whole: for writing on in its manner, and for scoring what follows it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from charrnn.errors import CorpusError
from charrnn.inference.adaptation.mixture import AdaptedScorer
from charrnn.inference.network.language import Floats, Network
from charrnn.inference.scoring.lines import score_line_tokens, split_lines
from charrnn.inference.scoring.texts import OnProgress, Score, score_text, sum_columns
from charrnn.text.vocabulary.base import Codes, Vocabulary

PIECE = 2**13  # codes between two reports of progress


@dataclass(frozen=True)
class Adaptation:
    """The result of reading a text.

    Attributes:
        network: a copy that has learned from it.
        trained: the score of the text under the network as trained.
        adapted: the score of the text while it was learned from.
    """

    network: Network
    trained: Score
    adapted: Score


def adapt_network(
    network: Network, vocabulary: Vocabulary, pieces: Iterable[Codes], progress: OnProgress | None = None
) -> Adaptation:
    """Let a copy of a network learn from a text that comes as pieces of codes.

    The copy keeps what it has learned as far as that helped while reading (`AdaptedScorer.mean_weight`). Its initial
    state is the one after the text, so that it goes on where the text ends; but if texts have an end symbol, each line
    is a text of its own, and the initial state stays.

    Raises:
        charrnn.errors.CorpusError: if the text holds nothing that the model knows.
    """
    scorer = AdaptedScorer(network, vocabulary)
    if vocabulary.end is None:
        blocks = score_stream(scorer, score_text(network, vocabulary, pieces), progress)
    else:
        blocks = _score_documents(scorer, network, vocabulary, pieces)
    trained, adapted = sum_columns(vocabulary, blocks, 2)
    if not trained.tokens:
        raise CorpusError(f"the text to adapt to contains no {vocabulary.unit} that the model knows")
    copy = scorer.adapter.to_network(share=scorer.mean_weight, carry_state=vocabulary.end is None)
    return Adaptation(copy, trained, adapted)


def score_stream(
    scorer: AdaptedScorer, blocks: Iterable[tuple[Codes, Floats]], progress: OnProgress | None = None
) -> Iterator[tuple[Codes, Floats, Floats]]:
    """Score a text that comes as blocks of codes (n,) and their nats (n,) under the network as trained.

    Yields smaller blocks, with the adapted nats (n,) added. `progress` is called with the numbers of codes scored and
    received so far.
    """
    scored = received = 0
    for codes, trained in blocks:
        received += len(codes)
        for begin in range(0, len(codes), PIECE):
            part = slice(begin, begin + PIECE)
            yield codes[part], trained[part], scorer.score(codes[part], trained[part])
            scored += len(codes[part])
            if progress:
                progress(scored, received)


def _score_documents(
    scorer: AdaptedScorer, network: Network, vocabulary: Vocabulary, pieces: Iterable[Codes]
) -> Iterator[tuple[Codes, Floats, Floats]]:
    """As `score_stream`, each line on its own, without its line end but with the end of a text."""
    lines = (line[:-1] if line[-1] == vocabulary.line_end else line for line in split_lines(vocabulary, pieces))
    for codes, trained in score_line_tokens(network, vocabulary, lines):
        scorer.adapter.restart()
        yield codes, trained, scorer.score(codes, trained)
        scorer.adapter.read(np.array([vocabulary.end], dtype=np.int32))
