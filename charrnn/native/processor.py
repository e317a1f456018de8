"""This machine's processor as LLVM describes it, and the way from LLVM code to functions that can be called."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from charrnn.native.image import MARK, link_image, map_image


@dataclass(frozen=True)
class Tiling:
    """How products use the processor's registers.

    Attributes:
        lanes: floats in a vector.
        vectors: vectors in a panel.
        samples: samples in a tile.
        panels: panels that a lone sample takes at once.
    """

    lanes: int
    vectors: int
    samples: int
    panels: int

    @property
    def rows(self) -> int:
        """P, the rows of a panel."""
        return self.lanes * self.vectors


class Processor:
    """The processor that this process runs on; LLVM is loaded when something is compiled, or to ask for its features.

    Attributes:
        name: everything that machine code for it depends on.
        tiling: the tiling of products that measured best on its kind.
        has_bfloat16: whether it has AVX-512's instruction for products of bfloat16 numbers.

    Raises:
        ImportError: if llvmlite is needed and cannot be loaded.
        RuntimeError: if LLVM does not know the processor.
    """

    def __init__(self) -> None:
        self._cpuinfo = _read_cpuinfo()
        features = self._cpuinfo.split() if self._cpuinfo else [name for name, has in _get_features().items() if has]
        self.name = self._cpuinfo or self._describe()
        self.has_bfloat16 = not {"avx512_bf16", "avx512bf16"}.isdisjoint(features)  # Linux's and LLVM's name
        if "avx512f" in features:
            self.tiling = Tiling(lanes=16, vectors=2, samples=8, panels=4)
        elif "avx" in features:
            self.tiling = Tiling(lanes=8, vectors=3, samples=4, panels=4)  # these fill its sixteen registers
        else:
            self.tiling = Tiling(lanes=4, vectors=2, samples=4, panels=4)

    @cached_property
    def _machine(self) -> Any:
        """LLVM's target machine for it. The parts of an image are near each other: LLVM's "small" code model."""
        from llvmlite import binding

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        target = binding.Target.from_triple(binding.get_process_triple())
        model = "small" if self._cpuinfo else "jitdefault"
        return target.create_target_machine(
            cpu=binding.get_host_cpu_name(), features=_format_features(), opt=2, reloc="pic", codemodel=model
        )

    def _describe(self) -> str:
        """Its triple, model and features in LLVM's words."""
        from llvmlite import binding

        return f"{binding.get_process_triple()} {binding.get_host_cpu_name()} {_format_features()}"

    def compile(self, module: Any) -> bytes:
        """The code of an llvmlite module: an image where that is possible, object code elsewhere."""
        from llvmlite import binding

        module.triple = self._machine.triple
        parsed = binding.parse_assembly(str(module))
        passes = binding.create_new_module_pass_manager()
        passes.add_sroa_pass()  # variables to registers; all of LLVM's other passes together gained nothing
        passes.run(parsed, binding.create_pass_builder(self._machine, binding.create_pipeline_tuning_options()))
        code: bytes = self._machine.emit_object(parsed)
        return (link_image(code) if self._cpuinfo else None) or code

    def load(self, code: bytes, functions: Iterable[str]) -> tuple[dict[str, int], Any]:
        """Load code into this process.

        Returns the addresses of its functions by name, and the object that owns their memory: the addresses are valid
        as long as it lives.
        """
        if code.startswith(MARK):
            return map_image(code, functions)
        from llvmlite import binding

        jit = binding.create_lljit_compiler(self._machine)
        library = binding.JITLibraryBuilder().add_object_img(code)
        for function in functions:
            library.export_symbol(function)
        tracker = library.link(jit, "charrnn")
        return {function: tracker[function] for function in functions}, (jit, tracker)


def _read_cpuinfo() -> str:
    """The processor's model and features in the words of Linux, if it is one that images are made for, or ""."""
    if sys.platform != "linux" or os.uname().machine != "x86_64" or sys.maxsize < 2**32:
        return ""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - no more is needed
            first = file.read(16384).partition("\n\n")[0]
    except OSError:
        return ""
    lines = [line for line in first.splitlines() if line.startswith(("vendor_id", "cpu family", "model\t", "flags"))]
    return "\n".join(lines) if len(lines) == 4 else ""


def _get_features() -> dict[str, bool]:
    """The processor's optional features as LLVM names them; none where the system does not report them."""
    from llvmlite import binding

    try:
        return dict(binding.get_host_cpu_features())
    except RuntimeError:
        return {}


def _format_features() -> str:
    return ",".join(("+" if has else "-") + feature for feature, has in sorted(_get_features().items()))
