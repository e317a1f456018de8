"""Machine code that runs wherever it lies in memory, so that it is loaded without a linker, and without LLVM.

Object code leaves open how far its functions and constants are from each other. An image has them filled in: it is a
line of JSON with the place of each public function, then functions and constants as they lie in memory. Images are
made from ELF files for x86-64 whose parts refer to each other by distances of four bytes, and to nothing else; see
the System V Application Binary Interface, AMD64 Architecture Processor Supplement, section 4.4.
"""

import ctypes
import json
import mmap
import struct
from collections.abc import Iterable, Iterator
from typing import Any

MARK = b'{"charrnn image":'
ELF, X86_64 = b"\x7fELF\x02\x01", 62
SECTION, SYMBOL, RELOCATION = (struct.Struct(f"<{fields}") for fields in ("IIQQQQIIQQ", "IBBHQQ", "QQq"))
CODE, SYMBOLS, RELOCATIONS, NO_BITS = 1, 2, 4, 8  # types of sections
WRITABLE, IN_MEMORY = 1, 2  # flags of sections
PUBLIC_FUNCTION = 0x12
DISTANCES = (2, 4)  # types of relocations: R_X86_64_PC32, and R_X86_64_PLT32, the same for a function that is near


def link_image(code: bytes) -> bytes | None:
    """The image of object code, or None if it is of another kind, writes to memory of its own, or needs a library."""
    if not code.startswith(ELF) or int.from_bytes(code[18:20], "little") != X86_64:
        return None
    (table,), (count,) = struct.unpack_from("<Q", code, 40), struct.unpack_from("<H", code, 60)
    sections = [SECTION.unpack_from(code, table + number * SECTION.size) for number in range(count)]
    image, places = bytearray(), {}
    for number, (_, kind, flags, _, begin, size, _, _, alignment, _) in enumerate(sections):
        if flags & IN_MEMORY and size and (flags & WRITABLE or kind == NO_BITS):
            return None
        if flags & IN_MEMORY and kind == CODE:
            image += bytes(-len(image) % alignment)
            places[number] = len(image)
            image += code[begin : begin + size]
    names, symbols = _read_symbols(code, sections)
    for section in sections:
        if section[1] == RELOCATIONS and section[7] in places:
            for offset, information, addend in _read_entries(code, section, RELOCATION):
                owner, value = symbols[information >> 32][3:5]
                if owner not in places or information & 0xFFFFFFFF not in DISTANCES:
                    return None
                place = places[section[7]] + offset
                struct.pack_into("<i", image, place, places[owner] + value + addend - place)
    functions = {
        name: places[symbol[3]] + symbol[4]
        for name, symbol in zip(names, symbols, strict=True)
        if symbol[1] == PUBLIC_FUNCTION and symbol[3] in places
    }
    return MARK + json.dumps(functions).encode() + b"}\n" + image


def _read_symbols(code: bytes, sections: list[Any]) -> tuple[list[str], list[Any]]:
    """The names of all symbols, and their records."""
    symbols = next(section for section in sections if section[1] == SYMBOLS)
    strings = sections[symbols[6]][4]
    records = list(_read_entries(code, symbols, SYMBOL))
    return [code[strings + r[0] : code.index(b"\0", strings + r[0])].decode() for r in records], records


def _read_entries(code: bytes, section: Any, layout: struct.Struct) -> Iterator[Any]:
    """The records of a section."""
    return layout.iter_unpack(code[section[4] : section[4] + section[5]])


def map_image(content: bytes, functions: Iterable[str]) -> tuple[dict[str, int], Any]:
    """The addresses of an image's functions by name, valid as long as the object that owns their memory lives.

    Raises:
        OSError: if the system allows no code there.
    """
    head, _, image = content.partition(b"\n")
    places = json.loads(head)["charrnn image"]
    memory = mmap.mmap(-1, len(image), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(image)
    owner = ctypes.c_char.from_buffer(memory)
    address = ctypes.addressof(owner)
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    if protect(ctypes.c_void_p(address), ctypes.c_size_t(len(image)), mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "machine code is not allowed here")
    return {name: address + places[name] for name in functions}, (memory, owner)
