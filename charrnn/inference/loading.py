"""Opening model files, whatever kind of model they hold; only the modules of that kind are imported."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.errors import GenerationError, ModelFileError
from charrnn.inference.locating import default_model, find_model
from charrnn.inference.model import Model
from charrnn.inference.network.language import Network
from charrnn.model.config import ClassifierConfig, LabelledConfig, Tensors
from charrnn.model.file import load_model
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary import vocabulary_from_json
from charrnn.text.vocabulary.base import Vocabulary

if TYPE_CHECKING:
    from charrnn.inference.classification.classifier import Classifier, LabelScorer

PREVIEW: dict[str, Any] = {"length": 300, "temperature": 0.7, "seed": 1}
PREVIEW_LABELS = 6  # of a labelled model


def load(model: str | os.PathLike[str] | None = None, device: str = "auto") -> "Model | Classifier":
    """Open a model.

    Args:
        model: path of a model file, or its name in models/; None opens the newest one there.
        device: where a language model generates: "auto" and "cpu" use NumPy, "cuda" and "mps" use a GPU with PyTorch.

    Returns:
        A `Model`; a `LabelledModel` if it was trained with `--labels`; a `Classifier` if with `--task classify`.

    Raises:
        charrnn.errors.ModelFileError: if there is no such model, or the file is damaged.
        charrnn.errors.GenerationError: if there is no such device, or the model does not use it.
    """
    header, tensors = load_model(default_model() if model is None else find_model(model))
    gpu = None if device in ("auto", "cpu") else device
    if not isinstance(header.config, ClassifierConfig):
        return build_language_model(header, tensors, gpu)
    if gpu:
        raise GenerationError(f"a classifier runs only with NumPy; leave out device={device!r}")
    from charrnn.inference.classification.classifier import Classifier, NgramScorer
    from charrnn.inference.network.classifier import ClassifierNetwork

    ngrams = NgramScorer(header.config, tensors) if header.config.ngram_features else None
    return Classifier(header, _read_vocabulary(header), ClassifierNetwork(header.config, tensors), ngrams)


def load_language_model(path: Path, device: str = "auto") -> Model:
    """As `load`; raises ModelFileError if it is a classifier."""
    model = load(path, device)
    if not isinstance(model, Model):
        raise ModelFileError(
            f"{path} is a classifier, which does not generate text; use it with: charrnn classify -m {path}"
        )
    return model


def load_scorer(path: Path) -> "LabelScorer":
    """A `Classifier` or a `LabelledModel`; raises ModelFileError if the model has no labels."""
    model = load(path)
    if isinstance(model, Model):
        from charrnn.inference.labelled import LabelledModel

        if not isinstance(model, LabelledModel):
            raise _not_a_classifier(path)
    return model


def load_classifier(path: Path) -> "Classifier":
    """As `load`; raises ModelFileError if it is a language model."""
    model = load(path)
    if isinstance(model, Model):
        raise _not_a_classifier(path)
    return model


def _not_a_classifier(path: Path) -> ModelFileError:
    return ModelFileError(
        f"{path} is a language model, not a classifier; train a classifier with: charrnn train FILE.tsv --task classify"
    )


def build_language_model(header: ModelHeader, tensors: Tensors, gpu: str | None = None) -> Model:
    """The language model with this header and these weights, which generates on a GPU if one is named.

    Raises:
        charrnn.errors.ModelFileError: if its vocabulary is damaged.
        charrnn.errors.GenerationError: if there is no such GPU.
    """
    vocabulary = _read_vocabulary(header)
    if isinstance(header.config, LabelledConfig):
        from charrnn.inference.labelled import LabelledModel

        model: Model = LabelledModel(header, vocabulary, tensors)
    else:
        model = Model(header, vocabulary, Network(header.config, tensors))
    if gpu:
        from charrnn.inference.generation.on_device import DeviceGenerator, choose_device

        model.generator = DeviceGenerator(model.network, vocabulary, choose_device(gpu))
    return model


def _read_vocabulary(header: ModelHeader) -> Vocabulary:
    vocabulary = vocabulary_from_json(header.vocabulary, header.config.vocab_size)
    if header.labels and vocabulary.end is None:
        raise ModelFileError("the model is damaged: its vocabulary has no symbol for the end of a text")
    return vocabulary


def write_preview(header: ModelHeader, tensors: Tensors) -> str:
    """A text to show while a network learns; of a labelled model, one for each of its first labels."""
    from charrnn.inference.labelled import LabelledModel

    model = build_language_model(header, tensors)
    if isinstance(model, LabelledModel):
        return "\n".join(
            f"{label}\t{model.generate(label=label, **PREVIEW)}" for label in model.labels[:PREVIEW_LABELS]
        )
    return model.generate(**PREVIEW)
