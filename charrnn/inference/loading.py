"""Opening model files, whatever kind of model they hold."""

import os
from pathlib import Path

from charrnn.errors import GenerationError, ModelFileError
from charrnn.inference.classification.classifier import Classifier, LabelScorer
from charrnn.inference.labelled import LabelledModel
from charrnn.inference.locating import default_model, find_model
from charrnn.inference.model import Model
from charrnn.inference.network.classifier import ClassifierNetwork
from charrnn.inference.network.language import Network
from charrnn.model.config import ClassifierConfig, LabelledConfig, Tensors
from charrnn.model.file import load_model
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.base import Vocabulary
from charrnn.text.vocabulary.loading import vocabulary_from_json


def load(model: str | os.PathLike[str] | None = None, device: str = "auto") -> Model | Classifier:
    """Open a model.

    Args:
        model: path of a model file, or its name in models/; None is the newest one there.
        device: where a language model generates: "auto" and "cpu" use NumPy, "cuda" and "mps" a GPU with PyTorch.

    Returns:
        A `Model`; of labelled texts a `LabelledModel`; a `Classifier` if it was trained with `--task classify`.

    Raises:
        charrnn.errors.ModelFileError: if there is no such model, or the file is damaged.
        charrnn.errors.GenerationError: if there is no such device, or the model does not use it.
    """
    header, tensors = load_model(default_model() if model is None else find_model(model))
    on_gpu = device not in ("auto", "cpu")
    if not isinstance(header.config, ClassifierConfig):
        return build_language_model(header, tensors, device if on_gpu else None)
    if on_gpu:
        raise GenerationError(f"a classifier computes with NumPy only; leave out device={device!r}")
    return build_classifier(header, tensors)


def load_language_model(path: Path, device: str = "auto") -> Model:
    """Like `load`, for a file that must hold a language model.

    Raises:
        charrnn.errors.ModelFileError: if it holds a classifier, or is damaged.
        charrnn.errors.GenerationError: if there is no such device.
    """
    header, tensors = load_model(path)
    if isinstance(header.config, ClassifierConfig):
        raise ModelFileError(f"{path} tells texts apart, it writes none; use it with: charrnn classify -m {path}")
    return build_language_model(header, tensors, None if device in ("auto", "cpu") else device)


def load_scorer(path: Path) -> LabelScorer:
    """The model in a file that must know classes: a `Classifier` or a `LabelledModel`.

    Raises:
        charrnn.errors.ModelFileError: if it is a language model without labels, or damaged.
    """
    header, tensors = load_model(path)
    if isinstance(header.config, LabelledConfig):
        return LabelledModel(header, _read_vocabulary(header), tensors)
    return build_classifier(header, tensors, path)


def load_classifier(path: Path) -> Classifier:
    """The classifier in a file.

    Raises:
        charrnn.errors.ModelFileError: if it is a language model, or damaged.
    """
    return build_classifier(*load_model(path), path)


def build_language_model(header: ModelHeader, tensors: Tensors, gpu: str | None = None) -> Model:
    """The language model with this header and these weights, on a GPU if one is named.

    Raises:
        charrnn.errors.ModelFileError: if its vocabulary is damaged.
        charrnn.errors.GenerationError: if there is no such GPU.
    """
    vocabulary = _read_vocabulary(header)
    if isinstance(header.config, LabelledConfig):
        model: Model = LabelledModel(header, vocabulary, tensors)
    else:
        model = Model(header, vocabulary, Network(header.config, tensors))
    if gpu is not None:
        from charrnn.inference.generation.on_device import DeviceGenerator, choose_device

        model.generator = DeviceGenerator(model.network, vocabulary, choose_device(gpu))
    return model


def build_classifier(header: ModelHeader, tensors: Tensors, path: Path | str = "the model") -> Classifier:
    """The classifier with this header and these weights; `path` is for messages.

    Raises:
        charrnn.errors.ModelFileError: if it is a language model, or its vocabulary is damaged.
    """
    if not isinstance(header.config, ClassifierConfig):
        raise ModelFileError(
            f"{path} is a language model, not a classifier; train a classifier with: "
            "charrnn train FILE.tsv --task classify"
        )
    return Classifier(header, _read_vocabulary(header), ClassifierNetwork(header.config, tensors))


def _read_vocabulary(header: ModelHeader) -> Vocabulary:
    vocabulary = vocabulary_from_json(header.vocabulary, header.config.vocab_size)
    if header.labels and vocabulary.end is None:
        raise ModelFileError("the model is damaged: its vocabulary has no symbol for the end of a text")
    return vocabulary
