"""Errors that a user can cause: one root, one clear line each; everything else is a bug and shows its traceback."""


class CharrnnError(Exception):
    """Root of all errors of the user's world.

    The message says what is wrong, what was found, and what to type instead. The command line prints it and
    ends with `exit_code`.
    """

    exit_code = 1


class UsageError(CharrnnError):
    """Options that cannot work; several problems are one message of several lines."""

    exit_code = 2


class CorpusError(CharrnnError):
    """A text that cannot be read or learned from."""


class ModelFileError(CharrnnError):
    """A file that is not a whole, valid model."""


class TrainingError(CharrnnError):
    """Training that cannot start or go on."""


class GenerationError(CharrnnError):
    """Text that cannot be generated or scored as asked."""


class OutputError(CharrnnError):
    """A file that cannot be written as asked."""


class InspectionError(CharrnnError):
    """A look inside a model that cannot be taken as asked."""


def quote_value(value: object) -> str:
    """What a file says, short and without control characters."""
    try:
        said = ascii(value)
    except ValueError:  # a whole number of thousands of digits
        said = "a number of absurd size"
    return said if len(said) <= 60 else f"{said[:60]}..."
