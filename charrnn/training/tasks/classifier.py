"""Learning to classify: a network that tells labelled texts apart."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from charrnn.errors import UsageError
from charrnn.model.config import Tensors
from charrnn.model.header import CLASSIFY, ModelHeader
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.text.ngrams import KINDS
from charrnn.training.checkpoint.files import select_tensors
from charrnn.training.data.documents import ClassifierBatches, DocumentBatch
from charrnn.training.data.feeding import to_device
from charrnn.training.devices.workers import Workers
from charrnn.training.linear.selection import NgramModel, learn_ngrams
from charrnn.training.network.classifier import TextClassifier
from charrnn.training.network.classifier_objective import ClassifierBatch, ClassifierObjective
from charrnn.training.recipe.classifier import DEFAULT_SECONDS, ClassifierPlan
from charrnn.training.tasks.classifier_validation import ClassifierValidation
from charrnn.training.tasks.task import Measurement, Metric, OnShare, Resources, Row, Task, Traceable, ignore_share
from charrnn.wording import count_of

LISTED_CLASSES = 8
MAX_LABEL = 24  # characters of a label that are shown
OUTPUT_WEIGHTS = ("decoder.weight", "decoder.bias")


class ClassifierTask(Task):
    """Learns the class of whole documents.

    Raises:
        UsageError: if there are more processes than documents in a batch.
    """

    name = CLASSIFY
    unit = "text"
    metrics = (
        Metric("nats/text", "loss", "loss {} nats per text", lambda loss, _: loss),
        Metric("accuracy", "accuracy", "accuracy {}", lambda _, accuracy: accuracy, ".2%", follows_loss=False),
    )
    plan: ClassifierPlan
    corpus: LabelledCorpus
    network: TextClassifier

    def __init__(self, plan: ClassifierPlan, corpus: LabelledCorpus, resources: Resources) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.corpus, self._shift = merge_equal_texts(corpus) if plan.merges else (corpus, np.zeros(len(corpus.labels)))
        if plan.class_weights:
            self._shift[:] = 0
        self._world, self._device = resources.world, resources.device
        self.network = TextClassifier(plan.config)
        counts = np.bincount(self.corpus.train.labels, minlength=plan.config.classes)
        self.network.initialize(torch.from_numpy(counts))
        self.network.to(self._device).train()
        self.network.choose_kernel(resources.kernel)
        weights = torch.from_numpy(balance_classes(counts)).to(self._device) if plan.class_weights else None
        self.objective = ClassifierObjective(self.network, plan.label_smoothing, weights)
        self._batches = ClassifierBatches(self.corpus.train, plan.batch_size, plan.seq_len, plan.seed)
        if self._batches.smallest < self._world.size:
            raise UsageError(
                f"batches of {count_of(self._batches.smallest, 'text')} are too small for {self._world.size} "
                "processes, each of which needs a text; start fewer processes, or give a larger --batch-size"
            )
        self._validation = ClassifierValidation(corpus.valid, self._device, plan.validated, self._shift)
        self._documents = 0  # learned from
        self._class_weights = weights
        self._ngrams: NgramModel | None = None

    def prepare(self, on_note: Callable[[str], None], watch: Callable[[], None]) -> bool:
        """Learn the linear model of n-grams, unless a saved run has it."""
        if not self.plan.ngrams or self._ngrams is not None:
            return False
        weights = None if self._class_weights is None else self._class_weights.cpu()
        share = min(1.0, (self.plan.budget.seconds or DEFAULT_SECONDS) / DEFAULT_SECONDS)
        documents = self._validation.documents
        on_note(f"learning the n-grams of {count_of(len(self.corpus.train), 'text')} ...")
        alone = self._world.size == 1  # others only wait, so all could not agree on a stop
        learned = self._world.broadcast(
            lambda: learn_ngrams(self.corpus, documents, share, weights, watch if alone else lambda: None)
        )
        if learned is None:
            return False
        self._set_ngrams(learned)
        kinds = ", ".join(KINDS[: learned.kinds])
        on_note(f"n-grams of {kinds}: accuracy {learned.accuracy:.2%} in cross-validation, without the network")
        return True

    def _set_ngrams(self, learned: NgramModel) -> None:
        self._ngrams = learned
        self._validation.ngram_scores = learned.scores

    def next_batch(self, steps_left: float | None) -> ClassifierBatch:  # noqa: ARG002, D102
        documents = self._batches.next_batch()
        ids = to_device(self._add_noise(documents).numpy(), self._device)
        masks = self.network.draw_masks(ids.shape[1], self.plan.input_dropout, self.plan.dropout)
        self._documents += ids.shape[1]
        batch = ClassifierBatch.from_documents(documents, ids, masks)
        return batch if self._world.size == 1 else batch.columns(self._world.shard(batch.width))

    def _add_noise(self, documents: DocumentBatch) -> Tensor:
        """Ids (T, B) with some characters replaced by the unknown one, so that the network learns to read it."""
        ids, unknown = torch.from_numpy(documents.ids), self.corpus.vocabulary.unknown
        if not self.plan.noise or unknown is None:
            return ids
        hit = torch.rand(ids.shape) < self.plan.noise
        hit[torch.from_numpy(documents.lengths) - 1, torch.arange(ids.shape[1])] = False  # the end of a document
        return ids.masked_fill(hit, unknown)

    def count_epochs(self, symbols: int) -> float:  # noqa: ARG002
        """How often all texts have been read."""
        return self._documents / len(self.corpus.train)

    @property
    def steps_per_epoch(self) -> float:  # noqa: D102
        return len(self.corpus.train) / self.plan.batch_size

    def validate(self, workers: Workers, on_share: OnShare = ignore_share) -> Measurement:  # noqa: D102
        return self._validation.measure(self.network, workers, self._world, on_share)

    def calibrate(self, weights: Tensors, measurement: Measurement) -> Tensors:
        """The weights of network and n-grams, with scores that count as much as validation says they should."""
        scaled = {name: (weights[name] / measurement.temperature).astype("f4") for name in OUTPUT_WEIGHTS}
        scaled["decoder.bias"] += self._shift.astype("f4")
        if self._ngrams is not None:
            scaled |= self._ngrams.scale(measurement.ngram_scale)
        return {**weights, **scaled}

    def make_header(self, training: dict[str, Any]) -> ModelHeader:  # noqa: D102
        corpus, config, ngrams = self.corpus, self.plan.config, self._ngrams
        if ngrams is not None:
            config = dataclasses.replace(config, ngram_features=ngrams.features, ngram_kinds=ngrams.kinds)
        return ModelHeader(config, corpus.vocabulary.to_json(), training, self.name, corpus.labels, corpus.counts)

    def describe(self, device: str) -> list[Row]:  # noqa: D102
        corpus, plan, config = self.corpus, self.plan, self.plan.config
        ranked = sorted(zip(corpus.counts, corpus.labels, strict=True), reverse=True)
        named = ", ".join(f"{_shorten(label)} {count:,}" for count, label in ranked[:LISTED_CLASSES])
        more = f" and {len(ranked) - LISTED_CLASSES} more" if len(ranked) > LISTED_CLASSES else ""
        texts, symbols = count_of(sum(corpus.counts), "text"), len(corpus.vocabulary)
        held, read = len(corpus.valid), len(self._validation)
        held_out = f"{held:,} {'is' if held == 1 else 'are'} held out"
        if corpus.valid is corpus.train:
            held_out = "none are held out"
        sampled = f"; each validation uses {read:,} of them" if read < held else ""
        direction = " bidirectional" if config.bidirectional else ""
        network = (
            f"{config.cell} {config.layers}x{config.hidden_size}{direction}, pool {config.pool}, "
            f"{config.parameters:,} parameters, batch {plan.batch_size}, dropout {plan.dropout:.2g}, "
            f"learning rate {plan.lr:.2g}, on {device}"
        )
        return [
            ("texts", f"{corpus.name}: {texts}, {symbols:,} different symbols; {held_out}{sampled}"),
            ("classes", f"{len(corpus.labels)}: {named}{more}"),
            *(("note", note) for note in corpus.notes),
            ("network", network),
            *(("because", reason) for reason in plan.reasons),
            *(("warning", warning) for warning in plan.warnings),
        ]

    def summarize(self, best: Measurement) -> dict[str, Any]:  # noqa: D102
        return {
            "task": self.name,
            "labels": list(self.corpus.labels),
            "texts": len(self.corpus.train),
            "valid_accuracy": best.accuracy,
            "temperature": best.temperature,
            **({"ngram_scale": best.ngram_scale, "part_accuracies": best.part_accuracies} if self._ngrams else {}),
        }

    def suggest(self, model: str, text: str) -> list[list[str]]:  # noqa: D102
        return [
            ["charrnn", "evaluate", "-m", model, text],
            ["charrnn", "classify", "-m", model, "FILE"],
            ["charrnn", "inspect", "-m", model, "FILE", "--html", "page.html"],
        ]

    def trace_inputs(self) -> tuple[nn.Module, tuple[Tensor, ...]]:  # noqa: D102
        ids, lengths = torch.zeros(4, 2, dtype=torch.long), torch.tensor([4, 3])
        scorer = Traceable(self.network, lambda network, ids, lengths: network(ids, lengths))
        return scorer, (ids.to(self._device), lengths.to(self._device))

    def get_state(self) -> dict[str, Any]:  # noqa: D102
        ngrams = {} if self._ngrams is None else {"ngrams": self._ngrams.get_state()}
        return {"documents": self._documents, "batches": self._batches.get_state(), **ngrams}

    def state_tensors(self) -> dict[str, Tensor]:  # noqa: D102
        arrays = {} if self._ngrams is None else self._ngrams.arrays()
        return {f"ngrams.{name}": torch.from_numpy(array) for name, array in arrays.items()}

    def set_state(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:  # noqa: D102
        if "ngrams" in state:
            arrays = {name: tensor.numpy() for name, tensor in select_tensors(tensors, "ngrams").items()}
            self._set_ngrams(NgramModel.from_state(state["ngrams"], arrays))
        self._documents = state["documents"]
        self._batches.set_state(state["batches"])


def _shorten(label: str) -> str:
    """A label, or the beginning of a long one."""
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 3]}..."


def merge_equal_texts(corpus: LabelledCorpus) -> tuple[LabelledCorpus, NDArray[np.float64]]:
    """The corpus with each text to learn from once for each of its labels, and what scores (K,) lack then.

    A text that stands there many times would be learned by heart, instead of what it has in common with others. Scores
    then say that its class is rarer than it is, so the logarithms of the ratios are to be added.
    """
    classes = len(corpus.labels)
    if corpus.valid is corpus.train:
        return corpus, np.zeros(classes)
    distinct = corpus.train.select(corpus.train.find_distinct())
    before, after = (np.bincount(part.labels, minlength=classes) for part in (corpus.train, distinct))
    shift = np.log(np.maximum(before, 1) / len(corpus.train)) - np.log(np.maximum(after, 1) / len(distinct))
    return dataclasses.replace(corpus, train=distinct), shift


def balance_classes(counts: NDArray[Any]) -> NDArray[np.float32]:
    """A weight for each class (K,) from its number of documents (K,), so that all classes count the same.

    The mean weight of a document is 1: `balance_classes([90, 10])` is `[0.556, 5.0]`.
    """
    weights: NDArray[np.float32] = (counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype("f4")
    return weights
