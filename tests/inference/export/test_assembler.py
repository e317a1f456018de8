import pytest

from charrnn.inference.export.assembler import Function, encode_module, encode_signed, encode_unsigned
from charrnn.inference.export.kernel import assemble_kernel


@pytest.mark.parametrize(
    ("number", "written"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**32, "8080808010")]
)
def test_unsigned_numbers(number: int, written: str) -> None:
    assert encode_unsigned(number).hex() == written


@pytest.mark.parametrize(
    ("number", "written"), [(0, "00"), (63, "3f"), (64, "c000"), (-1, "7f"), (-64, "40"), (-65, "bf7f"), (16, "10")]
)
def test_signed_numbers(number: int, written: str) -> None:
    assert encode_signed(number).hex() == written


def test_a_module_has_its_sections_in_order_and_of_their_sizes() -> None:
    function = Function("double", 1)
    (at,) = function.parameters
    function.store(at, function.keep(function.load(at)) * 2.0)
    for written in (encode_module([function]), assemble_kernel()):
        assert written[:8] == b"\0asm\1\0\0\0"
        numbers, rest = [], written[8:]
        while rest:
            size = shift = used = 0
            while True:
                used += 1
                size |= (rest[used] & 0x7F) << shift
                shift += 7
                if rest[used] < 0x80:
                    break
            numbers.append(rest[0])
            rest = rest[1 + used + size :]
        assert numbers == [1, 2, 3, 7, 10]
        assert b"\x03env\x06memory" in written
    assert all(name in assemble_kernel() for name in (b"\x06matvec", b"\x04lstm", b"\x03gru", b"\x03rnn"))
