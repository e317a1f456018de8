"""An assembler for WebAssembly: functions over 32-bit addresses and vectors of four floats, as a binary module.

    double = Function("double", 1)
    (at,) = double.parameters
    double.store(at, double.load(at) * 2.0)
    encode_module([double])                    # bytes, for `WebAssembly.instantiate`

Expressions are code that leaves one value on the stack. One that is used twice is kept in a local variable, by
`Function.keep`. Instructions and layout: WebAssembly Core Specification 2.0, section 5 (binary format).
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

I32, V128 = 0x7F, 0x7B  # types of values
PAGE = 2**16  # bytes of memory that are allocated together
VECTOR = 16  # bytes


def encode_unsigned(number: int) -> bytes:
    r"""LEB128: seven bits a byte, the lowest first: `encode_unsigned(300) == b"\xac\x02"`."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def encode_signed(number: int) -> bytes:
    r"""LEB128 of a number that may be negative: `encode_signed(-2) == b"\x7e"`."""
    encoded = bytearray()
    while not -0x40 <= number < 0x40:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number & 0x7F])


def _encode_simd(code: int) -> bytes:
    return b"\xfd" + encode_unsigned(code)


class Address:
    """An expression of type i32."""

    def __init__(self, code: bytes) -> None:
        self.code = code

    def __add__(self, other: "Address | int") -> "Address":
        return Address(self.code + _to_address(other).code + b"\x6a")

    def __sub__(self, other: "Address | int") -> "Address":
        return Address(self.code + _to_address(other).code + b"\x6b")

    def __mul__(self, other: "Address | int") -> "Address":
        return Address(self.code + _to_address(other).code + b"\x6c")

    def __lt__(self, other: "Address | int") -> "Address":
        return Address(self.code + _to_address(other).code + b"\x49")


class Vector:
    """An expression of four floats, or of four 32-bit integers where their bits are meant."""

    OPERATIONS: ClassVar[dict[str, int]] = {"add": 228, "sub": 229, "mul": 230, "div": 231, "min": 232, "max": 233}

    def __init__(self, code: bytes) -> None:
        self.code = code

    def _with(self, operation: str, other: "Vector | float") -> "Vector":
        return Vector(self.code + _to_vector(other).code + _encode_simd(self.OPERATIONS[operation]))

    def __add__(self, other: "Vector | float") -> "Vector":
        return self._with("add", other)

    def __sub__(self, other: "Vector | float") -> "Vector":
        return self._with("sub", other)

    def __mul__(self, other: "Vector | float") -> "Vector":
        return self._with("mul", other)

    def __truediv__(self, other: "Vector | float") -> "Vector":
        return self._with("div", other)

    def clamp(self, least: float, most: float) -> "Vector":
        """Each float, no less than `least` and no more than `most`."""
        raised = self._with("max", least)
        return Vector(raised.code + _to_vector(most).code + _encode_simd(self.OPERATIONS["min"]))

    def shift_left(self, places: int) -> "Vector":
        """The bits of each float, moved up."""
        return Vector(self.code + _to_address(places).code + _encode_simd(171))

    def add_bits(self, other: "Vector | float") -> "Vector":
        """The sums of the bits of each float, taken for integers."""
        return Vector(self.code + _to_vector(other).code + _encode_simd(174))


def _to_address(value: Address | int) -> Address:
    return value if isinstance(value, Address) else Address(b"\x41" + encode_signed(value))


def _to_vector(value: Vector | float) -> Vector:
    return value if isinstance(value, Vector) else Vector(_encode_simd(12) + struct.pack("<4f", *[value] * 4))


class Variable(Address):
    """A local address that can be set."""

    def __init__(self, index: int) -> None:
        super().__init__(b"\x20" + encode_unsigned(index))
        self.index = index


