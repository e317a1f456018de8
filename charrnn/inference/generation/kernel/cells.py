"""The cells: from a sample's projected input and projected state to its next state (equations: `charrnn.model.config`).

Gates are stored one after the other, each padded to whole vectors. Units that only pad a vector have weights of zero,
so their states stay zero.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charrnn.native.code import FLOAT, INT, POINTER, Code, Memory, Number
from charrnn.native.functions import sigmoid, tanh


@dataclass(frozen=True)
class Units:
    """As many units as a vector has lanes, starting at `place`."""

    lanes: int
    width: Number
    place: Number
    from_input: Memory
    from_state: Memory
    hidden: Memory
    cells: Memory

    def input(self, gate: int) -> Number:
        """The input's part of a gate's sum."""
        return self.from_input.read(self.width * gate + self.place, self.lanes)

    def state(self, gate: int) -> Number:
        """The state's part of a gate's sum."""
        return self.from_state.read(self.width * gate + self.place, self.lanes)

    def sum(self, gate: int) -> Number:
        """A gate's sum."""
        return self.input(gate) + self.state(gate)


def _lstm(units: Units) -> None:
    keep = sigmoid(units.sum(1)) * units.cells.read(units.place, units.lanes)
    cell = keep + sigmoid(units.sum(0)) * tanh(units.sum(2))
    units.cells.write(cell, units.place)
    units.hidden.write(sigmoid(units.sum(3)) * tanh(cell), units.place)


def _gru(units: Units) -> None:
    reset, update = sigmoid(units.sum(0)), sigmoid(units.sum(1))
    candidate = tanh(units.input(2) + reset * units.state(2))
    hidden = units.hidden.read(units.place, units.lanes)
    units.hidden.write(candidate + update * (hidden - candidate), units.place)


def _rnn(units: Units) -> None:
    units.hidden.write(tanh(units.sum(0)), units.place)


CELLS: dict[str, Callable[[Units], None]] = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}


def emit_cells(module: Any, lanes: int, cell: str) -> Any:
    """advance(width, from input, from state, hidden, cells): one sample's units, `width` of them, in place."""
    code = Code(module, "advance", [INT, POINTER, POINTER, POINTER, POINTER])
    width = Number(code, code.arguments[0])
    from_input, from_state, hidden, cells = (Memory(code, argument, FLOAT) for argument in code.arguments[1:])
    with code.count(width, step=lanes) as place:
        CELLS[cell](Units(lanes, width, place, from_input, from_state, hidden, cells))
    return code.finish()
