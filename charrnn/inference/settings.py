"""Settings of generating, and those that all commands with a model share: defaults, limits and help texts."""

from dataclasses import dataclass
from typing import ClassVar

from charrnn.settings import TEXT, setting

SAMPLING, ADAPTATION, RUN = "Sampling", "Adaptation", "The run"


@dataclass(frozen=True)
class PrimeSettings:
    """The text to continue, and what is added to it."""

    panel: ClassVar[str] = TEXT
    prime: str | None = setting(None, "Text to continue.", short="-p")
    label: str | None = setting(
        None, "Generate text with this label, if the model has labels.", shown_default="drawn by frequency"
    )
    prime_file: str | None = setting(None, "Read the prime from a file; - is stdin.")
    length: int = setting(
        1000, "Characters to add; a word model ends with the word that reaches this length.", short="-l", at_least=0
    )
    samples: int = setting(1, "Texts to generate, side by side.", short="-n", at_least=1, at_most=100_000)
    stop: list[str] | None = setting(
        None,
        "End a text before this string, which is not printed; \\n is a line end, \\t a tab, \\\\ a backslash; may be "
        "repeated.",
    )
    lines: bool = setting(False, "Write one item a line: end a text before its first line end, as --stop '\\n' does.")
    match: str | None = setting(
        None,
        "Every text matches this regular expression (Python's syntax) in full, after the prime. Where a text may end, "
        "it ends if the model would go on with a character that the expression does not allow. --length is the limit.",
    )
    interactive: bool = setting(
        False,
        "Write in turns: type a text, get a continuation of 200 characters unless --length is given, or -n of them to "
        "choose from; ? shows the commands.",
    )
    echo: bool = setting(True, "Print the prime too.", off_flag="--no-echo")
    unknown: str = setting(
        "error",
        "Characters or words of the prime that are not in the model's vocabulary: error or skip.",
        choices=("error", "skip"),
    )


@dataclass(frozen=True)
class SamplingSettings:
    """How a character is drawn from the model's probabilities."""

    panel: ClassVar[str] = SAMPLING
    temperature: float = setting(
        0.8,
        "Below 1 safer and more repetitive, above 1 wilder; 0 always takes the likeliest.",
        short="-t",
        at_least=0,
        at_most=100,
    )
    top_k: int | None = setting(
        None,
        "Sample from the K likeliest characters only; 1 always takes the likeliest.",
        at_least=1,
        at_most=2**31 - 1,
    )
    top_p: float | None = setting(
        None,
        "Sample from the likeliest characters that together reach probability P; 0.9 drops the unlikely tail.",
        above=0,
        at_most=1,
    )
    min_p: float | None = setting(
        None,
        "Leave out characters less than P times as likely as the likeliest; 0.05 allows a higher temperature.",
        at_least=0,
        at_most=1,
    )
    best: int = setting(
        1,
        "Make K texts for each one printed, and keep the one with the lowest loss per character. Useful at "
        "temperatures of 0.7 and more; far below, the K are alike, and the best one is the dullest.",
        at_least=1,
        at_most=10_000,
    )
    seed: int | None = setting(
        None,
        "The same seed gives the same text; sample i has seed + i. If not given, one is chosen and printed.",
        at_least=0,
        at_most=2**63 - 1,
    )


@dataclass(frozen=True)
class UseSettings:
    """The model; commands that have no other settings of it compute with NumPy on the CPU."""

    panel: ClassVar[str] = RUN
    model: str | None = setting(
        None, "Model file, or its name in models/.", short="-m", shown_default="newest in models/", model=True
    )


@dataclass(frozen=True)
class GenerationSettings(UseSettings):
    """The model and its device, for a command that can use a GPU."""

    device: str = setting(
        "auto",
        "auto is the CPU, with NumPy; cuda and mps, with PyTorch, are faster for large models and many samples.",
        choices=("auto", "cpu", "cuda", "mps"),
    )


@dataclass(frozen=True)
class OutputSettings:
    """The format of stdout, and whether to use stderr."""

    panel: ClassVar[str] = RUN
    json: bool = setting(False, "Machine-readable output on stdout.")
    quiet: bool = setting(False, "Write nothing but errors to stderr.", short="-q")


@dataclass(frozen=True)
class AdaptSettings:
    """The text that a model learns from before `charrnn generate` writes."""

    panel: ClassVar[str] = ADAPTATION
    adapt: str | None = setting(
        None,
        "Let a copy of the model read this text first, learning from it, and go on where it ends, or with the prime, "
        "if there is one; - is stdin.",
    )
    output: str | None = setting(None, "Save the adapted model to this file.", short="-o")
    overwrite: bool = setting(False, "Replace the file if it exists.")
