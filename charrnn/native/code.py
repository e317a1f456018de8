"""Writing LLVM code in Python: numbers with operators, memory, variables, and loops as `with` blocks.

What looks like arithmetic here emits instructions; Python's own loops and functions unroll and inline:

    with code.count(rows) as row:                    # a loop of the machine
        total = code.variable(code.float(0.0))
        for offset in range(4):                      # unrolled
            total.value += memory.read(row * 4 + offset)
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

FLOAT, DOUBLE, INT, BYTE = ir.FloatType(), ir.DoubleType(), ir.IntType(64), ir.IntType(8)
WORD, HALF = ir.IntType(32), ir.IntType(16)
POINTER = ir.PointerType()
# The alignment of numbers and of vectors of them.
BYTES = {FLOAT: 4, DOUBLE: 8, INT: 8, POINTER: 8, WORD: 4, HALF: 2, BYTE: 1}
FIELD_KINDS = {ctypes.c_int64: INT, ctypes.c_double: DOUBLE, ctypes.c_void_p: POINTER}


class Number:
    """A number in the generated code, or a vector of them; Python numbers in operations become constants."""

    def __init__(self, code: "Code", value: Any) -> None:
        self.code = code
        self.value = value
        self.kind = value.type
        element = self.kind.element if isinstance(self.kind, ir.VectorType) else self.kind
        self._prefix = "" if isinstance(element, ir.IntType) else "f"

    def _with(self, operation: str, other: "Number | float") -> "Number":
        return Number(self.code, getattr(self.code.builder, operation)(self.value, self.like(other).value))

    def like(self, other: "Number | float") -> "Number":
        """`other` as a number of this kind; a Python number is repeated in every lane of a vector."""
        return other if isinstance(other, Number) else self.code.constant(self.kind, other)

    def __add__(self, other: "Number | float") -> "Number":
        return self._with(self._prefix + "add", other)

    def __sub__(self, other: "Number | float") -> "Number":
        return self._with(self._prefix + "sub", other)

    def __mul__(self, other: "Number | float") -> "Number":
        return self._with(self._prefix + "mul", other)

    def __truediv__(self, other: "Number | float") -> "Number":
        return self._with("fdiv", other)

    def __floordiv__(self, other: "Number | float") -> "Number":
        return self._with("sdiv", other)

    def __lshift__(self, other: "Number | float") -> "Number":
        return self._with("shl", other)

    def __rshift__(self, other: "Number | float") -> "Number":
        return self._with("lshr", other)

    def __and__(self, other: "Number | float") -> "Number":
        return self._with("and_", other)

    def __or__(self, other: "Number | float") -> "Number":
        return self._with("or_", other)

    def _compare(self, sign: str, other: "Number | float") -> "Number":
        compare = self.code.builder.fcmp_ordered if self._prefix else self.code.builder.icmp_signed
        return Number(self.code, compare(sign, self.value, self.like(other).value))

    def __lt__(self, other: "Number | float") -> "Number":
        return self._compare("<", other)

    def __le__(self, other: "Number | float") -> "Number":
        return self._compare("<=", other)

    def __gt__(self, other: "Number | float") -> "Number":
        return self._compare(">", other)

    def __ge__(self, other: "Number | float") -> "Number":
        return self._compare(">=", other)

    def equals(self, other: "Number | float") -> "Number":
        """Whether the two are equal."""
        return self._compare("==", other)

    def choose(self, yes: "Number", no: "Number | float") -> "Number":
        """`yes` where this condition holds, `no` elsewhere."""
        return Number(self.code, self.code.builder.select(self.value, yes.value, yes.like(no).value))

    def times_plus(self, factor: "Number | float", summand: "Number | float") -> "Number":
        """This number times a factor plus a summand, rounded once where the processor can."""
        return self._call_intrinsic("fmuladd", self, self.like(factor), self.like(summand))

    def sqrt(self) -> "Number":
        """The square root."""
        return self._call_intrinsic("sqrt", self)

    def _call_intrinsic(self, name: str, *arguments: "Number") -> "Number":
        """One of LLVM's functions of numbers of this kind."""
        element = self.kind.element if isinstance(self.kind, ir.VectorType) else self.kind
        lanes = f"v{self.kind.count}" if isinstance(self.kind, ir.VectorType) else ""
        function = ir.FunctionType(self.kind, [self.kind] * len(arguments))
        intrinsic = self.code.builder.module.declare_intrinsic(
            f"llvm.{name}.{lanes}{element.intrinsic_name}", (), function
        )
        return Number(self.code, self.code.builder.call(intrinsic, [argument.value for argument in arguments]))

    def bits_as(self, kind: Any) -> "Number":
        """The bits of the number as another kind."""
        return Number(self.code, self.code.builder.bitcast(self.value, kind))

    def convert(self, operation: str, kind: Any) -> "Number":
        """The number as another kind, by one of LLVM's conversions (`fpext`, `sitofp` ...)."""
        return Number(self.code, getattr(self.code.builder, operation)(self.value, kind))

    def lane(self, lane: int) -> "Number":
        """The number in one lane of a vector."""
        return Number(self.code, self.code.builder.extract_element(self.value, ir.Constant(WORD, lane)))

    def spread(self, lanes: int) -> "Number":
        """A vector with this number in every lane."""
        builder, kind = self.code.builder, ir.VectorType(self.kind, lanes)
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), self.value, ir.Constant(WORD, 0))
        everywhere = ir.Constant(ir.VectorType(WORD, lanes), [0] * lanes)
        return Number(self.code, builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), everywhere))


