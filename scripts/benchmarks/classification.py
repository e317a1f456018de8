"""Classifiers: `charrnn train FILE.tsv --task classify` beside what a user would write with scikit-learn.

That is logistic regression on TF-IDF of n-grams of 1 to 5 characters, across words (`char`) and within them
(`char_wb`), with scikit-learn's defaults. A fifth of the distinct texts is held out, so that no text is on both sides.
"""

import argparse
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.classification.classifier import log_softmax
from charrnn.inference.classification.metrics import Metrics, compute_metrics
from charrnn.inference.loading import load_classifier
from charrnn.text.documents.columns import LabelledReader
from charrnn.text.settings import ReadingSettings
from scripts.common import ScriptError, count, duration, run_charrnn, table, table_row

HELD_OUT = 5  # one of so many distinct texts
LONGEST_NGRAM = 5
COLUMNS = ("texts", "to learn from", "model", "accuracy", "macro F1", "log-loss", "AUC")
LogProbabilities = NDArray[np.float64]
Texts = list[tuple[str, str]]  # label and text


@dataclass(frozen=True)
class Split:
    """Labelled texts to learn from and others to judge by."""

    train: Texts
    test: Texts

    @classmethod
    def read(cls, file: Path, seed: int) -> "Split":
        """The texts of a file, divided by a seed; those of classes that are not learned are left out."""
        rows = [(label, str(text)) for label, text in LabelledReader([str(file)], ReadingSettings())]
        draw = np.random.default_rng(seed)
        texts = sorted({text for _, text in rows})
        held_out = {texts[index] for index in draw.permutation(len(texts))[: len(texts) // HELD_OUT]}
        train = [rows[index] for index in draw.permutation(len(rows)) if rows[index][1] not in held_out]
        known = {label for label, _ in train}
        return cls(train, [row for row in rows if row[1] in held_out and row[0] in known])


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("classify", help="classifiers, compared with logistic regression on n-grams")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.tsv")
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--time", type=duration, metavar="DURATION", help="training time of charrnn")
    limit.add_argument("--epochs", type=count, metavar="N", help="epochs of charrnn's training")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[1], metavar="N", help="seeds of the splits and networks"
    )
    parser.set_defaults(run=classify)


def classify(options: argparse.Namespace) -> None:
    """Print the figures of charrnn, its parts and the baselines on each file; of several seeds, mean and half range."""
    limits = ["--time", options.time] if options.time else ["--epochs", str(options.epochs)] if options.epochs else []
    print(table(COLUMNS, []))
    for file in options.files:
        results: dict[str, list[Metrics]] = {}
        for seed in options.seeds:
            split = Split.read(file, seed)
            for name, metrics in measure(split, [*limits, "--seed", str(seed)]):
                results.setdefault(name, []).append(metrics)
        for name, runs in results.items():
            figures = [_describe([getattr(run, key) for run in runs]) for key in ("accuracy", "macro_f1", "log_loss")]
            areas = [run.auc for run in runs if run.auc is not None]
            auc = _describe(areas) if areas else ""
            print(table_row([file.stem, f"{len(split.train):,}", name, *figures, auc]), flush=True)


def measure(split: Split, options: Sequence[str]) -> Iterator[tuple[str, Metrics]]:
    """Give the name and the figures of charrnn with some options, of its parts alone, and of the baselines."""
    labels = sorted({label for label, _ in split.train})
    right = np.array([labels.index(label) for label, _ in split.test])
    for name, scores in (*_score_charrnn(split, labels, options).items(), *_score_baselines(split)):
        yield name, compute_metrics(scores, right)


def _score_charrnn(split: Split, labels: Sequence[str], options: Sequence[str]) -> dict[str, LogProbabilities]:
    """Log-probabilities (N, K) of the texts to judge by."""
    with tempfile.TemporaryDirectory() as folder:
        file, model = Path(folder) / "train.tsv", Path(folder) / "model.safetensors"
        file.write_text("".join(f"{label}\t{text}\n" for label, text in split.train), encoding="utf-8")
        run_charrnn(
            *("train", str(file), "--task", "classify", "-o", str(model), "--no-tensorboard", "--quiet", *options)
        )
        classifier = load_classifier(model)
    order = [classifier.labels.index(label) for label in labels]
    parts = [part[:, order] for part in classifier.score_parts([text for _, text in split.test])]
    names = ("charrnn", "its network alone", "its n-grams alone")
    return {name: log_softmax(scores) for name, scores in zip(names, [np.sum(parts, axis=0), *parts], strict=False)}


def _score_baselines(split: Split) -> Iterator[tuple[str, LogProbabilities]]:
    """Log-probabilities (N, K) by logistic regression; classes are in order of name.

    Raises:
        ScriptError: if scikit-learn is missing.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise ScriptError("scikit-learn is missing; type: pip install scikit-learn") from None
    for analyzer in ("char", "char_wb"):
        vectorizer = TfidfVectorizer(analyzer=analyzer, ngram_range=(1, LONGEST_NGRAM))
        features = vectorizer.fit_transform([text for _, text in split.train])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged in so many iterations
            regression = LogisticRegression(max_iter=1000).fit(features, [label for label, _ in split.train])
        yield (
            f"scikit-learn, {analyzer}",
            regression.predict_log_proba(vectorizer.transform([t for _, t in split.test])),
        )


def _describe(values: Sequence[float]) -> str:
    """The mean, and of several values half their range."""
    spread = f" ± {(max(values) - min(values)) / 2:.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{spread}"
