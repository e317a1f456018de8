"""The header of a model file: format, configuration, vocabulary, and a summary of the training."""

import json
import re
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from charrnn.errors import ModelFileError, quote_value
from charrnn.model.config import ClassifierConfig, LabelledConfig, ModelConfig

FORMATS = {"single": 1, "half": 2}  # the first format with this precision; older programs refuse newer formats
NGRAM_FORMAT = 4  # the first with n-grams beside the network; 3, which hashed them into buckets, was never released
SURROGATES = re.compile("[\ud800-\udfff]")  # are no characters
LANGUAGE, CLASSIFY = "language", "classify"  # tasks
CONFIGS: dict[str, type[ModelConfig]] = {CLASSIFY: ClassifierConfig}  # other tasks: ModelConfig or LabelledConfig


@dataclass(frozen=True)
class ModelHeader:
    """Everything in a model file except the weights.

    Attributes:
        config: sizes of the network.
        vocabulary: see `charrnn.text.vocabulary`.
        training: summary of the run that made the model.
        task: language or classify.
        labels: names of the classes of labelled texts.
        label_counts: number of texts of each class.
        precision: of the weights on disk, single or half.
    """

    config: ModelConfig
    vocabulary: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    task: str = LANGUAGE
    labels: tuple[str, ...] = ()
    label_counts: tuple[int, ...] = ()
    precision: str = "single"

    @property
    def format(self) -> int:
        """Number of the oldest format that can hold this model."""
        return NGRAM_FORMAT if getattr(self.config, "ngram_features", 0) else FORMATS[self.precision]

    def to_json(self) -> str:
        """The metadata string of the model file."""
        defaults = {each.name: each.default for each in fields(self.config)}  # older programs do not know these
        sizes = {name: size for name, size in asdict(self.config).items() if size != defaults[name]}
        return json.dumps({"format": self.format, **asdict(self), "config": sizes}, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str, path: Path) -> "ModelHeader":
        """The header in a metadata string; `path` is for messages only.

        Raises:
            ModelFileError: if the string is not a header in a format that this version reads.
        """
        try:
            description = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{path} is damaged: its description is not JSON ({error})") from None
        if not isinstance(description, dict) or type(description.get("format")) is not int:
            raise ModelFileError(f"{path} is not a charrnn model: its description names no format")
        known = (*FORMATS.values(), NGRAM_FORMAT)
        if description["format"] not in known:
            raise ModelFileError(
                f"{path} has model format {quote_value(description['format'])}; this version of charrnn reads formats "
                f"{', '.join(map(str, known))}. Use the version that wrote it, or a newer one"
            )
        task, precision = description.get("task", LANGUAGE), description.get("precision", "single")
        if not isinstance(task, str):
            raise ModelFileError(f"{path} is damaged: its task is {quote_value(task)}")
        if precision not in tuple(FORMATS) or description["format"] not in (FORMATS[precision], NGRAM_FORMAT):
            raise ModelFileError(
                f"{path} is damaged: format {description['format']} with a precision of {quote_value(precision)}"
            )
        labels, counts = description.get("labels", []), description.get("label_counts", [])
        config = _read_config(
            description.get("config"), CONFIGS.get(task, LabelledConfig if labels else ModelConfig), path
        )
        if not _are_labels(labels, counts) or len(labels) != getattr(config, "classes", len(labels)):
            raise ModelFileError(f"{path} is damaged: its labels are {quote_value(labels)}, {quote_value(counts)}")
        header = cls(
            config=config,
            vocabulary=_get_dict(description, "vocabulary", path),
            training=_get_dict(description, "training", path),
            task=task,
            labels=tuple(labels),
            label_counts=tuple(counts),
            precision=precision,
        )
        if header.format != description["format"]:
            raise ModelFileError(
                f"{path} is damaged: format {description['format']} with the contents of format {header.format}"
            )
        return header


def _get_dict(description: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    part = description.get(name)
    if not isinstance(part, dict):
        raise ModelFileError(f"{path} is damaged: its description has no {name}")
    return part


def _are_labels(labels: object, counts: object) -> bool:
    """Whether these are distinct names of classes, which are text, and the number of texts of each."""
    if not isinstance(labels, list) or not isinstance(counts, list) or len(labels) != len(counts):
        return False
    if not all(isinstance(name, str) and not SURROGATES.search(name) for name in labels):
        return False
    if len(set(labels)) < len(labels):
        return False
    return all(type(count) is int and count >= 0 for count in counts)


def _read_config(sizes: object, kind: type[ModelConfig], path: Path) -> ModelConfig:
    names = {declared.name for declared in fields(kind)}
    required = {declared.name for declared in fields(kind) if declared.default is MISSING}
    if not isinstance(sizes, dict) or not required <= set(sizes) <= names:
        raise ModelFileError(f"{path} is damaged: its configuration should contain {', '.join(sorted(required))}")
    config = kind(**sizes)
    if error := config.validate():
        raise ModelFileError(f"{path} is damaged: {error}")
    return config
