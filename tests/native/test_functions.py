from collections.abc import Callable
from ctypes import c_int64, c_void_p

import numpy as np
import pytest
from llvmlite import ir

from charrnn.native import functions
from charrnn.native.code import FLOAT, INT, POINTER, Code, Memory, Number
from tests.native.machine import Function

LANES = 8


def apply(function: Callable[[Number], Number], x: np.ndarray) -> np.ndarray:
    """A function of each number of x (n,), where n is a multiple of the lanes."""
    module = ir.Module("test")
    code = Code(module, "apply", [POINTER, INT], public=True)
    values = Memory(code, code.arguments[0], FLOAT)
    with code.count(Number(code, code.arguments[1]), step=LANES) as place:
        values.write(function(values.read(place, LANES)), place)
    code.finish()
    result = x.copy()
    Function(module, "apply", None, c_void_p, c_int64)(result.ctypes.data, len(result))
    return result


@pytest.mark.parametrize(
    ("function", "exact", "least", "most"),
    [
        (functions.exp, np.exp, -86.9, 0.0),
        (functions.tanh, np.tanh, -30.0, 30.0),
        (functions.tanh, np.tanh, -1e-3, 1e-3),
        (functions.sigmoid, lambda x: 1 / (1 + np.exp(-x)), -80.0, 80.0),
    ],
)
def test_functions_are_exact_to_a_few_units_of_the_last_place(
    function: Callable[[Number], Number], exact: Callable[[np.ndarray], np.ndarray], least: float, most: float
) -> None:
    x = np.linspace(least, most, 800_000, dtype=np.float32)
    wanted = exact(x.astype(np.float64))
    error = np.abs(apply(function, x) - wanted) / np.spacing(np.abs(wanted).astype(np.float32))
    assert error.max() < 4


def test_functions_far_out() -> None:
    x = np.array([-np.inf, -1e30, -88.0, -1e-30, 0.0, 0.0, 0.0, 0.0], dtype=np.float32)
    assert apply(functions.exp, x).tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert apply(functions.tanh, x)[:3].tolist() == [-1, -1, -1]
    assert apply(functions.tanh, -x)[:3].tolist() == [1, 1, 1]
    assert apply(functions.sigmoid, -x)[:3].tolist() == [1, 1, 1]
    assert (apply(functions.sigmoid, x)[:2] < 1e-37).all()


def test_nan_stays_nan() -> None:
    x = np.array([np.nan, -1.0, 0.0, np.nan, 0.0, 0.0, 0.0, 0.0], dtype=np.float32)
    for function in (functions.exp, functions.tanh, functions.sigmoid):
        assert np.isnan(apply(function, x)).tolist() == np.isnan(x).tolist()