class Variable:
    """A number that changes as the code runs."""

    def __init__(self, code: "Code", first: Number) -> None:
        self._code = code
        self._kind = first.kind
        with code.builder.goto_entry_block():
            self._place = code.builder.alloca(first.kind)
        self.value = first

    @property
    def value(self) -> Number:
        """Its present value."""
        return Number(self._code, self._code.builder.load(self._place, typ=self._kind))

    @value.setter
    def value(self, number: Number) -> None:
        self._code.builder.store(number.value, self._place)


@dataclass(frozen=True)
class Memory:
    """An array of numbers of one kind."""

    code: "Code"
    pointer: Any
    kind: Any

    def at(self, index: "Number | int") -> "Memory":
        """The array that starts at `index`."""
        place = index.value if isinstance(index, Number) else ir.Constant(INT, index)
        return Memory(self.code, self.code.builder.gep(self.pointer, [place], source_etype=self.kind), self.kind)

    def read(self, index: "Number | int" = 0, lanes: int = 0) -> Number:
        """The number at `index`, or a vector of `lanes` numbers from there on."""
        kind = ir.VectorType(self.kind, lanes) if lanes else self.kind
        return Number(self.code, self.code.builder.load(self.at(index).pointer, align=BYTES[self.kind], typ=kind))

    def write(self, number: Number, index: "Number | int" = 0) -> None:
        """Store a number or a vector at `index`."""
        self.code.builder.store(number.value, self.at(index).pointer, align=BYTES[self.kind])

    def prefetch(self, index: "Number | int" = 0) -> None:
        """Ask for the line of the cache with the number at `index`, which will soon be read."""
        module, name = self.code.builder.module, "llvm.prefetch.p0"
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, WORD, WORD, WORD]), name)
        hints = (ir.Constant(WORD, hint) for hint in (0, 3, 1))  # to read; to keep in all caches; data
        self.code.builder.call(function, [self.at(index).pointer, *hints])


