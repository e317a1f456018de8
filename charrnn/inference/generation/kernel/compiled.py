"""From the kernel's LLVM code to functions: compiled once for each kind of processor, then read from a cache.

Compiling takes some 70 ms, reading what was compiled one or two. The cache holds machine code, so
only a file that belongs to the user, that no one else may write, and whose checksum holds is believed; from anything
else, and where there is no cache to write to, the kernel is simply compiled again.
"""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from ctypes import CFUNCTYPE, POINTER, c_double, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from charrnn.files import atomic_write
from charrnn.inference.generation.kernel.records import Batch, Job
from charrnn.native.products import Tiling

CHECKSUM = hashlib.sha256().digest_size
RUN_JOB = CFUNCTYPE(None, POINTER(Job), c_int64, c_int64)
NETWORK = CFUNCTYPE(None, POINTER(Batch))
CHOOSE = CFUNCTYPE(c_int64, POINTER(Batch), c_void_p, c_double, c_void_p)
WRITE = CFUNCTYPE(c_int64, POINTER(Batch), c_int64, c_void_p, c_void_p, c_void_p)
FUNCTIONS = {"run_job": RUN_JOB, "network": NETWORK, "choose": CHOOSE, "write": WRITE}


@dataclass(frozen=True)
class Kernel:
    """The kernel's functions; they let go of Python's lock while they run. `alive` holds their memory."""

    tiling: Tiling
    run_job: Any
    network: Any
    choose: Any
    write: Any
    alive: Any


@cache
def kernel(cell: str) -> Kernel | None:
    """The kernel for a kind of cell, or None on a system where llvmlite cannot be loaded or make code that runs."""
    try:
        from llvmlite import __version__

        processor = Processor()
        parts = (cell, processor.name, str(processor.tiling), __version__, _source())
        path = _cache_folder() / f"kernel-{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"
        code = _read(path)
        if code is None:
            code = processor.compiled(cell, processor.tiling)
            with suppress(OSError), atomic_write(path) as stream:
                stream.write(hashlib.sha256(code).digest() + code)
        return processor.linked(code, processor.tiling)
    except (ImportError, OSError, RuntimeError):
        return None


class Processor:
    """This machine's processor, as LLVM knows it.

    Attributes:
        name: all that its machine code depends on.
        tiling: what measured best on such.

    Raises:
        RuntimeError: if LLVM does not know it.
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

    def compiled(self, cell: str, tiling: Tiling) -> bytes:
        """The kernel's object code."""
        from charrnn.inference.generation.kernel.program import emit_kernel

        return self.object_code(emit_kernel(tiling, cell))

    def object_code(self, emitted: Any) -> bytes:
        """Object code of any module."""
        from llvmlite import binding

        emitted.triple = self._machine.triple
        module = binding.parse_assembly(str(emitted))
        passes = binding.create_new_module_pass_manager()
        passes.add_sroa_pass()  # variables to registers; all of LLVM's other passes together gained nothing
        passes.run(module, binding.create_pass_builder(self._machine, binding.create_pipeline_tuning_options()))
        code: bytes = self._machine.emit_object(module)
        return code

    def addresses(self, code: bytes, functions: Iterable[str]) -> tuple[dict[str, int], Any]:
        """Where object code's functions are, and what keeps them there."""
        from llvmlite import binding

        jit = binding.create_lljit_compiler(self._machine)
        library = binding.JITLibraryBuilder().add_object_img(code)
        for function in functions:
            library.export_symbol(function)
        tracker = library.link(jit, "charrnn")
        return {function: tracker[function] for function in functions}, (jit, tracker)

    def linked(self, code: bytes, tiling: Tiling) -> Kernel:
        """The kernel, from its object code."""
        found, alive = self.addresses(code, FUNCTIONS)
        return Kernel(tiling, **{name: kind(found[name]) for name, kind in FUNCTIONS.items()}, alive=alive)


def _features() -> dict[str, bool]:
    """What the processor can do beyond its kind's least; nothing where the system does not tell."""
    from llvmlite import binding

    try:
        return dict(binding.get_host_cpu_features())
    except RuntimeError:
        return {}


def _source() -> str:
    """What the kernel is made from, so that a change of it is a new kernel."""
    here = Path(__file__).parent
    folders = (here, here.parents[2] / "native")
    return "".join(path.read_text("utf-8") for folder in folders for path in sorted(folder.glob("*.py")))


def _cache_folder() -> Path:
    """The user's cache, as the XDG Base Directory Specification has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "charrnn")  # noqa: PTH111 - never fails


def _read(path: Path) -> bytes | None:
    """The machine code in a file of the cache, if it may be believed."""
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            content = stream.read()
    except OSError:
        return None
    if hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o002):
        return None
    code = content[CHECKSUM:]
    return code if hashlib.sha256(code).digest() == content[:CHECKSUM] else None
