"""From the kernel's LLVM code to functions: compiled once for each kind of processor, then read from a cache.

Compiling takes a tenth of a second, reading what was compiled a hundredth of that. The cache holds machine code, so
only a file that belongs to the user, that no one else may write, and whose checksum holds is believed; from anything
else, and where there is no cache to write to, the kernel is simply compiled again.
"""

import hashlib
import os
from contextlib import suppress
from ctypes import CFUNCTYPE, POINTER, c_double, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from charrnn.files import atomic_write
from charrnn.inference.kernel.products import Tiling
from charrnn.inference.kernel.records import Batch, Job

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
        return _made(cell)
    except (ImportError, OSError, RuntimeError):
        return None


def _made(cell: str) -> Kernel:
    import llvmlite
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    processor, features = binding.get_host_cpu_name(), binding.get_host_cpu_features()
    triple, flags = binding.get_process_triple(), features.flatten()
    tiling = tiling_for(triple, features)
    target = binding.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=processor, features=flags, opt=2, reloc="pic")

    parts = (cell, triple, processor, flags, llvmlite.__version__, str(tiling), _source())
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    path = _cache_folder() / f"kernel-{name[:24]}"
    jit = binding.create_lljit_compiler(machine)
    code = _read(path)
    if code is None:
        code = _compile(machine, tiling, cell, triple)
        with suppress(OSError), atomic_write(path) as stream:
            stream.write(hashlib.sha256(code).digest() + code)
    library = binding.JITLibraryBuilder().add_object_img(code)
    for function in FUNCTIONS:
        library.export_symbol(function)
    linked = library.link(jit, "charrnn")
    functions = {function: kind(linked[function]) for function, kind in FUNCTIONS.items()}
    return Kernel(tiling, **functions, alive=(jit, linked))


def tiling_for(triple: str, features: dict[str, bool]) -> Tiling:
    """What measured best: sums for 4 samples fill AVX's sixteen registers; others have thirty-two."""
    if features.get("avx512f"):
        return Tiling(lanes=16, vectors=2, samples=8, panels=4)
    if features.get("avx"):
        return Tiling(lanes=8, vectors=3, samples=4, panels=4)
    return Tiling(lanes=4, vectors=4, samples=2 if triple.startswith(("x86", "i")) else 6, panels=2)


def _compile(machine: Any, tiling: Tiling, cell: str, triple: str) -> bytes:
    """Object code."""
    from llvmlite import binding

    from charrnn.inference.kernel.program import emit_kernel

    emitted = emit_kernel(tiling, cell)
    emitted.triple = triple
    module = binding.parse_assembly(str(emitted))
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False  # done by hand
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


def _source() -> str:
    """What the kernel is made from, so that a change of it is a new kernel."""
    return "".join(path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("*.py")))


def _cache_folder() -> Path:
    """The user's cache, as the XDG Base Directory Specification has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "charrnn"


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
