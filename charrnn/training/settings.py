"""The settings of `charrnn train`: defaults, limits and help in one place. None means chosen automatically.

An option belongs to a group, and a task reads some of the groups. This module loads no PyTorch, because the command
line reads these declarations before anything slow is imported.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from charrnn.settings import TEXT, auto_setting, get_flag, refuse, setting
from charrnn.text.settings import ColumnSettings, TextSettings

MODEL, LEARNING, FILES, RUN = "The model", "Learning", "Files", "The run"


@dataclass(frozen=True)
class ModelSettings:
    """The network's sizes."""

    panel: ClassVar[str] = MODEL
    cell: str = setting(
        "lstm",
        "Recurrent cell: lstm learns best, gru is a quarter smaller, rnn forgets soon.",
        choices=("lstm", "gru", "rnn"),
    )
    hidden_size: int | None = auto_setting(
        "Units per layer: more learn more, and more slowly; twice as many take about four times as long.",
        at_least=1,
        at_most=16384,
    )
    layers: int | None = auto_setting(
        "Recurrent layers: one learns fastest; more pay in hours, not in minutes.", at_least=1, at_most=16
    )
    embedding_size: int | None = auto_setting(
        "Width of a character's vector; 0 feeds one-hot vectors.", at_least=0, at_most=16384
    )
    dropout: float | None = auto_setting(
        "Share of units left out at random: more keeps a large network from learning a small text by heart.",
        at_least=0,
        below=1,
    )


@dataclass(frozen=True)
class LearningSettings:
    """How long and how fast to learn."""

    panel: ClassVar[str] = LEARNING
    time: str | None = setting(
        None,
        "How long to train in all: 30s, 5m, 1h. The network is sized for that time.",
        duration=True,
        above=0,
        shown_default="5m if no other limit",
    )
    epochs: float | None = setting(
        None, "Times to read the whole text in all. Of several limits the first that is reached ends the run.", above=0
    )
    steps: int | None = setting(
        None, "Optimizer steps in all, each of --batch-size times --seq-len characters.", at_least=1
    )
    batch_size: int | None = auto_setting(
        "Parallel readers of the text: more make steps smoother, and fewer of them.", at_least=1, at_most=65536
    )
    seq_len: int | None = auto_setting(
        "Characters per step that gradients flow back through (TBPTT): more teach a longer memory, in fewer steps.",
        at_least=1,
        at_most=65536,
    )
    lr: float | None = auto_setting(
        "Peak learning rate: more learns faster until training diverges; a larger network wants less.",
        above=0,
        at_most=10,
    )
    weight_decay: float | None = auto_setting(
        "AdamW's weight decay: more keeps the weights smaller.", at_least=0, at_most=10
    )
    grad_clip: float | None = auto_setting("Largest norm of a gradient: less tames a run whose loss jumps.", above=0)
    patience: int | None = auto_setting(
        "Evaluations without a new best after which the learning rate falls to zero and the run ends.", at_least=1
    )
    seed: int = setting(
        1,
        "Of weights, dropout and readers: the same seed repeats a run of --steps or --epochs.",
        at_least=0,
        at_most=2**63 - 1,
    )


@dataclass(frozen=True)
class LanguageSettings:
    """What only language models have."""

    labels: bool = setting(
        False,
        "Learn one model that writes in the style of each label (TSV or CSV files), and classifies texts.",
        group=TEXT,
    )
    weight_dropout: float | None = auto_setting(
        "Share of recurrent weights left out at random while learning; helps long runs on small texts.",
        at_least=0,
        below=1,
        group=MODEL,
    )
    init_from: str | None = setting(
        None, "Start from the weights of this model; its characters stay, new ones are added.", group=FILES, model=True
    )
    precision: str = setting(
        "auto",
        "Of large products; auto is bf16 on GPUs that are fast at it. fp32 is exact: no TF32.",
        choices=("auto", "fp32", "bf16"),
        group=RUN,
    )
    sample_every: str = setting(
        "5s", "How often to write a sample of text on the way; 0 is never.", duration=True, at_least=0, group=RUN
    )


@dataclass(frozen=True)
class ClassifierSettings:
    """What only classifiers have."""

    panel: ClassVar[str] = MODEL
    bidirectional: bool | None = auto_setting(
        "With --task classify: read texts backward too.", off_flag="--no-bidirectional"
    )
    pool: str | None = auto_setting(
        "With --task classify: what is made of the outputs along a text; all is the three side by side.",
        choices=("last", "mean", "max", "all"),
    )
    ngrams: bool = setting(
        True,
        "With --task classify: a linear model of n-grams beside the network, whose scores are added.",
        off_flag="--no-ngrams",
    )
    optimizer: str = setting("adamw", "How weights follow gradients.", choices=("adamw", "sgd"), group=LEARNING)
    class_weights: bool = setting(
        False, "With --task classify: all classes count the same, however many texts they have.", group=LEARNING
    )


@dataclass(frozen=True)
class RunSettings:
    """Where things go, and on what they run."""

    panel: ClassVar[str] = FILES
    output: str | None = setting(None, "The model file.", short="-o", shown_default="models/CORPUS.safetensors")
    overwrite: bool = setting(False, "Replace the model file if there is one.")
    resume: bool = setting(
        False, "Go on exactly where the run stopped; a larger total of --time, --epochs or --steps trains it further."
    )
    logdir: str | None = setting(None, "TensorBoard's folder.", shown_default="runs/MODEL")
    tensorboard: bool = setting(True, "Write TensorBoard events.", off_flag="--no-tensorboard")
    device: str = setting("auto", "Where to compute.", choices=("auto", "cpu", "cuda", "mps"), group=RUN)
    threads: int | None = setting(
        None, "CPU threads of each process.", at_least=1, at_most=1024, group=RUN, shown_default="all cores"
    )
    quiet: bool = setting(False, "Write nothing but errors to stderr.", short="-q", group=RUN)
    json: bool = setting(False, "End with one JSON object on stdout.", group=RUN)


@dataclass(frozen=True)
class TrainSettings:
    """All settings of a training run, by group."""

    text: TextSettings = field(default_factory=TextSettings)
    columns: ColumnSettings = field(default_factory=ColumnSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    language: LanguageSettings = field(default_factory=LanguageSettings)
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    learning: LearningSettings = field(default_factory=LearningSettings)
    run: RunSettings = field(default_factory=RunSettings)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "TrainSettings":
        """The settings with these values, by the names of the command line's options; TypeError if one is of none."""
        groups = {}
        unknown = set(options)
        for name, group in GROUPS.items():
            names = {declared.name for declared in fields(group)}
            groups[name] = group(**{key: value for key, value in options.items() if key in names})
            unknown -= names
        if unknown:
            raise TypeError(f"unknown training options: {', '.join(sorted(unknown))}")
        return cls(**groups)

    def check_task(self, given: Collection[str]) -> None:
        """Raise a UsageError that names all options that the user has `given` and the task does not read."""
        reasons: dict[Any, str] = {ClassifierSettings: "works with --task classify only"}
        if self.text.task == "classify":
            reasons = {LanguageSettings: "is for language models; leave it out"}
        elif not self.language.labels:
            reasons[ColumnSettings] = "works with --task classify or --labels only"
        flags = ((get_flag(each), each.name, reason) for group, reason in reasons.items() for each in fields(group))
        refuse([f"{flag} {reason}" for flag, name, reason in flags if name in given])


GROUPS: dict[str, Any] = {declared.name: declared.type for declared in fields(TrainSettings)}
