"""This machine's processor as LLVM describes it, and the way from LLVM code to functions that can be called."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


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
    """The processor that this process runs on.

    Attributes:
        name: everything that machine code for it depends on: triple, model and features.
        tiling: the tiling of products that measured best on its kind.

    Raises:
        ImportError: if llvmlite cannot be loaded.
        RuntimeError: if LLVM does not know the processor.
    """

    def __init__(self) -> None:
        from llvmlite import binding

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        triple, model, features = binding.get_process_triple(), binding.get_host_cpu_name(), _features()
        flags = ",".join(("+" if has else "-") + feature for feature, has in sorted(features.items()))
        target = binding.Target.from_triple(triple)
        self._machine = target.create_target_machine(cpu=model, features=flags, opt=2, reloc="pic")
        self.name = f"{triple} {model} {flags}"
        if features.get("avx512f"):
            self.tiling = Tiling(lanes=16, vectors=2, samples=8, panels=4)
        elif features.get("avx"):
            self.tiling = Tiling(lanes=8, vectors=3, samples=4, panels=4)  # these fill its sixteen registers
        else:
            self.tiling = Tiling(lanes=4, vectors=2, samples=4, panels=4)

    def compile(self, module: Any) -> bytes:
        """The object code of a module of llvmlite's."""
        from llvmlite import binding

        module.triple = self._machine.triple
        parsed = binding.parse_assembly(str(module))
        passes = binding.create_new_module_pass_manager()
        passes.add_sroa_pass()  # variables to registers; all of LLVM's other passes together gained nothing
        passes.run(parsed, binding.create_pass_builder(self._machine, binding.create_pipeline_tuning_options()))
        code: bytes = self._machine.emit_object(parsed)
        return code

    def load(self, code: bytes, functions: Iterable[str]) -> tuple[dict[str, int], Any]:
        """Load object code into this process.

        Returns the addresses of its functions by name, and the object that owns their memory: the addresses are valid
        as long as it lives.
        """
        from llvmlite import binding

        jit = binding.create_lljit_compiler(self._machine)
        library = binding.JITLibraryBuilder().add_object_img(code)
        for function in functions:
            library.export_symbol(function)
        tracker = library.link(jit, "charrnn")
        return {function: tracker[function] for function in functions}, (jit, tracker)


def _features() -> dict[str, bool]:
    """The processor's optional features; none where the system does not report them."""
    from llvmlite import binding

    try:
        return dict(binding.get_host_cpu_features())
    except RuntimeError:
        return {}
