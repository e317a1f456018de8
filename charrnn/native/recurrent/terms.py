"""The terms of products: float32 numbers, or pairs of bfloat16 numbers whose products are summed in float32.

    word        1 term (float32), or terms 2k and 2k + 1 (bfloat16) in the lower and the upper half of its bits

bfloat16 is the upper half of a float32: its range, with 8 of the 24 bits of precision. A number is rounded to the
nearest, of two as near to the even one. A processor with the instruction for pairs makes twice as many products with
it as with float32 numbers; elsewhere, and for the narrowest vectors, pairs are taken apart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from llvmlite import ir

from charrnn.native.code import WORD, Code, Number

ReadTerm = Callable[[Number], Number]
ReadWord = Callable[[ReadTerm], Number]
UPPER = 0xFFFF0000
NATIVE_LANES = (16, 8, 4)  # of the instruction: 512, 256 and 128 bits


@dataclass(frozen=True)
class Terms:
    """How products keep their terms.

    Attributes:
        bf16: as pairs of bfloat16 numbers.
        native: the processor has the instruction for them (`Processor.has_bfloat16`).
    """

    bf16: bool = False
    native: bool = False

    def count_words(self, terms: Number) -> Number:
        """The words that hold so many terms."""
        return (terms + 1) // 2 if self.bf16 else terms

    def add_product(self, factors: Number, vector: Number, total: Number) -> Number:
        """The total plus the products of two vectors of words, lane by lane."""
        if not self.bf16:
            return factors.times_plus(vector, total)
        lanes = vector.kind.count
        if self.native and lanes in NATIVE_LANES:
            return _call_instruction(total, factors, vector, lanes)
        for half in (_get_lower, _get_upper):
            total = half(factors).times_plus(half(vector), total)
        return total

    def cover_words(self, code: Code, terms: Number, body: Callable[[Number, ReadWord], None]) -> None:
        """Emit `body(k, read_word)` for each word k of so many terms.

        `read_word(read)` is the word, a vector, where `read(n)` is the vector of term n.
        """
        if not self.bf16:
            with code.count(terms) as k:
                body(k, partial(_read_term, k))
            return
        pairs = terms // 2
        with code.count(pairs) as k:
            body(k, partial(_read_pair, k))
        with code.only_if(terms > pairs * 2):
            body(pairs, partial(_read_last, pairs))


def round_bits(numbers: Number) -> Number:
    """The bits of float32 numbers, whose upper half is rounded; those of NaN as operations make it are NaN's."""
    bits = numbers.bits_as(ir.VectorType(WORD, numbers.kind.count))
    return bits + ((bits >> 16 & 1) + 0x7FFF)


def _read_term(k: Number, read: ReadTerm) -> Number:
    return read(k)


def _read_pair(k: Number, read: ReadTerm) -> Number:
    return _join(read(k * 2), read(k * 2 + 1))


def _read_last(k: Number, read: ReadTerm) -> Number:
    """The word of a term without a second one."""
    last = read(k * 2)
    return _join(last, last.like(0.0))


def _join(first: Number, second: Number) -> Number:
    """Two vectors of terms as one of words."""
    return (round_bits(first) >> 16 | round_bits(second) & UPPER).bits_as(first.kind)


def _get_lower(words: Number) -> Number:
    return (words.bits_as(ir.VectorType(WORD, words.kind.count)) << 16).bits_as(words.kind)


def _get_upper(words: Number) -> Number:
    return (words.bits_as(ir.VectorType(WORD, words.kind.count)) & UPPER).bits_as(words.kind)


def _call_instruction(total: Number, factors: Number, vector: Number, lanes: int) -> Number:
    """The total plus the products by AVX512-BF16's instruction."""
    code, words = total.code, ir.VectorType(WORD, lanes)
    kind: Any = ir.FunctionType(total.kind, [total.kind, words, words])
    name = f"llvm.x86.avx512bf16.dpbf16ps.{lanes * 32}"
    module = code.builder.module
    function = module.globals.get(name) or ir.Function(module, kind, name)
    return code.call(function, total, factors.bits_as(words), vector.bits_as(words))
