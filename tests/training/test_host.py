"""A step never asks its device for a number: on a GPU the host would have to wait for it.

Tensors on PyTorch's device `meta` have shapes and no values, so whatever asks for a value fails there.
"""

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from charrnn.model.config import ClassifierConfig, LabelledConfig
from charrnn.text.documents.corpus import Documents
from charrnn.text.storage import TokenIds
from charrnn.training.data.documents import DocumentReaders, collate
from charrnn.training.data.feeding import DocumentFeed
from charrnn.training.network import language, language_objective
from charrnn.training.network.classifier import TextClassifier
from charrnn.training.network.classifier_objective import ClassifierBatch, ClassifierObjective
from charrnn.training.network.language import CharRNN
from charrnn.training.network.language_batch import LanguageBatch
from charrnn.training.network.language_objective import LanguageObjective

META = torch.device("meta")
LENGTHS = (3, 9, 5, 7)


@pytest.fixture
def documents() -> Documents:
    ids = np.arange(sum(LENGTHS), dtype=np.int32) % 11
    ends = np.cumsum(np.array(LENGTHS, dtype=np.int64))
    return Documents(
        TokenIds(ids.astype(np.uint8), np.arange(11, dtype=np.int32)),
        ends - LENGTHS,
        ends,
        np.array([0, 1, 2, 0], dtype=np.int32),
        np.arange(11),
    )


def learn(objective: torch.nn.Module, batch: Any) -> None:
    loss, _, _ = objective(batch)
    loss.backward()
    assert any(parameter.grad is not None for parameter in objective.parameters())


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_step_of_a_labelled_model(documents: Documents, cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = CharRNN(LabelledConfig(cell, 1, 6, 5, 11, classes=3)).to(META)
    window = DocumentFeed(DocumentReaders(documents, 4, 1), slice(0, 4), META).next(6)
    assert window.inside is not None
    assert window.chars == len(window.inside) + 4
    state = tuple(part.detach() for part in network.initial_state(4, window.labels))
    batch = LanguageBatch.from_window(window, state, network.draw_masks(4))
    with monkeypatch.context() as patch:
        patch.setattr(language_objective, "use_precision", lambda *_: nullcontext())  # there is no autocast on `meta`
        patch.setattr(language, "lower_precision", lambda _: None)
        learn(LanguageObjective(network), batch)


def test_a_step_of_a_classifier(documents: Documents) -> None:
    config = ClassifierConfig("lstm", 1, 6, 5, 11, classes=3, bidirectional=True, pool="all")
    network = TextClassifier(config).to(META)
    group = collate([documents[index] for index in range(4)], documents.labels)
    masks = network.draw_masks(4, 0.1, 0.1)
    batch = ClassifierBatch.from_documents(group, torch.from_numpy(group.ids).to(META), masks)
    own = batch.columns(slice(2, 4))  # what one of two processes computes
    assert own.ids.shape == (7, 2)
    learn(ClassifierObjective(network, 0.1, None), own)
