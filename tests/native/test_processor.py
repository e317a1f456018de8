import subprocess
import sys
from ctypes import c_int64

from llvmlite import ir

from charrnn.native.code import INT, Code, Number
from charrnn.native.processor import Processor, Tiling
from tests.native.machine import Function


def test_compiled_code_runs() -> None:
    module = ir.Module("test")
    code = Code(module, "add", [INT, INT], INT, public=True)
    code.finish(Number(code, code.arguments[0]) + Number(code, code.arguments[1]))
    assert Function(module, "add", c_int64, c_int64, c_int64)(40, 2) == 42


def test_the_same_module_compiles_to_the_same_bytes() -> None:
    def compile_it() -> bytes:
        module = ir.Module("test")
        code = Code(module, "constant", [], INT, public=True)
        code.finish(code.integer(7))
        return Processor().compile(module)

    assert compile_it() == compile_it()


def test_a_panel_s_rows_are_its_vectors() -> None:
    assert Tiling(lanes=8, vectors=3, samples=4, panels=4).rows == 24
    assert Processor().tiling.lanes in (4, 8, 16)


def test_generation_can_be_imported_where_llvmlite_cannot() -> None:
    program = "import sys; sys.modules['llvmlite'] = None; import charrnn.inference.generation.samples"
    subprocess.run([sys.executable, "-c", program], check=True)
