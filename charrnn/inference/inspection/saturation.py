"""Saturation of gates: the share of time that a gate is nearly shut or nearly open.

A gate counts as shut below 0.1 and as open above 0.9: left- and right-saturated in "Visualizing and Understanding
Recurrent Networks" (Karpathy, Johnson, Li 2015, arXiv 1506.02078). A unit whose forget gate is always open remembers;
one whose forget gate is never saturated forgets a little at every step.
"""

from dataclasses import dataclass

import numpy as np

from charrnn.inference.network.language import Floats

SHUT, OPEN = 0.1, 0.9


@dataclass(frozen=True)
class Saturation:
    """Shares of time (L, H) that each unit's gate is nearly shut and nearly open."""

    shut: Floats
    open: Floats


def measure_saturation(gate: Floats) -> Saturation:
    """The saturation of one gate along a text, (L, T, H)."""
    shut = (gate < SHUT).mean(axis=1, dtype=np.float32)
    return Saturation(shut, (gate > OPEN).mean(axis=1, dtype=np.float32))
