"""What a cell's equations are written with: the arrays of one sample at one step, for a vector of units."""

from collections.abc import Callable
from dataclasses import dataclass

from charrnn.native.code import Memory, Number


@dataclass(frozen=True)
class Units:
    """`lanes` units from `place` on, of one sample at one step. Gates are `units` floats apart.

    The forward pass reads `inputs`, `sums` (the projected state), `hidden` and `cells`, and writes the others. The
    backward pass reads `gates`, the states and `grad_outputs`, and replaces `gates`, `inner`, `grad_hidden` and
    `grad_cells` by gradients.
    """

    lanes: int
    place: Number
    units: Number
    inputs: Memory
    sums: Memory
    bias: Memory
    hidden: Memory
    next_hidden: Memory
    cells: Memory
    next_cells: Memory
    gates: Memory
    inner: Memory
    grad_outputs: Memory
    grad_hidden: Memory
    grad_cells: Memory

    def read(self, memory: Memory, gate: int = 0) -> Number:
        """These units of an array; of a gate if it has several."""
        return memory.read(self.units * gate + self.place, self.lanes)

    def write(self, memory: Memory, number: Number, gate: int = 0) -> None:
        """Store these units."""
        memory.write(number, self.units * gate + self.place)

    def sum(self, gate: int) -> Number:
        """The projected input and state of a gate, together."""
        return self.read(self.inputs, gate) + self.read(self.sums, gate)

    def grad_output(self) -> Number:
        """The gradient of the state after this step: from its output and from the steps after it."""
        return self.read(self.grad_outputs) + self.read(self.grad_hidden)


@dataclass(frozen=True)
class Cell:
    """A kind of recurrent cell.

    Attributes:
        gates: G, the number of gates.
        forward: emits the equations of a step.
        backward: emits their gradients.
        state_path: whether `backward` leaves in `grad_hidden` a gradient that goes past the recurrent weights.
        inner: whether gradients of the projected input and state differ.
    """

    gates: int
    forward: Callable[[Units], None]
    backward: Callable[[Units], None]
    state_path: bool = False
    inner: bool = False
