"""Dynamic evaluation: a language model that goes on learning from the text that it reads.

The text is read in segments of one stream. A segment is scored before anything is learned from it; then each weight
w, trained as w_0, takes a step against its gradient g and is pulled back:

    m = running mean of g^2 (RMSprop)
    w = w - rate * g / (sqrt(m) + EPSILON * root mean square of all g);     w = w + DECAY * (w_0 - w)

Learning while scoring is due to Mikolov et al. (2010); the scaled step and the decay to the trained weights to Krause
et al. (2018, arXiv 1709.07432), who gather m on the training text, which a model file does not hold. The constants
are one default for all models, chosen by measuring eight texts and three cells: docs/adaptation.md has the tables.
"""

import math

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.adaptation.gradients import Segment, Weights
from charrnn.inference.adaptation.layers import Array
from charrnn.inference.generation.sampling import log_softmax
from charrnn.inference.network.language import Network
from charrnn.text.vocabulary.base import Ids

SEGMENT = 20  # tokens
RATE = 1.5e-3
DECAY = 5e-3  # of a step
AVERAGING = 0.999  # of m
EPSILON = 0.1
TINY = 1e-30  # keeps 0 / 0 away
FIRST_BIAS = "rnn.bias_ih_l0"


class Adapter:
    """Reads texts with a copy of a network that learns from them.

    Args:
        network: where learning begins; it is not changed.
        rate: of learning; 0 learns nothing.
    """

    def __init__(self, network: Network, rate: float = RATE) -> None:
        self._network, self._rate = network, rate
        states = network.config.initial_states
        learned = {name: tensor for name, tensor in network.tensors.items() if name not in states}
        # All weights are one array, so that a step takes few operations.
        self._trained = np.concatenate([tensor.ravel() for tensor in learned.values()])
        self._values, self._gradient = self._trained.copy(), np.zeros_like(self._trained)
        self._weights, self._gradients = _make_views(self._values, learned), _make_views(self._gradient, learned)
        self._learned = np.zeros_like(self._trained)  # w - w_0
        self._pending = np.zeros_like(self._trained)  # the gradient of a segment that is not complete
        self._waiting = 0  # tokens of that segment
        # m is the weighted sum of all g^2 over the sum of their weights.
        self._squares, self._mean_square, self._total = np.zeros_like(self._trained), 0.0, 0.0
        self.restart(network)

    def restart(self, network: Network | None = None) -> None:
        """Begin another text, from the initial state.

        Args:
            network: if given, its initial state and first layer's bias, in which alone it may differ from the one that
                learning began with; what was learned is kept.
        """
        network = network or self._network
        self._bias_offset = network.tensors[FIRST_BIAS] - self._network.tensors[FIRST_BIAS]
        self._state = network.initial_state()
        self._last: Ids = np.empty(0, dtype=np.int32)  # the token that was scored but not read yet

    def read(self, ids: Ids, counted: NDArray[np.bool_] | None = None) -> Array:
        """Read the next ids (n,) of the text, learning from them.

        Only `counted` ids (n,) are learned; the first of a text is not, since nothing was read before it.

        Returns:
            -ln p (n,) of each id, given all before it and what was learned until then.
        """
        if not len(ids):
            return np.empty(0, dtype=self._values.dtype)
        counted = np.ones(len(ids), dtype=np.bool_) if counted is None else counted
        nats = [] if len(self._last) else [self._score_first(ids[:1])]
        inputs, first = np.concatenate([self._last, ids[:-1]]), len(nats)
        begin = 0
        while begin < len(inputs):
            end = begin + SEGMENT - self._waiting
            part = slice(begin + first, end + first)
            nats.append(self._read_segment(inputs[begin:end], ids[part], counted[part]))
            begin = end
        self._last = ids[-1:]
        return np.concatenate(nats)

    def _score_first(self, ids: Ids) -> Array:
        """-ln p (1,) of the first id of a text, from the initial state."""
        logits = self._state.hidden[-1] @ self._weights["decoder.weight"].T + self._weights["decoder.bias"]
        nats: Array = -log_softmax(logits)[0, ids]
        return nats

    @np.errstate(over="ignore", invalid="ignore")
    def _read_segment(self, inputs: Ids, targets: Ids, counted: NDArray[np.bool_]) -> Array:
        """Score the targets (T,) that follow the inputs (T,), then learn from them."""
        weights = self._weights | {FIRST_BIAS: self._weights[FIRST_BIAS] + self._bias_offset}
        segment = Segment(self._network.config, weights, inputs, self._state)
        segment.differentiate(targets, counted, self._gradients)
        if self._waiting:
            self._gradient += self._pending
        self._waiting += len(targets)
        if self._waiting == SEGMENT:
            self._learn()
        else:
            self._pending[:] = self._gradient
        nats: Array = -segment.log_probabilities[np.arange(len(targets)), targets]
        return nats

    @np.errstate(over="ignore", invalid="ignore")
    def _learn(self) -> None:
        """Take a step against the gradient, and decay to the trained weights."""
        gradient, step = self._gradient, self._values  # the values are computed anew at the end
        self._waiting = 0
        mean_square = float(np.dot(gradient, gradient)) / len(gradient)
        if not math.isfinite(mean_square):  # it overflowed: nothing to learn from
            return
        self._total = AVERAGING * self._total + 1
        self._squares *= AVERAGING
        self._squares += np.multiply(gradient, gradient, out=step)
        self._mean_square = AVERAGING * self._mean_square + mean_square
        np.sqrt(self._squares, out=step)
        step += max(EPSILON * self._mean_square**0.5, TINY)
        np.divide(gradient, step, out=step)
        step *= self._rate * self._total**0.5  # the squares are sums so far
        self._learned -= step
        self._learned *= 1 - DECAY
        np.add(self._trained, self._learned, out=self._values)

    def to_network(self, *, share: float = 1.0, carry_state: bool) -> Network:
        """A network of what was learned; what is left of a segment is learned first.

        Args:
            share: of what was learned that is kept: weights are w_0 + share * (w - w_0).
            carry_state: whether its initial state is the one after the text, so that it goes on where the text ends.
        """
        if self._waiting:
            self._gradient[:] = self._pending
            self._learn()
        tensors = self._network.tensors | _make_views(self._trained + share * self._learned, self._weights)
        network = Network(self._network.config, tensors)
        if not carry_state:
            return network
        state = self._state.copy()
        if len(self._last):
            network.read(self._last[:, None], state)
        parts = zip(network.config.initial_states, (state.hidden, state.cell), strict=False)
        return Network(network.config, tensors | {name: part[:, 0] for name, part in parts if part is not None})


def _make_views(flat: Array, like: Weights) -> Weights:
    """Parts of a flat array with the names and shapes of these weights, in their order; nothing is copied."""
    ends = np.cumsum([tensor.size for tensor in like.values()])
    parts = zip(like.items(), np.split(flat, ends[:-1]), strict=True)
    return {name: part.reshape(tensor.shape) for (name, tensor), part in parts}
