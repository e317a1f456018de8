"""The command `charrnn`, and `python -m charrnn`."""

import gc
import sys

from charrnn.cli.interrupts import exit_on_interrupt
from charrnn.errors import FREE_MEMORY, is_out_of_memory

YOUNG = 20_000  # objects before the first look for cycles among them: there are few in what is imported, which stays


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback while its modules are loading, too."""
    exit_on_interrupt()
    gc.set_threshold(YOUNG)
    try:
        from charrnn.cli.app import main as run
    except (MemoryError, ImportError) as error:
        if is_out_of_memory(error):
            sys.exit(f"charrnn: out of memory; {FREE_MEMORY}")
        raise
    run()


if __name__ == "__main__":
    main()
