"""Training from Python: `charrnn.train`."""

import os
from collections.abc import Sequence
from typing import Any

from charrnn.inference.classification.classifier import Classifier
from charrnn.inference.loading import load, write_preview
from charrnn.inference.locating import find_model
from charrnn.inference.model import Model
from charrnn.training.run import run_training
from charrnn.training.settings import TrainSettings


def train(
    corpus: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    output: str | os.PathLike[str] | None = None,
    quiet: bool = True,
    **options: Any,
) -> Model | Classifier:
    """Train a model on a corpus, write it to a file and return it.

        model = charrnn.train("book.txt", time="5m", output="models/book.safetensors")

    Args:
        corpus: a text file or folder, or several of them.
        output: the model file, by default `models/CORPUS.safetensors`.
        quiet: whether to print nothing to stderr.
        options: the options of `charrnn train`, with underscores in their names: `time="5m"`, `hidden_size=256`,
            `overwrite=True`, `resume=True` ...

    Returns:
        The model with the best weights; with `task="classify"` a classifier.

    Raises:
        TypeError: if there is no such option.
        charrnn.errors.CharrnnError: if the run cannot start or continue.
        KeyboardInterrupt: if the run was interrupted; its state is saved, and `resume=True` continues it.
    """
    names = [corpus] if isinstance(corpus, str | os.PathLike) else list(corpus)
    given = {**options, "quiet": quiet, **({} if output is None else {"output": os.fspath(output)})}
    if given.get("init_from") is not None:
        given["init_from"] = str(find_model(given["init_from"]))
    settings = TrainSettings.from_options(given)
    reporter = None
    if not quiet:
        from charrnn.cli.display.training import make_reporter

        reporter = make_reporter(quiet=False)
    result = run_training(
        [os.fspath(name) for name in names], settings, set(given), reporter=reporter, write_sample=write_preview
    )
    if result.signal is not None:
        raise KeyboardInterrupt
    return load(result.output)
