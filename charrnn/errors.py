"""Errors that a user can cause, each with a message of one line; any other exception is a bug."""

import errno


class CharrnnError(Exception):
    """Base class of all errors that a user can cause.

    The message says what is wrong, what was found, and what to type instead. The command line prints it and exits
    with `exit_code`.
    """

    exit_code = 1


class UsageError(CharrnnError):
    """Invalid options; several errors are one message of several lines."""

    exit_code = 2


class CorpusError(CharrnnError):
    """A text that cannot be read or learned from."""


class ModelFileError(CharrnnError):
    """A file that is not a complete, valid model."""


class TrainingError(CharrnnError):
    """Training that cannot start or continue."""


class GenerationError(CharrnnError):
    """Text that cannot be generated or scored."""


class PatternError(GenerationError):
    """A regular expression that no generated text can follow."""

    exit_code = UsageError.exit_code


class OutputError(CharrnnError):
    """A file that cannot be written as asked."""


class InspectionError(CharrnnError):
    """A model that cannot be inspected in this way."""


FREE_MEMORY = "close other programs, or raise the limit that ulimit -v shows"
MEMORY_WORDS = (
    *("can't allocate memory", "cannot allocate memory", "not enough memory", "bad_alloc", "out of memory"),
    *("could not create a memory", "could not create a primitive", "could not execute a primitive"),
    *("can't start new thread", "failed to map segment"),
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out; PyTorch, oneDNN, threads and libraries have no type for that."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError | ImportError) and any(words in str(error).lower() for words in MEMORY_WORDS)


def quote_value(value: object) -> str:
    """A value from a file for a message, in at most 60 printable ASCII characters."""
    try:
        quoted = ascii(value)
    except ValueError:  # Python converts no longer integers to text
        quoted = "an integer of thousands of digits"
    return quoted if len(quoted) <= 60 else f"{quoted[:60]}..."
