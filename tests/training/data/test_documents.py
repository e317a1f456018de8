"""Labelled documents as the language model learns them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from charrnn.inference.labelled import LabelledModel
from charrnn.model.config import LabelledConfig
from charrnn.model.header import ModelHeader
from charrnn.text.documents.corpus import LabelledCorpus, read_labelled
from charrnn.text.settings import TextSettings
from charrnn.training.data.documents import DocumentStreams
from charrnn.training.data.feeding import DocumentFeed
from charrnn.training.devices.workers import Workers
from charrnn.training.network.base import detach
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_objective import LanguageObjective
from charrnn.training.tasks import language_validation
from charrnn.training.tasks.language_validation import DocumentValidation
from tests.training.runs import measure_in_two

ROWS = [("animal", "cat"), ("animal", "dog"), ("plant", "oak"), ("animal", "elephant"), ("plant", "a rose is a rose")]

CPU = torch.device("cpu")


def corpus_of(folder: Path, tokens: str = "char") -> LabelledCorpus:
    path = folder / "things.tsv"
    path.write_text("".join(f"{label}\t{text}\n" for label, text in ROWS), encoding="utf-8")
    return read_labelled([str(path)], TextSettings(tokens=tokens))


def network_of(corpus: LabelledCorpus, cell: str, embedding: int = 5, layers: int = 2) -> CharRNN:
    torch.manual_seed(0)
    network = CharRNN(LabelledConfig(cell, layers, 7, embedding, len(corpus.vocabulary), 2))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.4)
    return network


@torch.no_grad()
def naive_nats(network: CharRNN, ids: np.ndarray, label: int) -> np.ndarray:
    """A document's surprises, symbol by symbol."""
    labels = torch.tensor([label])
    state, nats = network.initial_state(1, labels), []
    for symbol in ids.tolist():
        nats.append(float(F.cross_entropy(network.next_logits(state), torch.tensor([symbol]))))
        _, state = network(torch.tensor([[symbol]]), state, labels=labels)
    return np.array(nats)


@pytest.mark.parametrize("tokens", ["char", "word"])
def test_every_document_comes_whole_once_an_epoch(tmp_path: Path, tokens: str) -> None:
    corpus = corpus_of(tmp_path, tokens)
    streams = DocumentStreams(corpus.train, 1, seed=3)
    found: list[tuple[str, str]] = []
    text: list[int] = []
    while len(found) < 2 * len(ROWS):
        batch = streams.next_window(4)
        assert batch.labels is not None
        text += ([batch.inputs[0, 0]] if batch.restarted[0] else []) + batch.targets[batch.targets >= 0].tolist()
        if text[-1] == corpus.vocabulary.end:
            found.append((corpus.labels[batch.labels[0]], corpus.vocabulary.decode(text[:-1]).decode()))
            text = []
    assert sorted(found[: len(ROWS)]) == sorted(found[len(ROWS) :]) == sorted(ROWS)


def test_a_place_in_the_documents_comes_back(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    streams = DocumentStreams(corpus.train, 2, seed=3)
    for _ in range(5):
        streams.next_window(4)
    again = DocumentStreams(corpus.train, 2, seed=3)
    again.set_state(streams.get_state())
    for _ in range(9):
        one, two = streams.next_window(4), again.next_window(4)
        assert (one.inputs.tolist(), one.targets.tolist(), one.restarted.tolist()) == (
            two.inputs.tolist(),
            two.targets.tolist(),
            two.restarted.tolist(),
        )


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("length", [3, 100])
def test_a_step_costs_what_its_documents_cost(tmp_path: Path, cell: str, length: int) -> None:
    """Padding and the documents beside it change nothing, and those longer than a step carry their state on."""
    corpus = corpus_of(tmp_path)
    network = network_of(corpus, cell)
    streams = DocumentStreams(corpus.train, 5, seed=1)
    feed, objective = DocumentFeed(streams, slice(0, 5), CPU), LanguageObjective(network)
    state = detach(network.initial_state(5, torch.zeros(5, dtype=torch.long)))
    total, chars = 0.0, 0
    while chars < corpus.train_size:
        batch = replace(feed.next(length), state=state)
        nats, state = objective.compute_gradients(batch, Workers(5, None))
        total, chars = total + float(nats), chars + batch.count
    expected = sum(
        naive_nats(network, ids, int(label)).sum() for ids, label in zip(corpus.train, corpus.train.labels, strict=True)
    )
    assert chars == corpus.train_size
    assert total == pytest.approx(expected, rel=1e-5)
    validation = DocumentValidation(
        corpus.train, torch.device("cpu"), len(corpus.vocabulary), corpus.vocabulary.unknown
    )
    assert validation.measure(network, Workers(5, None)) == pytest.approx(expected / chars, rel=1e-5)
    assert validation.chars == chars


def test_processes_validate_on_documents_in_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_validation, "DOCUMENTS", 1)
    monkeypatch.setattr(language_validation, "CHUNK", 2)
    corpus = corpus_of(tmp_path)
    network = network_of(corpus, "gru")
    validation = DocumentValidation(corpus.train, CPU, len(corpus.vocabulary))  # five batches of five lengths
    loss, shares = measure_in_two(validation, network)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 5
    assert loss == pytest.approx(validation.measure(network, Workers(1, None)), rel=1e-5)


def test_only_its_own_label_learns_from_a_document(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    network = network_of(corpus, "lstm")
    animals = corpus.train.select(np.flatnonzero(corpus.train.labels == 0))
    state = detach(network.initial_state(2, torch.zeros(2, dtype=torch.long)))
    batch = replace(DocumentFeed(DocumentStreams(animals, 2, 1), slice(0, 2), CPU).next(50), state=state)
    LanguageObjective(network).compute_gradients(batch, Workers(2, None))
    assert network.label is not None
    for parameter in (network.label.weight, network.initial_hidden, network.initial_cell):
        assert parameter is not None
        assert parameter.grad is not None
        assert parameter.grad[0].abs().max() > 0
        assert parameter.grad[1].abs().max() == 0


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("embedding", [0, 5])
def test_numpy_gives_documents_the_probability_that_pytorch_gives(tmp_path: Path, cell: str, embedding: int) -> None:
    corpus = corpus_of(tmp_path)
    network = network_of(corpus, cell, embedding)
    header = ModelHeader(network.config, corpus.vocabulary.to_json(), labels=corpus.labels, label_counts=corpus.counts)
    assert isinstance(network.config, LabelledConfig)
    model = LabelledModel(header, corpus.vocabulary, network.export())
    found = model.log_likelihoods(list(corpus.train))
    for ids, likelihoods in zip(corpus.train, found, strict=True):
        for label in range(2):
            assert likelihoods[label] == pytest.approx(-naive_nats(network, ids, label).sum(), rel=1e-5)
    # By Bayes' rule, written out.
    joint = np.exp(found) * np.array(corpus.counts) / sum(corpus.counts)
    assert np.exp(model.apply_bayes(found)) == pytest.approx(joint / joint.sum(axis=1, keepdims=True), abs=1e-9)
    # What is read symbol by symbol to write is the same, too.
    own = model.for_label("plant")
    ids = model.vocabulary.readable_ids(model.vocabulary.tokenize("a rose"))[0]
    labels, state = torch.tensor([1]), network.initial_state(1, torch.tensor([1]))
    with torch.no_grad():
        _, state = network(torch.from_numpy(ids[:, None].astype(np.int64)), state, labels=labels)
        expected = network.next_logits(state).numpy()
    assert own.network.next_logits(own.read(ids)) == pytest.approx(expected, abs=1e-5)
