"""Settings of the commands that use a model: defaults, limits and help texts."""

from dataclasses import dataclass
from typing import ClassVar

from charrnn.settings import TEXT, auto_setting, setting

SAMPLING, ADAPTATION, RUN = "Sampling", "Adaptation", "The run"
LOOK, FILES = "Inspection", "Files"
MAX_SHOWN = 16_000  # characters, the widest canvas of browsers


@dataclass(frozen=True)
class PrimeSettings:
    """The text to continue, and what is added to it."""

    panel: ClassVar[str] = TEXT
    prime: str | None = setting(None, "Text to continue.", short="-p")
    label: str | None = setting(
        None, "Generate text with this label, if the model has labels.", shown_default="drawn at random, by frequency"
    )
    prime_file: str | None = setting(None, "Read the prime from a file; - is stdin.")
    length: int = setting(
        1000,
        "Number of characters to add; a word model stops after the word that reaches this number.",
        short="-l",
        at_least=0,
    )
    samples: int = setting(1, "Number of texts to generate.", short="-n", at_least=1, at_most=100_000)
    stop: list[str] | None = setting(
        None,
        "Stop before this string, which is not printed; \\n is a line end, \\t a tab, \\\\ a backslash. Can be given "
        "more than once.",
    )
    lines: bool = setting(
        False, "Print one item per line: stop each text before its first line end, as --stop '\\n' does."
    )
    match: str | None = setting(
        None,
        "The text after the prime matches this whole regular expression (Python's syntax). Once it matches, it ends as "
        "soon as the model would continue with a character that the expression does not allow. --length is the limit.",
    )
    interactive: bool = setting(
        False,
        "Write in turns: type a text and get a continuation, or -n of them to choose from, of 200 characters unless "
        "--length is given; ? shows the commands.",
    )
    echo: bool = setting(True, "Print the prime as well.", off_flag="--no-echo")
    unknown: str = setting(
        "error",
        "What to do with characters or words of the prime that are not in the model's vocabulary.",
        choices=("error", "skip"),
    )


@dataclass(frozen=True)
class SamplingSettings:
    """How a character is drawn from the model's probabilities."""

    panel: ClassVar[str] = SAMPLING
    temperature: float = setting(
        0.8,
        "Below 1, text is safer and more repetitive; above 1, it is wilder; 0 always takes the likeliest character.",
        short="-t",
        at_least=0,
        at_most=100,
    )
    top_k: int | None = setting(
        None,
        "Sample only from the N likeliest characters; 1 always takes the likeliest.",
        at_least=1,
        at_most=2**31 - 1,
    )
    top_p: float | None = setting(
        None,
        "Sample only from the likeliest characters that together reach probability X; 0.9 cuts off the unlikely tail.",
        above=0,
        at_most=1,
    )
    min_p: float | None = setting(
        None,
        "Leave out characters that are less than X times as likely as the likeliest; 0.05 allows higher temperatures.",
        at_least=0,
        at_most=1,
    )
    best: int = setting(
        1,
        "Generate N texts for each one printed, and keep the one with the lowest loss per character. Useful at "
        "temperatures of 0.7 and above; far below, the texts are alike, and the best one is the dullest.",
        at_least=1,
        at_most=10_000,
    )
    seed: int | None = setting(
        None,
        "The same seed gives the same text; sample i uses seed + i. If no seed is given, one is chosen and printed.",
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
        "auto uses NumPy on the CPU; cuda and mps use PyTorch, and are faster for large models and many samples.",
        choices=("auto", "cpu", "cuda", "mps"),
    )


@dataclass(frozen=True)
class OutputSettings:
    """The format of stdout, and whether to use stderr."""

    panel: ClassVar[str] = RUN
    json: bool = setting(False, "Print JSON to stdout, one object per line.")
    quiet: bool = setting(False, "Print only errors to stderr.", short="-q")


@dataclass(frozen=True)
class AdaptSettings:
    """The text that a model learns from before `charrnn generate` writes."""

    panel: ClassVar[str] = ADAPTATION
    adapt: str | None = setting(
        None,
        "Before generating, let a copy of the model read this text and learn from it. It then continues from the end "
        "of this text, or from the prime if there is one; - is stdin.",
    )
    output: str | None = setting(None, "Save the adapted model to this file.", short="-o")
    overwrite: bool = setting(False, "Replace the file if it exists.")


@dataclass(frozen=True)
class UnitSettings:
    """What `charrnn inspect` shows of a language model's units."""

    panel: ClassVar[str] = LOOK
    layer: int | None = setting(
        None, "Look at this layer only; the first is 0.", at_least=0, shown_default="all layers"
    )
    unit: int | None = setting(
        None,
        "Colour the text by this unit of the top layer, or of --layer; the first is 0.",
        at_least=0,
        shown_default="the units with the clearest properties",
    )
    state: str = setting(
        "hidden", "State of the units to look at; cell is the cell state of an LSTM.", choices=("hidden", "cell")
    )
    find: bool = setting(False, "Rank units by how well they follow properties of the text.")
    match: str | None = setting(
        None,
        "Rank units by how well they follow matches of a regular expression; with --find, also by other properties.",
    )
    top: int = setting(1, "Number of units to list for each property.", at_least=1, at_most=100)
    unknown: str = setting(
        "error", "What to do with characters that are not in the model's vocabulary.", choices=("error", "skip")
    )
    npz: str | None = setting(None, "Write activations and gates to this file, as NumPy arrays.", group=FILES)

    @property
    def ranking(self) -> bool:
        """Whether units are ranked."""
        return self.find or self.match is not None


@dataclass(frozen=True)
class SpanSettings:
    """How much of the text `charrnn inspect` reads and shows."""

    panel: ClassVar[str] = LOOK
    length: int = setting(10_000, "Number of characters to read.", short="-l", at_least=1)
    shown: int | None = auto_setting("Number of characters to draw, of those read.", at_least=1, at_most=MAX_SHOWN)


@dataclass(frozen=True)
class PageSettings:
    """The page that `charrnn inspect` writes."""

    panel: ClassVar[str] = FILES
    html: str | None = setting(None, "Write an interactive HTML page to this file.")
    overwrite: bool = setting(False, "Replace existing files.")


@dataclass(frozen=True)
class ClassifySettings:
    """What `charrnn classify` prints of each line."""

    panel: ClassVar[str] = RUN
    all: bool = setting(False, "Print the probability of every label.")


@dataclass(frozen=True)
class PlotSettings:
    """The plots that `charrnn evaluate` writes of a classifier."""

    panel: ClassVar[str] = RUN
    plot: str | None = setting(None, "Plot a classifier's ROC curve and confusion matrix to this .png or .svg file.")
    overwrite: bool = setting(False, "Replace the plot if it exists.")


@dataclass(frozen=True)
class ExportSettings:
    """What is exported, and to which file."""

    model: str | None = setting(
        None, "Model file, or its name in models/.", short="-m", shown_default="newest in models/", model=True
    )
    output: str | None = setting(
        None,
        "File to write (required): NAME.html is a page that generates text in a browser, NAME.onnx a graph for other "
        "programs.",
        short="-o",
    )
    overwrite: bool = setting(False, "Replace the file if it exists.")
    quiet: bool = setting(False, "Print only errors to stderr.", short="-q")
