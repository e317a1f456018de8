"""Learning to write: a language model of a text, or of labelled texts."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from charrnn.errors import UsageError
from charrnn.model.header import LANGUAGE, ModelHeader
from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.data.documents import DocumentStreams
from charrnn.training.data.feeding import DocumentFeed, Feed, LanguageBatch, TextFeed, upload_if_small
from charrnn.training.data.streams import Streams
from charrnn.training.devices.workers import Workers
from charrnn.training.network.base import State, detach
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_objective import LanguageObjective
from charrnn.training.network.precision import use_precision
from charrnn.training.recipe.language import LanguagePlan
from charrnn.training.tasks.language_validation import DocumentValidation, Validation, count_validated
from charrnn.training.tasks.task import (
    InitialWeights,
    Measurement,
    Metric,
    OnShare,
    Resources,
    Row,
    Task,
    Traceable,
    ignore_share,
)

FREQUENCY_SAMPLE = 1_000_000  # characters from which the frequency of each symbol is estimated
SAMPLE = 120  # characters of the beginning of a text that are shown
LINE_END = "\u21b5"


class LanguageTask(Task):
    """Learns to predict each character from those before it.

    Of several processes each holds the whole network, but carries the state of its own readers only. `initial_weights`
    makes the weights to start from out of random ones.

    Raises:
        UsageError: if there are more processes than readers.
    """

    name = LANGUAGE
    unit = "character"
    metrics: tuple[Metric, ...] = (
        Metric("nats/char", "loss", "loss {} nats per character", lambda loss, _: loss),
        Metric("bits/char", "bits_per_character", "{} bits per character", lambda loss, _: loss / math.log(2)),
        Metric("perplexity", "perplexity", "perplexity {}", lambda loss, _: math.exp(min(loss, 700.0)), ".3f"),
    )
    writes = True
    plan: LanguagePlan
    network: CharRNN

    def __init__(
        self,
        plan: LanguagePlan,
        corpus: Corpus | LabelledCorpus,
        resources: Resources,
        initial_weights: InitialWeights | None = None,
    ) -> None:
        if plan.batch_size < resources.world.size:
            raise UsageError(
                f"--batch-size {plan.batch_size} is too small for {resources.world.size} processes, each of which "
                "needs at least one reader"
            )
        torch.manual_seed(plan.seed)
        self.plan, self.corpus = plan, corpus
        self._world, self._device, self._precision = resources.world, resources.device, resources.precision
        self._columns = self._world.shard(plan.batch_size)
        self.network = CharRNN(plan.config, plan.dropout, plan.weight_dropout)
        sample = torch.from_numpy(corpus.sample(FREQUENCY_SAMPLE).astype("int64"))
        self.network.initialize(torch.bincount(sample, minlength=plan.config.vocab_size))
        if initial_weights is not None:
            self.network.load(initial_weights(self.network.export()))
        self.network.to(self._device).train()
        with use_precision(self._precision, self._device):
            self.network.choose_kernel(resources.kernel)
        self.objective = LanguageObjective(self.network, self._precision)
        self._streams, self._feed = self._make_streams()
        self._validation = self._make_validation()
        if self._validation.unknown:
            charged = Metric("charged", "loss_charged", "charged loss {}", self._charge, follows_loss=False)
            self.metrics = (*self.metrics, charged)
        self._state: State = ()
        self.reset_state()

    def _make_streams(self) -> tuple[Streams | DocumentStreams, Feed]:
        """The streams of the corpus, and the feed of what this process reads."""
        plan, corpus, device = self.plan, self.corpus, self._device
        if isinstance(corpus, LabelledCorpus):
            documents = DocumentStreams(corpus.train, plan.batch_size, plan.seed)
            return documents, DocumentFeed(documents, self._columns, device)
        line_end = int(corpus.vocabulary.encode("\n")[0])
        streams = Streams(
            corpus.train,
            plan.batch_size,
            restart=plan.restart,
            seed=plan.seed,
            line_end=None if line_end < 0 else line_end,
        )
        resident = upload_if_small(corpus.train, plan.config.vocab_size, device)
        return streams, TextFeed(streams, self._columns, device, resident)

    def _make_validation(self) -> Validation | DocumentValidation:
        corpus, symbols = self.corpus, self.corpus.vocabulary
        options = (self._device, self.plan.config.vocab_size, symbols.unknown, symbols.lengths, self.plan.validated)
        if isinstance(corpus, LabelledCorpus):
            return DocumentValidation(corpus.valid, *options)
        return Validation(corpus.valid, *options)

    @property
    def _unknown_share(self) -> float:
        """Share of a validation's characters in unknown symbols, by the mean length of a rare token."""
        merged, symbols = self.corpus.vocabulary.merged, self._validation
        unknown = symbols.unknown * (1.0 if merged is None else merged.length)
        return unknown / (unknown + symbols.chars * symbols.characters_per_symbol)

    def _charge(self, loss: float, _: float | None = None) -> float:
        """A validation loss with unknown characters charged: the charged loss of `charrnn evaluate`."""
        share = self._unknown_share
        return (1 - share) * loss + share * self.corpus.vocabulary.unknown_nats

    def next_batch(self, steps_left: float | None) -> LanguageBatch:  # noqa: D102
        length = self.plan.seq_len
        batch = self._feed.next(length, None if steps_left is None else length * steps_left)
        # Every process draws the dropout of all streams, so its own have the masks that they have in a run of one.
        masks = self.network.draw_masks(self.plan.batch_size).columns(self._columns)
        return replace(batch, state=self._state, masks=masks)

    def carry(self, after: State) -> None:  # noqa: D102
        self._state = after

    def reset_state(self) -> None:
        """Put every reader of this process to the learned initial state."""
        self._state = self._initial_state()

    def carry_unless(self, bad: Tensor, after: State) -> None:  # noqa: D102
        initial = self._initial_state()
        self._state = tuple(torch.where(bad, clean, new) for clean, new in zip(initial, after, strict=True))

    def _initial_state(self) -> State:
        count, labels = self._columns.stop - self._columns.start, None
        if self.network.label is not None:  # any label will do: every document starts from its own
            labels = torch.zeros(count, dtype=torch.long, device=self._device)
        return detach(self.network.initial_state(count, labels))

    def count_epochs(self, symbols: int) -> float:  # noqa: D102
        return symbols / self.corpus.train_size

    @property
    def steps_per_epoch(self) -> float:  # noqa: D102
        return self.corpus.train_size / self._streams.chars_per_step(self.plan.seq_len)

    @property
    def characters_per_symbol(self) -> float:  # noqa: D102
        return self._validation.characters_per_symbol

    def validate(self, workers: Workers, on_share: OnShare = ignore_share) -> Measurement:  # noqa: D102
        return Measurement(self._validation.measure(self.network, workers, self._world, on_share))

    def make_header(self, training: dict[str, Any]) -> ModelHeader:  # noqa: D102
        labels, counts = (
            (self.corpus.labels, self.corpus.counts) if isinstance(self.corpus, LabelledCorpus) else ((), ())
        )
        vocabulary = self.corpus.vocabulary.to_json()
        return ModelHeader(self.plan.config, vocabulary, training, labels=labels, label_counts=counts)

    def describe(self, device: str) -> list[Row]:  # noqa: D102
        corpus, plan, config = self.corpus, self.plan, self.plan.config
        units, different, held = corpus.vocabulary.units, len(corpus.vocabulary), corpus.valid_size
        read = count_validated(held, config.vocab_size, plan.validated)
        sampled = f"; each validation reads {read:,} of them, evenly spread" if read < held else ""
        size = f"{corpus.train_size + held:,} {units}, {different:,} different"
        text = f"{corpus.name}: {size}; {held:,} are held out{sampled}"
        start = corpus.vocabulary.decode(corpus.sample(SAMPLE).tolist()).decode("utf-8", "backslashreplace")
        of_weights = f" ({plan.weight_dropout:.2g} on recurrent weights)" if plan.weight_dropout else ""
        network = (
            f"{config.cell} {config.layers}x{config.hidden_size}, {config.parameters:,} parameters, "
            f"batch {plan.batch_size} x {plan.seq_len}, dropout {plan.dropout:.2g}{of_weights}, "
            f"learning rate {plan.lr:.2g}, {'' if self._precision == torch.float32 else 'in bf16 '}on {device}"
        )
        return [
            ("text", text),
            ("begins", start.replace("\n", LINE_END).replace("\t", " ")),
            *(("note", note) for note in [*corpus.notes, *self._describe_unknown()]),
            ("network", network),
            *(("because", reason) for reason in plan.reasons),
            *(("warning", warning) for warning in plan.warnings),
        ]

    def _describe_unknown(self) -> list[str]:
        if not self._validation.unknown:
            return []
        vocabulary, share = self.corpus.vocabulary, self._unknown_share
        charge = f"{vocabulary.unknown_nats:.2f} nats for each (ln {max(2, vocabulary.characters):,})"
        where = f"{share:.1%} of the held-out characters belong to unknown {vocabulary.units}"
        return [f"{where}: the loss leaves them out, the charged loss adds {charge}"]

    def summarize(self, best: Measurement) -> dict[str, Any]:  # noqa: D102
        return {
            "valid_bpc": best.loss / math.log(2),
            "valid_perplexity": math.exp(min(best.loss, 700.0)),
            "valid_unknown_share": self._unknown_share,
            "valid_charged_loss": self._charge(best.loss),
        }

    def suggest(self, model: str, text: str) -> list[list[str]]:  # noqa: D102
        return [
            ["charrnn", "generate", "-m", model, "-t", "0.5"],
            ["charrnn", "evaluate", "-m", model, text],
        ]

    def trace_inputs(self) -> tuple[nn.Module, tuple[Tensor, ...]]:  # noqa: D102
        label = None if self.network.label is None else torch.zeros(1, dtype=torch.long, device=self._device)
        ids = torch.zeros(4, 1, dtype=torch.long, device=self._device)
        scorer = Traceable(self.network, lambda network, ids, *state: network(ids, state, labels=label)[0])
        return scorer, (ids, *detach(self.network.initial_state(1, label)))

    def state_tensors(self) -> dict[str, Tensor]:  # noqa: D102
        carried = (self._world.gather_columns(part, self.plan.batch_size) for part in self._state)
        return {f"carried.{index}": part for index, part in enumerate(carried)}

    def get_state(self) -> dict[str, Any]:  # noqa: D102
        return {"readers": self._streams.get_state()}

    def set_state(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:  # noqa: D102
        carried = (tensors[f"carried.{index}"] for index in range(len(self._state)))
        self._state = tuple(part[:, self._columns].to(self._device).contiguous() for part in carried)
        self._streams.set_state(state["readers"])