class StructView:
    """A ctypes structure, whose fields all take eight bytes, as the code sees it."""

    def __init__(self, memory: Memory, structure: type[ctypes.Structure]) -> None:
        self._memory = Memory(memory.code, memory.pointer, INT)
        self._places = {name: (place, kind) for place, (name, kind) in enumerate(structure._fields_)}  # type: ignore[misc]

    def number(self, name: str) -> Number:
        """The value of a field."""
        place, kind = self._places[name]
        return Memory(self._memory.code, self._memory.at(place).pointer, FIELD_KINDS[kind]).read()

    def set(self, name: str, number: Number) -> None:
        """Set the value of a field."""
        self._memory.write(number, self._places[name][0])

    def memory(self, name: str, kind: Any) -> Memory:
        """The array that a field points to."""
        return Memory(self._memory.code, self.number(name).value, kind)


class Code:
    """A function that is being written.

    Args:
        module: the module that the function is added to.
        name: its name.
        arguments: the kinds of its arguments.
        result: the kind of its result, or None.
        public: whether it is called from outside the module.
    """

    def __init__(self, module: Any, name: str, arguments: list[Any], result: Any = None, *, public: bool = False):
        self.function = ir.Function(module, ir.FunctionType(result or ir.VoidType(), arguments), name)
        if not public:
            self.function.linkage = "internal"
        self.builder = ir.IRBuilder(self.function.append_basic_block())
        self.arguments = list(self.function.args)

    def constant(self, kind: Any, number: float) -> Number:
        """A constant; the same in every lane of a vector."""
        if isinstance(kind, ir.VectorType):
            return Number(self, ir.Constant(kind, [number] * kind.count))
        return Number(self, ir.Constant(kind, number))

    def integer(self, number: int) -> Number:
        """An integer constant."""
        return self.constant(INT, number)

    def variable(self, first: Number) -> Variable:
        """A variable whose first value is `first`."""
        return Variable(self, first)

    def stack(self, kind: Any, count: Number) -> Memory:
        """Memory for so many numbers, until the function returns."""
        # llvmlite gives it a pointer of that kind, which refuses numbers of another; others are of no kind.
        place = self.builder.ptrtoint(self.builder.alloca(kind, count.value), INT)
        return Memory(self, self.builder.inttoptr(place, POINTER), kind)

    @contextmanager
    def count(self, stop: Number, start: "Number | int" = 0, step: int = 1) -> Iterator[Number]:
        """Run the block for start, start + step ... while below stop; yields that number."""
        builder, begin = self.builder, stop.like(start).value
        before, head, body, after = builder.block, *(builder.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        place = builder.phi(stop.kind)
        place.add_incoming(begin, before)
        number = Number(self, place)
        builder.cbranch((number < stop).value, body, after)
        builder.position_at_end(body)
        yield number
        place.add_incoming((number + step).value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)

    @contextmanager
    def repeat_while(self) -> Iterator["Break"]:
        """Repeat the block until a condition given to `unless` does not hold."""
        builder = self.builder
        body, after = builder.append_basic_block(), builder.append_basic_block()
        builder.branch(body)
        builder.position_at_end(body)
        yield Break(self, after)
        builder.branch(body)
        builder.position_at_end(after)

    @contextmanager
    def only_if(self, condition: Number) -> Iterator[None]:
        """Run the block if the condition holds."""
        with self.builder.if_then(condition.value):
            yield

    def call(self, function: Any, *arguments: Any) -> Number:
        """Call another function; returns its result."""
        values = [a.pointer if isinstance(a, Memory) else a.value if isinstance(a, Number) else a for a in arguments]
        return Number(self, self.builder.call(function, values))

    def finish(self, result: Number | None = None) -> Any:
        """Return from the function with `result`; returns the function itself."""
        if result is None:
            self.builder.ret_void()
        else:
            self.builder.ret(result.value)
        return self.function


@dataclass(frozen=True)
class Break:
    """The way out of a `repeat_while`."""

    code: Code
    after: Any

    def unless(self, condition: Number) -> None:
        """Leave the loop unless the condition holds."""
        further = self.code.builder.append_basic_block()
        self.code.builder.cbranch(condition.value, further, self.after)
        self.code.builder.position_at_end(further)
