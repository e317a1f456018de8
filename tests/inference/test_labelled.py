"""Writing in the style of a label, and telling labels apart by Bayes' rule."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from charrnn.errors import GenerationError
from charrnn.inference.classification.classifier import encode_document
from charrnn.inference.labelled import LabelledModel
from charrnn.inference.loading import build_language_model
from charrnn.inference.model import Model, make_request
from charrnn.inference.settings import SamplingSettings
from charrnn.model.config import LabelledConfig
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.base import END, REPLACEMENT
from charrnn.text.vocabulary.characters import CharVocabulary

LABELS, COUNTS = ("cats", "dogs", "owls"), (50, 10, 40)


@pytest.fixture
def model() -> LabelledModel:
    vocabulary = CharVocabulary([END, *map(ord, "abcd"), REPLACEMENT], unknown=5, end=0)
    config = LabelledConfig("gru", 2, 8, 3, len(vocabulary), len(LABELS))
    draw = np.random.default_rng(0)
    tensors = {name: draw.standard_normal(shape).astype(np.float32) for name, shape in config.shapes().items()}
    header = ModelHeader(config, vocabulary.to_json(), labels=LABELS, label_counts=COUNTS)
    found = build_language_model(ModelHeader.from_json(header.to_json(), path=None), tensors)  # type: ignore[arg-type]
    assert isinstance(found, LabelledModel)
    return found


def texts(model: Model, seeds: range, length: int = 50) -> list[Any]:
    request = make_request(SamplingSettings(temperature=1.0), length)
    return list(model.samples(model.read(model.prime("").ids), seeds=seeds, request=request))


def test_a_document_ends_by_itself(model: LabelledModel) -> None:
    found = texts(model.for_label("cats"), range(40))
    assert {sample.finish for sample in found} >= {"stop"}
    assert all(set(sample.text) <= set(b"abcd") for sample in found)
    assert all(len(sample.text) == 50 for sample in found if sample.finish == "length")
    longer = texts(model.for_label("cats"), range(40), 99)
    assert [sample.text[:50] for sample in longer] == [sample.text for sample in found]


def test_labels_write_different_texts(model: LabelledModel) -> None:
    cats, dogs = (texts(model.for_label(label), range(20)) for label in ("cats", "dogs"))
    assert [sample.text for sample in cats] != [sample.text for sample in dogs]


def test_labels_are_drawn_by_their_frequency(model: LabelledModel) -> None:
    drawn = [model.draw_label(seed) for seed in range(600)]
    assert drawn == [model.draw_label(seed) for seed in range(600)]
    shares = Counter(drawn)
    assert shares["cats"] / 600 == pytest.approx(0.5, abs=0.07)
    assert shares["dogs"] / 600 == pytest.approx(0.1, abs=0.05)
    assert model.generate(seed=4) == model.generate(seed=4, label=model.draw_label(4))


def test_a_stream_has_the_text_of_its_label(model: LabelledModel) -> None:
    for label in (None, *LABELS):
        pieces = model.stream("ab", label=label, seed=4, length=60)
        assert "".join(pieces) == model.generate("ab", label=label, seed=4, length=60)
    assert model.generate(label="dogs", seed=4) == model.for_label("dogs").generate(seed=4)
    with pytest.raises(GenerationError, match="no label 'dgos'"):
        next(model.stream(label="dgos"))


def test_labels_share_the_layout_of_their_weights(model: LabelledModel) -> None:
    layouts = [one.generator.weights for one in (model, *map(model.for_label, LABELS))]
    assert len({id(layout.network) for layout in layouts}) == 4
    if layouts[0].kernel is None:
        pytest.skip("the kernel does not run on this machine")
    for layout in layouts[1:]:
        assert layout.decoder[0] is layouts[0].decoder[0]
        assert layout.state is layouts[0].state
        assert layout.table is not layouts[0].table


def test_a_mistyped_label_gets_a_suggestion(model: LabelledModel) -> None:
    with pytest.raises(GenerationError, match="no label 'dgos'; did you mean 'dogs'"):
        model.for_label("dgos")
    with pytest.raises(GenerationError, match="no label 'DOGS'; did you mean 'dogs'"):
        model.for_label("DOGS")
    with pytest.raises(GenerationError, match="no label 'zzz'; it has 'cats', 'dogs', 'owls'"):
        model.for_label("zzz")


def test_its_own_texts_are_told_apart(model: LabelledModel) -> None:
    documents, wanted = [], []
    for index, label in enumerate(LABELS):
        for sample in texts(model.for_label(label), range(100), 200):
            if sample.finish == "stop":
                documents.append(sample.text.decode())
                wanted.append(index)
    found = model.log_probabilities(documents)
    assert np.exp(found).sum(axis=1) == pytest.approx(1)
    assert (found.argmax(axis=1) == np.array(wanted)).mean() > 0.55
    one = model.log_probabilities(documents[7:8])
    assert found[7] == pytest.approx(one[0], rel=1e-5, abs=1e-5)


def test_unknown_characters_say_nothing(model: LabelledModel) -> None:
    ids = encode_document(model.vocabulary, "ab~")
    assert ids.tolist() == [1, 2, 5, 0]
    cats = model.for_label("cats").network
    with_unknown = model.log_likelihoods([ids])[0, 0]
    state, nats = cats.initial_state(), 0.0
    for index in ids:
        scores = cats.next_logits(state)[0].astype(np.float64)
        nats += 0.0 if index == 5 else float(np.log(np.exp(scores).sum()) - scores[index])
        cats.read(np.array([[index]]), state)
    assert with_unknown == pytest.approx(-nats, rel=1e-5)
