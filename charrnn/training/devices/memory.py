"""Room for PyTorch, which aborts the process, or fails in the middle of an import, if memory ends while it loads."""

import mmap
import sys

from charrnn.errors import FREE_MEMORY, TrainingError

PYTORCH = 5 * 2**27  # bytes of address space that its library for CPUs takes


def require_room_for_pytorch() -> None:
    """Raise a TrainingError if PyTorch cannot be loaded, by reserving the memory and giving it back."""
    if "torch" in sys.modules:
        return
    try:
        mmap.mmap(-1, PYTORCH).close()
    except OSError:
        raise TrainingError(
            f"out of memory: PyTorch, which training needs, takes about {PYTORCH / 1e9:.1f} GB; {FREE_MEMORY}"
        ) from None
