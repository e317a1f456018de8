"""The settings of `charrnn train`: defaults, limits and help in one place. None means chosen automatically.

An option belongs to a group, and a task reads some of the groups. This module loads no PyTorch, because the command
line reads these declarations before anything slow is imported.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from charrnn.settings import TEXT, auto_setting, get_flag, raise_usage_errors, setting
from charrnn.text.settings import ColumnSettings, TextSettings

MODEL, LEARNING, FILES, RUN = "The model", "Training", "Files", "The run"


@dataclass(frozen=True)
class ModelSettings:
    """The network's sizes."""

    panel: ClassVar[str] = MODEL
    cell: str = setting(
        "lstm",
        "Recurrent cell: lstm learns best, gru is a quarter smaller, rnn has a short memory.",
        choices=("lstm", "gru", "rnn"),
    )
    hidden_size: int | None = auto_setting(
        "Units per layer. More units learn more, but train more slowly: twice as many take about four times as long.",
        at_least=1,
        at_most=16384,
    )
    layers: int | None = auto_setting(
        "Recurrent layers. One learns fastest; more pay off in runs of hours, not of minutes.", at_least=1, at_most=16
    )
    embedding_size: int | None = auto_setting(
        "Size of the vector that represents a character; 0 uses one-hot vectors.", at_least=0, at_most=16384
    )
    dropout: float | None = auto_setting(
        "Share of units dropped at random in training. More of it keeps a large network from memorizing a small text.",
        at_least=0,
        below=1,
    )


@dataclass(frozen=True)
class LearningSettings:
    """How long and how fast to learn."""

    panel: ClassVar[str] = LEARNING
    time: str | None = setting(
        None,
        "Total training time, such as 30s, 5m or 1h. The size of the network is chosen to suit it.",
        duration=True,
        above=0,
        shown_default="5m if no other limit",
    )
    epochs: float | None = setting(
        None,
        "Total number of passes over the text. If several limits are given, the first one reached ends the run.",
        above=0,
    )
    steps: int | None = setting(
        None, "Total number of optimizer steps, each of --batch-size times --seq-len characters.", at_least=1
    )
    batch_size: int | None = auto_setting(
        "Number of parallel readers of the text. More readers give smoother gradients, but fewer steps.",
        at_least=1,
        at_most=65536,
    )
    seq_len: int | None = auto_setting(
        "Characters per step through which gradients flow back (TBPTT). More teach a longer memory, but give fewer "
        "steps.",
        at_least=1,
        at_most=65536,
    )
    lr: float | None = auto_setting(
        "Peak learning rate. A higher rate learns faster, until training diverges; a larger network needs a lower one.",
        above=0,
        at_most=10,
    )
    weight_decay: float | None = auto_setting(
        "Weight decay of AdamW; more of it keeps the weights smaller.", at_least=0, at_most=10
    )
    grad_clip: float | None = auto_setting(
        "Largest norm of the gradient; a lower value helps if the loss jumps.", above=0
    )
    patience: int | None = auto_setting(
        "Number of evaluations without improvement after which the learning rate falls to zero and the run ends.",
        at_least=1,
    )
    seed: int = setting(
        1,
        "Seed of the weights, dropout and readers. With --steps or --epochs, the same seed repeats a run.",
        at_least=0,
        at_most=2**63 - 1,
    )


@dataclass(frozen=True)
class LanguageSettings:
    """What only language models have."""

    labels: bool = setting(
        False,
        "Train one model that generates text in the style of each label, and classifies texts (TSV or CSV files).",
        group=TEXT,
    )
    weight_dropout: float | None = auto_setting(
        "Share of recurrent weights dropped at random in training; helps in long runs on small texts.",
        at_least=0,
        below=1,
        group=MODEL,
    )
    init_from: str | None = setting(
        None,
        "Start from the weights of this model; its vocabulary is kept, and new characters are added.",
        group=FILES,
        model=True,
    )
    precision: str = setting(
        "auto",
        "Precision of large matrix products; auto uses bf16 where it is fast: on recent GPUs, and on CPUs with "
        "AVX512-BF16. fp32 never uses TF32.",
        choices=("auto", "fp32", "bf16"),
        group=RUN,
    )
    sample_every: str = setting(
        "5s", "How often to show a sample of generated text; 0 is never.", duration=True, at_least=0, group=RUN
    )


@dataclass(frozen=True)
class ClassifierSettings:
    """What only classifiers have."""

    panel: ClassVar[str] = MODEL
    bidirectional: bool | None = auto_setting(
        "With --task classify: read the texts backward as well.", off_flag="--no-bidirectional"
    )
    pool: str | None = auto_setting(
        "With --task classify: how the outputs along a text are combined; all concatenates the other three.",
        choices=("last", "mean", "max", "all"),
    )
    ngrams: bool = setting(
        True,
        "With --task classify: add the scores of a linear model of n-grams to those of the network.",
        off_flag="--no-ngrams",
    )
    optimizer: str = setting("adamw", "Optimizer.", choices=("adamw", "sgd"), group=LEARNING)
    class_weights: bool = setting(
        False, "With --task classify: give all classes the same weight, however many texts they have.", group=LEARNING
    )


@dataclass(frozen=True)
class RunSettings:
    """Where things go, and on what they run."""

    panel: ClassVar[str] = FILES
    output: str | None = setting(None, "Model file to write.", short="-o", shown_default="models/CORPUS.safetensors")
    overwrite: bool = setting(False, "Replace the model file if it exists.")
    resume: bool = setting(
        False,
        "Continue exactly where the run stopped; a larger total of --time, --epochs or --steps trains it further.",
    )
    logdir: str | None = setting(None, "Folder for TensorBoard events.", shown_default="runs/MODEL")
    tensorboard: bool = setting(True, "Write TensorBoard events.", off_flag="--no-tensorboard")
    device: str = setting(
        "auto",
        "Device to train on; auto takes a GPU if there is one.",
        choices=("auto", "cpu", "cuda", "mps"),
        group=RUN,
    )
    kernel: str = setting(
        "auto",
        "What computes the recurrent layers on a CPU: native is compiled for them, torch is PyTorch; auto uses native "
        "where it can.",
        choices=("auto", "native", "torch"),
        group=RUN,
    )
    threads: int | None = setting(
        None, "CPU threads per process.", at_least=1, at_most=1024, group=RUN, shown_default="all cores"
    )
    quiet: bool = setting(False, "Print only errors to stderr.", short="-q", group=RUN)
    json: bool = setting(False, "Print the results as one JSON object on stdout at the end.", group=RUN)


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
        raise_usage_errors([f"{flag} {reason}" for flag, name, reason in flags if name in given])


GROUPS: dict[str, Any] = {declared.name: declared.type for declared in fields(TrainSettings)}
