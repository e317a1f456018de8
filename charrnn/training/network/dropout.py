"""Dropout: what one step of learning leaves out.

Units between layers and before the decoder: a unit that is dropped stays dropped for all of a step's characters, and
every reader drops others (variational dropout: Gal and Ghahramani 2016, arXiv 1512.05287). Recurrent weights: a
weight that is dropped stays so for all of a step's characters and readers (weight dropout: Merity et al. 2018,
arXiv 1708.02182). What is kept is scaled up, so that sums keep their size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from charrnn.model.config import ModelConfig

POOL_SEED = 20  # any: the pool has to be the same after a resume


@dataclass(frozen=True)
class Masks:
    """What is multiplied by zero or scaled up in one step; empty: nothing.

    Attributes:
        outputs: of each layer's output, (1, B, H).
        recurrent: of each layer's state-to-state matrix, in its shape.
    """

    outputs: tuple[Tensor, ...] = ()
    recurrent: tuple[Tensor, ...] = ()

    def columns(self, part: slice) -> "Masks":
        """The masks of some of the readers."""
        return Masks(tuple(mask[:, part] for mask in self.outputs), self.recurrent)


NO_MASKS = Masks()


class Dropout:
    """Draws masks that drop a share of the units and of the recurrent weights.

    Masks of weights are cut from a pool of twice their size at random places: to draw a million numbers anew takes a
    tenth of a step of 512 units, to cut takes nothing.
    """

    def __init__(self, config: ModelConfig, units: float = 0.0, weights: float = 0.0) -> None:
        self._config = config
        self.units, self.weights = units, weights
        self._pool: Tensor | None = None

    def draw(self, batch: int, like: Tensor) -> Masks:
        """Masks for one step of `batch` readers, on the device and in the type of `like`."""
        outputs: tuple[Tensor, ...] = ()
        if self.units:
            kept = 1.0 - self.units
            shape = (self._config.layers, 1, batch, self._config.hidden_size)
            outputs = tuple(like.new_empty(shape).bernoulli_(kept).div_(kept))
        return Masks(outputs, self._cut(like) if self.weights else ())

    def _cut(self, like: Tensor) -> tuple[Tensor, ...]:
        rows, columns = self._config.gates * self._config.hidden_size, self._config.hidden_size
        size = rows * columns
        if self._pool is None:
            generator = torch.Generator().manual_seed(POOL_SEED)
            kept = 1.0 - self.weights
            self._pool = torch.empty(2 * size).bernoulli_(kept, generator=generator).div_(kept).to(like)
        places = torch.randint(size, (self._config.layers,)).tolist()
        return tuple(self._pool[place : place + size].view(rows, columns) for place in places)
