"""A step never asks its device for a number: on a GPU the host would have to wait for it.

Tensors on PyTorch's device `meta` have shapes and no values, so whatever asks for a value fails there.
"""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from charrnn.model.config import ClassifierConfig, LabelledConfig
from charrnn.text.documents.corpus import Documents
from charrnn.text.storage import TokenIds
from charrnn.training.data.documents import DocumentStreams, collate
from charrnn.training.data.feeding import DocumentFeed
from charrnn.training.network import base, language_objective
from charrnn.training.network.classifier import TextClassifier
from charrnn.training.network.classifier_objective import ClassifierBatch, ClassifierObjective
from charrnn.training.network.language import CharRNN
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


@pytest.fixture
def _no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none on `meta`."""
    monkeypatch.setattr(language_objective, "use_precision", lambda *_: nullcontext())
    monkeypatch.setattr(base, "lower_precision", lambda _: None)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.usefixtures("_no_autocast")
def test_a_step_of_a_labelled_model(documents: Documents, cell: str) -> None:
    network = CharRNN(LabelledConfig(cell, 1, 6, 5, 11, classes=3)).to(META)
    batch = DocumentFeed(DocumentStreams(documents, 4, 1), slice(0, 4), META).next(6)
    state = tuple(part.detach() for part in network.initial_state(4, batch.labels))
    batch = replace(batch, state=state, masks=network.draw_masks(4))
    _, _, gradients = LanguageObjective(network).differentiate(batch, batch.count)
    assert len(gradients) == len(list(network.parameters()))


@pytest.mark.usefixtures("_no_autocast")
def test_a_step_of_a_classifier(documents: Documents) -> None:
    config = ClassifierConfig("lstm", 1, 6, 5, 11, classes=3, bidirectional=True, pool="all")
    network = TextClassifier(config).to(META)
    group = collate([documents[index] for index in range(4)], documents.labels)
    masks = network.draw_masks(4, 0.1, 0.1)
    batch = ClassifierBatch.from_documents(group, torch.from_numpy(group.ids).to(META), masks)
    own = batch.columns(slice(2, 4))  # what one of two processes computes
    assert own.ids.shape == (7, 2)
    _, gradients = ClassifierObjective(network, 0.1, None).differentiate(own)
    assert len(gradients) == len(list(network.parameters()))
