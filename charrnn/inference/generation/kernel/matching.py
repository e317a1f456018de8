"""The choice of a symbol under a constraint, as `charrnn.inference.generation.constraint.tracking` defines it."""

import math
from typing import Any

from charrnn.inference.generation.kernel.structs import Batch
from charrnn.native.code import BYTE, DOUBLE, FLOAT, INT, POINTER, WORD, Code, Memory, Number, StructView


def emit_match(module: Any, lanes: int, choose: Any) -> Any:
    """match(batch, sample, scores, uniform, chance): returns the symbol, or -1 if the text has ended.

    The sample's state advances; `chance` as in `choices.emit_choose`.
    """
    code = Code(module, "match", [POINTER, INT, POINTER, DOUBLE, POINTER], INT)
    batch, sample = StructView(Memory(code, code.arguments[0], INT), Batch), Number(code, code.arguments[1])
    scores, masked = Memory(code, code.arguments[2], FLOAT), batch.memory("masked", FLOAT)
    states, left = batch.memory("states", INT), batch.memory("left", INT)
    state, characters = states.read(sample), left.read(sample)
    with code.only_if(state < 0):
        code.finish(code.integer(-1))
    row = state * batch.number("columns")
    needed, after = batch.memory("needed", WORD).at(row), batch.memory("next", WORD).at(row)

    free = batch.memory("accepting", BYTE).read(state).equals(1)
    with code.only_if(free.equals(0)):
        most = characters.convert("trunc", WORD).spread(lanes)
        with code.count(batch.number("symbols"), step=lanes) as place:
            allowed = needed.read(place, lanes) <= most
            masked.write(allowed.choose(scores.read(place, lanes), -math.inf), place)
    candidates = free.choose(Number(code, scores.pointer), Number(code, masked.pointer))
    chosen = code.call(choose, code.arguments[0], candidates, scores, *code.arguments[3:])

    least = needed.read(chosen).convert("sext", INT)
    with code.only_if(least > characters):
        states.write(code.integer(-1), sample)
        code.finish(code.integer(-1))
    reached = after.read(chosen).convert("sext", INT)
    further = batch.memory("shortest", WORD).read(reached).convert("sext", INT)
    left.write(characters - least + further, sample)
    states.write(reached, sample)
    return code.finish(chosen)


def emit_count_active(module: Any) -> Any:
    """count_active(batch): returns how many samples have not ended."""
    code = Code(module, "count_active", [POINTER], INT)
    batch = StructView(Memory(code, code.arguments[0], INT), Batch)
    states, total = batch.memory("states", INT), code.variable(code.integer(0))
    with code.count(batch.number("samples")) as sample:
        total.value = total.value + (states.read(sample) >= 0).convert("zext", INT)
    return code.finish(total.value)
