"""What a model file says beside its weights: format, configuration, vocabulary, and how the model was trained."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from charrnn.errors import ModelFileError, quote_value
from charrnn.model.config import ClassifierConfig, LabelledConfig, ModelConfig

FORMATS = {"single": 1, "half": 2}  # the first format that can say so: older programs refuse what they cannot read
LANGUAGE, CLASSIFY = "language", "classify"  # what a model is for
CONFIGS: dict[str, type[ModelConfig]] = {CLASSIFY: ClassifierConfig}  # of other tasks it is ModelConfig


@dataclass(frozen=True)
class ModelHeader:
    """All that a model file says beside its weights.

    `vocabulary` is read by `charrnn.text.vocabulary`; `training` is the summary of the run that made the model.
    `labels` names the classes of a model of labelled texts; `label_counts` says how many texts each had. `precision`
    is that of the weights on disk, single or half.
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
        """The number of the oldest format that can hold this model."""
        return FORMATS[self.precision]

    def to_json(self) -> str:
        """The metadata string of the model file."""
        return json.dumps({"format": self.format, **asdict(self)}, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str, path: Path) -> "ModelHeader":
        """The header in a metadata string; `path` is for messages only.

        Raises:
            ModelFileError: if the string is no header of a format that this version reads.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{path} is damaged: its description is not JSON ({error})") from None
        if not isinstance(found, dict) or type(found.get("format")) is not int:
            raise ModelFileError(f"{path} is not a charrnn model: its description names no format")
        if found["format"] not in FORMATS.values():
            raise ModelFileError(
                f"{path} has model format {quote_value(found['format'])}; this charrnn reads formats "
                f"{' and '.join(map(str, FORMATS.values()))}. Use the charrnn that wrote it, or a newer one"
            )
        task, precision = found.get("task", LANGUAGE), found.get("precision", "single")
        if not isinstance(task, str):
            raise ModelFileError(f"{path} is damaged: its task is {quote_value(task)}")
        if precision not in tuple(FORMATS) or FORMATS[precision] != found["format"]:
            raise ModelFileError(
                f"{path} is damaged: format {found['format']} with a precision of {quote_value(precision)}"
            )
        labels, counts = found.get("labels", []), found.get("label_counts", [])
        config = _config_from(found.get("config"), CONFIGS.get(task, LabelledConfig if labels else ModelConfig), path)
        if not _are_labels(labels, counts) or len(labels) != getattr(config, "classes", len(labels)):
            raise ModelFileError(f"{path} is damaged: its labels are {quote_value(labels)}, {quote_value(counts)}")
        return cls(
            config=config,
            vocabulary=_part(found, "vocabulary", path),
            training=_part(found, "training", path),
            task=task,
            labels=tuple(labels),
            label_counts=tuple(counts),
            precision=precision,
        )


def _part(found: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    part = found.get(name)
    if not isinstance(part, dict):
        raise ModelFileError(f"{path} is damaged: its description holds no {name}")
    return part


def _are_labels(labels: object, counts: object) -> bool:
    """Whether these are the names of classes, each once, and how many texts each has."""
    if not isinstance(labels, list) or not isinstance(counts, list) or len(labels) != len(counts):
        return False
    if not all(isinstance(name, str) for name in labels) or len(set(labels)) < len(labels):
        return False
    return all(type(count) is int and count >= 0 for count in counts)


def _config_from(found: object, kind: type[ModelConfig], path: Path) -> ModelConfig:
    names = {declared.name for declared in fields(kind)}
    if not isinstance(found, dict) or set(found) != names:
        raise ModelFileError(f"{path} is damaged: its configuration should hold {', '.join(sorted(names))}")
    config = kind(**found)
    problem = config.problem()
    if problem:
        raise ModelFileError(f"{path} is damaged: {problem}")
    return config
