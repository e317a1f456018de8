import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
from llvmlite import ir

from charrnn.native import processor
from charrnn.native.code import DOUBLE, FLOAT, INT, Code, Number
from charrnn.native.functions import exp
from charrnn.native.image import MARK, link_image, map_image
from charrnn.native.processor import Processor

ROOT = Path(__file__).parents[2]
BINARY = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_double)
linux = pytest.mark.skipif(not Processor()._cpuinfo, reason="images are for Linux on x86-64")


def write_module() -> ir.Module:
    """A public function that calls another one and has constants."""
    module = ir.Module("test")
    inner = Code(module, "inner", [DOUBLE], DOUBLE)
    inner.function.attributes.add("noinline")
    x = Number(inner, inner.arguments[0])
    inner.finish(exp(x.convert("fptrunc", FLOAT).spread(4)).lane(0).convert("fpext", DOUBLE) * 2.5)
    outer = Code(module, "outer", [DOUBLE, DOUBLE], DOUBLE, public=True)
    first, second = (Number(outer, argument) for argument in outer.arguments)
    outer.finish(outer.call(inner.function, first) + outer.call(inner.function, second) * 0.125)
    return module


@pytest.mark.parametrize("as_image", [pytest.param(True, marks=linux), False])
def test_code_is_the_same_as_an_image_and_as_linked_by_llvm(as_image: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not as_image:
        monkeypatch.setattr(processor, "_read_cpuinfo", lambda: "")
    this = Processor()
    code = this.compile(write_module())
    assert code.startswith(MARK) == as_image
    addresses, alive = this.load(code, ["outer"])
    assert BINARY(addresses["outer"])(0.0, -1.0) == pytest.approx(2.5 * (1 + 0.125 * 0.36787944117), rel=1e-6)
    assert alive


@linux
def test_loaded_code_cannot_be_written() -> None:
    this = Processor()
    addresses, _alive = this.load(this.compile(write_module()), ["outer"])
    for line in Path("/proc/self/maps").read_text().splitlines():
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        if begin <= addresses["outer"] < end:
            assert line.split()[1] == "r-xp"
            return
    raise AssertionError("the code is nowhere")


@linux
def test_memory_that_may_not_hold_code_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    code = Processor().compile(write_module())
    monkeypatch.setattr("mmap.PROT_EXEC", 1 << 30)  # no such protection
    with pytest.raises(OSError, match="not allowed"):
        map_image(code, ["outer"])


def emit_object(module: ir.Module) -> bytes:
    """Object code, as LLVM emits it."""
    from llvmlite import binding

    code: bytes = Processor()._machine.emit_object(binding.parse_assembly(str(module)))
    return code


@linux
def test_code_that_needs_more_than_itself_is_left_to_llvm() -> None:
    module = write_module()
    assert link_image(emit_object(module)) is not None
    outside = ir.Function(module, ir.FunctionType(INT, []), "getpid")
    code = Code(module, "call_outside", [], INT, public=True)
    code.finish(Number(code, code.builder.call(outside, [])))
    assert link_image(emit_object(module)) is None

    module = write_module()
    ir.GlobalVariable(module, INT, "counter").initializer = ir.Constant(INT, 7)
    assert link_image(emit_object(module)) is None


@linux
def test_code_for_another_processor_is_left_to_llvm() -> None:
    code = bytearray(emit_object(write_module()))
    assert link_image(b"no ELF") is None
    code[18:20] = (183).to_bytes(2, "little")  # AArch64
    assert link_image(bytes(code)) is None


@linux
def test_generation_loads_no_llvm_once_its_code_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load = "from charrnn.inference.generation.kernel.compiled import load_kernel; assert load_kernel('gru')"
    for block in ("", "import sys; sys.modules['llvmlite.binding'] = sys.modules['llvmlite.ir'] = None; "):
        subprocess.run([sys.executable, "-c", block + load], check=True, cwd=ROOT)
