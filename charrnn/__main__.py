"""The command `charrnn`, and `python -m charrnn`."""

from charrnn.cli.interrupts import exit_on_interrupt


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback while its modules are loading, too."""
    exit_on_interrupt()
    from charrnn.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