class Function:
    """A function in the making; it returns nothing and works on memory.

    Args:
        name: under which the module exports it.
        parameters: how many it takes, all of them addresses or counts.
    """

    def __init__(self, name: str, parameters: int) -> None:
        self.name = name
        self.parameters = [Variable(index) for index in range(parameters)]
        self._locals: list[int] = []
        self._code = bytearray()

    def _add_local(self, kind: int) -> int:
        self._locals.append(kind)
        return len(self.parameters) + len(self._locals) - 1

    def variable(self, value: Address) -> Variable:
        """A new variable."""
        variable = Variable(self._add_local(I32))
        self.set(variable, value)
        return variable

    def set(self, variable: Variable, value: Address) -> None:
        """Give a variable another value."""
        self._code += value.code + b"\x21" + encode_unsigned(variable.index)

    def accumulators(self, count: int) -> "list[Accumulator]":
        """New vectors that can be set."""
        return [Accumulator(self, self._add_local(V128)) for _ in range(count)]

    def keep(self, value: Vector) -> "Accumulator":
        """The value, computed once."""
        accumulator = Accumulator(self, self._add_local(V128))
        accumulator.set(value)
        return accumulator

    def load(self, at: Address, offset: int = 0) -> Vector:
        """Four floats of memory."""
        return Vector(at.code + _encode_simd(0) + b"\x02" + encode_unsigned(offset))

    def load_one(self, at: Address) -> Vector:
        """One float of memory, four times."""
        return Vector(at.code + _encode_simd(9) + b"\x02\x00")

    def store(self, at: Address, value: Vector, offset: int = 0) -> None:
        """Write four floats to memory."""
        self._code += at.code + value.code + _encode_simd(11) + b"\x02" + encode_unsigned(offset)

    @contextmanager
    def loop(self, variable: Variable, end: Address, step: int) -> Iterator[None]:
        """Do it once, and again while the variable, made larger by `step` each time, is below `end`."""
        self._code += b"\x03\x40"
        yield
        self.set(variable, variable + step)
        self._code += (variable < end).code + b"\x0d\x00\x0b"

    def emit(self, code: bytes) -> None:
        """Add instructions."""
        self._code += code

    def encode_type(self) -> bytes:
        """Its type, as the module declares it."""
        return b"\x60" + _encode_list([bytes([I32])] * len(self.parameters)) + _encode_list([])

    def encode_body(self) -> bytes:
        """Its local variables and its code."""
        encoded = _encode_list([b"\x01" + bytes([kind]) for kind in self._locals]) + bytes(self._code) + b"\x0b"
        return encode_unsigned(len(encoded)) + encoded


class Accumulator(Vector):
    """A local vector that can be set."""

    def __init__(self, function: Function, index: int) -> None:
        super().__init__(b"\x20" + encode_unsigned(index))
        self._function, self._index = function, index

    def set(self, value: Vector) -> None:
        """Give it another value."""
        self._function.emit(value.code + b"\x21" + encode_unsigned(self._index))


def _encode_list(items: Sequence[bytes]) -> bytes:
    return encode_unsigned(len(items)) + b"".join(items)


def _encode_name(name: str) -> bytes:
    return encode_unsigned(len(name)) + name.encode()


def encode_module(functions: Sequence[Function]) -> bytes:
    """A binary module that exports the functions and takes its memory as the import `env.memory`."""
    numbers = range(len(functions))
    sections = {
        1: _encode_list([function.encode_type() for function in functions]),
        2: _encode_list([_encode_name("env") + _encode_name("memory") + b"\x02\x00\x01"]),
        3: _encode_list([encode_unsigned(number) for number in numbers]),
        7: _encode_list([_encode_name(functions[k].name) + b"\x00" + encode_unsigned(k) for k in numbers]),
        10: _encode_list([function.encode_body() for function in functions]),
    }
    encoded = (bytes([number]) + encode_unsigned(len(section)) + section for number, section in sections.items())
    return b"\0asm\1\0\0\0" + b"".join(encoded)
