from collections.abc import Callable
from ctypes import Structure, addressof, c_double, c_int64, c_void_p

import numpy as np
from llvmlite import ir

from charrnn.native.code import DOUBLE, FLOAT, INT, POINTER, Code, Memory, Number, StructView
from tests.native.machine import Function


def integer_function(write: Callable[[Code, Number], Number | None]) -> Function:
    """A function from an integer to an integer."""
    module = ir.Module("test")
    code = Code(module, "f", [INT], INT, public=True)
    code.finish(write(code, Number(code, code.arguments[0])))
    return Function(module, "f", c_int64, c_int64)


def test_loops_count_and_variables_keep_what_they_sum() -> None:
    def write(code: Code, n: Number) -> Number:
        total = code.variable(code.integer(0))
        with code.count(n, start=1, step=2) as number:
            total.value = total.value + number
        return total.value

    f = integer_function(write)
    assert [f(n) for n in (0, 1, 2, 6, 7)] == [0, 0, 1, 9, 9]


def test_a_loop_is_left_unless_its_condition_holds() -> None:
    def write(code: Code, n: Number) -> Number:
        power = code.variable(code.integer(1))
        with code.repeat_while() as loop:
            loop.unless(power.value < n)
            power.value = power.value << 1
        return power.value

    f = integer_function(write)
    assert [f(n) for n in (0, 1, 5, 64, 65)] == [1, 1, 8, 64, 128]


def test_conditions_choose_and_guard() -> None:
    def write(code: Code, n: Number) -> Number:
        result = code.variable((n >= 3).choose(n * 10, -1))
        with code.only_if(n.equals(5)):
            result.value = result.value + 7
        return result.value

    f = integer_function(write)
    assert [f(n) for n in (2, 3, 5)] == [-1, 30, 57]


def test_vectors_are_read_computed_and_written() -> None:
    module = ir.Module("test")
    code = Code(module, "f", [POINTER], public=True)
    memory = Memory(code, code.arguments[0], FLOAT)
    vector = memory.read(1, lanes=4)
    memory.write(vector.times_plus(2.0, memory.read(0).spread(4)), 1)
    memory.write(vector.lane(3).sqrt(), 0)
    code.finish()
    numbers = np.array([100, 1, 2, 3, 4, 5], dtype=np.float32)
    Function(module, "f", None, c_void_p)(numbers.ctypes.data)
    assert numbers.tolist() == [2, 102, 104, 106, 108, 5]


def test_records_are_ctypes_structures() -> None:
    class Pair(Structure):
        _fields_ = (("count", c_int64), ("factor", c_double), ("numbers", c_void_p))

    module = ir.Module("test")
    code = Code(module, "f", [POINTER], public=True)
    record = StructView(Memory(code, code.arguments[0], INT), Pair)
    numbers = record.memory("numbers", DOUBLE)
    with code.count(record.number("count")) as place:
        numbers.write(numbers.read(place) * record.number("factor"), place)
    record.set("count", code.integer(0))
    code.finish()
    array = np.array([1.0, 2.0, 3.0])
    pair = Pair(2, 1.5, array.ctypes.data)
    Function(module, "f", None, c_void_p)(addressof(pair))
    assert array.tolist() == [1.5, 3.0, 3.0]
    assert pair.count == 0
