"""Many calls of a kernel's functions as one, during which no thread of Python's has to wait for another.

A call is written down as the function's number and its arguments, eight bytes each.
"""

from typing import Any

from charrnn.native.code import INT, POINTER, Code, Memory, Number
from charrnn.native.recurrent.structs import MOST_ARGUMENTS


def emit_run(module: Any, functions: list[Any]) -> Any:
    """run(calls, N): calls `functions` by their number."""
    code = Code(module, "run", [POINTER, INT], public=True)
    calls = Memory(code, code.arguments[0], INT)
    with code.count(Number(code, code.arguments[1])) as number:
        call = calls.at(number * (1 + MOST_ARGUMENTS))
        for index, function in enumerate(functions):
            with code.only_if(call.read().equals(index)):
                places = (call.at(1 + place).pointer for place in range(len(function.args)))
                kinds = (argument.type for argument in function.args)
                code.call(
                    function, *(Memory(code, place, kind).read() for place, kind in zip(places, kinds, strict=True))
                )
    return code.finish()
