"""A network as trained and a copy that learns, mixed: what the copy has learned counts as far as it has helped.

Learning from a text does not always help: headlines in random order teach nothing about the next one. So the
probability of a token is a mixture of two, weighted by how well each has predicted the tokens before it, which costs
little more than the better one alone (fixed share, Herbster and Warmuth 1998):

    p = (1 - a) * p_trained + a * p_learned;     a' = (1 - SHARE) * a * p_learned / p + SHARE / 2

Every weight comes from earlier tokens alone, so p is still a prediction.
"""

import numpy as np

from charrnn.inference.adaptation.adapter import Adapter
from charrnn.inference.network.language import Floats, Network
from charrnn.text.vocabulary.base import UNKNOWN, Codes, Vocabulary

SHARE = 0.001


class AdaptedScorer:
    """Scores the tokens of texts under the mixture.

    Args:
        network: as trained.
        vocabulary: its symbols.
        rate: of learning; None is the adapter's default.

    Attributes:
        adapter: the copy that learns.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary, rate: float | None = None) -> None:
        self.adapter = Adapter(network) if rate is None else Adapter(network, rate)
        self._vocabulary = vocabulary
        self._weight = 0.5  # a
        self._sum, self._tokens = 0.0, 0  # of all weights so far

    @property
    def mean_weight(self) -> float:
        """The mean weight of the copy over all tokens so far: near 1 if learning helped, near 0 if it did harm."""
        return self._sum / max(1, self._tokens)

    def score(self, codes: Codes, trained: Floats) -> Floats:
        """Nats (n,) of the next codes (n,) of the text, NaN for unknown ones; the copy learns from them.

        Args:
            codes: the next part of the text.
            trained: their nats (n,) under the network as trained.
        """
        ids, counted = self._vocabulary.readable_ids(codes)
        known = ids != UNKNOWN
        nats = np.full(len(codes), np.nan, dtype=np.float32)
        nats[known] = self.adapter.read(ids[known], counted[known])
        nats[~counted] = np.nan
        nats[counted] = self.mix(trained[counted], nats[counted])
        return nats

    def mix(self, trained: Floats, learned: Floats) -> Floats:
        """Nats (n,) of tokens under the mixture, from those under its two parts."""
        ratios = np.exp(np.clip(trained.astype(np.float64) - learned, -100, 100))  # p_learned / p_trained
        weight, weights, mixed = self._weight, np.empty(len(ratios)), np.empty(len(ratios))
        for k, ratio in enumerate(ratios.tolist()):
            weights[k] = weight
            mixed[k] = total = 1 + weight * (ratio - 1)  # p / p_trained
            weight = (1 - SHARE) * weight * ratio / total + SHARE / 2
        self._weight = weight
        self._sum, self._tokens = self._sum + float(weights.sum()), self._tokens + len(weights)
        nats: Floats = (trained - np.log(mixed)).astype(np.float32)
        return nats
