"""The best of several texts: the one with the lowest loss per character."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from charrnn.inference.generation.samples import Sample


@dataclass(frozen=True)
class Choice:
    """A text, and the losses of all those it was chosen from; None is the loss of an empty text."""

    sample: Sample
    losses: tuple[float | None, ...]


def choose_best(samples: Iterator[Sample], count: int) -> Iterator[Choice]:
    """The best of every `count` texts, which must come with their losses; an empty text is the last choice."""
    while candidates := list(islice(samples, count)):
        best = min(candidates, key=lambda sample: math.inf if sample.loss is None else sample.loss)
        yield Choice(best, tuple(sample.loss for sample in candidates))
