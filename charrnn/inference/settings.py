"""The settings of `charrnn generate`, `evaluate` and `inspect`: defaults, limits and help in one place."""

from dataclasses import dataclass

from charrnn.settings import auto_setting, setting

TEXT, CHOICE, RUN = "What is written", "How each character is chosen", "The run"
LOOK, FILES = "What is looked at", "Files"
MAX_SHOWN = 16_000  # characters: a browser's canvas is no wider


@dataclass(frozen=True)
class PrimeSettings:
    """What the model reads before it writes, and how much it writes."""

    prime: str | None = setting(None, "Text to go on from.", short="-p", group=TEXT)
    label: str | None = setting(
        None, "Write a text with this label, if the model has labels.", group=TEXT, shown_default="drawn by frequency"
    )
    prime_file: str | None = setting(None, "Read the prime from a file; - is stdin.", group=TEXT)
    length: int = setting(
        1000,
        "Characters to add; a word model ends with the word that reaches them.",
        short="-l",
        at_least=0,
        group=TEXT,
    )
    samples: int = setting(1, "Texts to write, side by side.", short="-n", at_least=1, at_most=100_000, group=TEXT)
    stop: list[str] | None = setting(None, "End a text before this string; may repeat. Not printed.", group=TEXT)
    echo: bool = setting(True, "Print the prime too.", off_flag="--no-echo", group=TEXT)
    unknown: str = setting(
        "error",
        "Prime characters, or words, that the model has never seen: error or skip.",
        choices=("error", "skip"),
        group=TEXT,
    )


@dataclass(frozen=True)
class SamplingSettings:
    """How a character is drawn from the model's probabilities."""

    temperature: float = setting(
        0.8,
        "Below 1 safer and more repetitive, above 1 wilder; 0 always takes the likeliest.",
        short="-t",
        at_least=0,
        at_most=100,
        group=CHOICE,
    )
    top_k: int | None = setting(
        None,
        "Choose among the K likeliest only: fewer are safer, 1 always takes the likeliest.",
        at_least=1,
        group=CHOICE,
    )
    top_p: float | None = setting(
        None,
        "Choose among the likeliest that together reach P: 0.9 drops the unlikely tail, 1 nothing.",
        above=0,
        at_most=1,
        group=CHOICE,
    )
    min_p: float | None = setting(
        None,
        "Leave out what is less than P times as likely as the likeliest: 0.05 lets -t be higher without nonsense.",
        at_least=0,
        at_most=1,
        group=CHOICE,
    )
    seed: int | None = setting(
        None,
        "The same seed gives the same text; sample i has seed + i. Chosen and told if not given.",
        at_least=0,
        at_most=2**63 - 1,
        group=CHOICE,
    )


@dataclass(frozen=True)
class UseSettings:
    """Which model, where."""

    model: str | None = setting(
        None,
        "Model file, or its name in models/.",
        short="-m",
        group=RUN,
        shown_default="newest in models/",
        model=True,
    )
    device: str = setting("auto", "auto and cpu both compute with NumPy.", choices=("auto", "cpu"), group=RUN)


@dataclass(frozen=True)
class WriteSettings(UseSettings):
    """The same where a GPU can be of use."""

    device: str = setting(
        "auto",
        "auto and cpu both compute with NumPy; a GPU pays for large models and many samples.",
        choices=("auto", "cpu", "cuda", "mps"),
        group=RUN,
    )


@dataclass(frozen=True)
class OutputSettings:
    """What goes to stdout and stderr."""

    json: bool = setting(False, "Machine-readable output on stdout.", group=RUN)
    quiet: bool = setting(False, "Say nothing on stderr but errors.", group=RUN)


@dataclass(frozen=True)
class DetailSettings:
    """What `charrnn evaluate` tells beside the figures of the whole text."""

    per_line: bool = setting(
        False,
        "A line each, from a fresh state, its end included: bits per character, characters, the line.",
        group=TEXT,
    )
    per_char: bool = setting(
        False,
        "The text, each character coloured by how surprising it was. Where there are no colours, a line for each: "
        "the character, nats (nan if unknown).",
        group=TEXT,
    )

    @property
    def shown(self) -> bool:
        """Whether there is a table."""
        return self.per_line or self.per_char


@dataclass(frozen=True)
class ClassifySettings:
    """What `charrnn classify` prints of each line."""

    all: bool = setting(False, "Print every label's probability.", group=RUN)


@dataclass(frozen=True)
class PlotSettings:
    """What `charrnn evaluate` draws of a classifier."""

    plot: str | None = setting(
        None, "Draw a classifier's ROC curve and confusion matrix to this .png or .svg file.", group=RUN
    )
    overwrite: bool = setting(False, "Replace the drawing if it exists.", group=RUN)


@dataclass(frozen=True)
class InspectSettings:
    """What `charrnn inspect` reads, shows and writes."""

    layer: int | None = setting(
        None, "One layer only; the first is 0.", at_least=0, group=LOOK, shown_default="all layers"
    )
    unit: int | None = setting(
        None,
        "Colour the text by this unit, of the top layer if none is given; the first is 0.",
        at_least=0,
        group=LOOK,
        shown_default="the most telling ones",
    )
    state: str = setting(
        "hidden", "A unit's hidden state, or an LSTM's cell state.", choices=("hidden", "cell"), group=LOOK
    )
    find: bool = setting(False, "Rank units by how well they follow properties of the text.", group=LOOK)
    match: str | None = setting(
        None, "Rank units by this property too: being inside a match of a regular expression.", group=LOOK
    )
    top: int = setting(1, "Units to list for each property.", at_least=1, at_most=100, group=LOOK)
    length: int = setting(10_000, "Characters to read.", short="-l", at_least=1, group=LOOK)
    shown: int | None = auto_setting("Characters to draw, of those read.", at_least=1, at_most=MAX_SHOWN, group=LOOK)
    unknown: str = setting(
        "error", "Characters that the model has never seen: error or skip.", choices=("error", "skip"), group=LOOK
    )
    html: str | None = setting(None, "Write an interactive page, complete in one file.", group=FILES)
    npz: str | None = setting(None, "Write activations and gates as NumPy arrays.", group=FILES)
    overwrite: bool = setting(False, "Replace files that exist.", group=FILES)
