"""Generation with PyTorch against generation with NumPy: the same texts, and the same distribution."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import GenerationError
from charrnn.inference.generation import on_device
from charrnn.inference.generation.sampling import Sampler, softmax
from charrnn.inference.loading import load
from charrnn.inference.model import Model, make_request
from charrnn.inference.settings import SamplingSettings
from charrnn.model.config import GATES
from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.devices import CPU, on_devices
from tests.models import make_model

FILTERS = [
    Sampler(0.0),
    Sampler(0.7),
    Sampler(1.0, top_k=3),
    Sampler(1.3, top_p=0.8),
    Sampler(1.0, min_p=0.1),
    Sampler(0.9, top_k=5, top_p=0.9, min_p=0.05),
]


def torch_model(model: Model, device: torch.device = CPU) -> Model:
    """The same model, writing with PyTorch."""
    generator = on_device.DeviceGenerator(model.network, model.vocabulary, device)
    return Model(model.header, model.vocabulary, model.network, generator)


@given(st.integers(0, 2**31), st.sampled_from(FILTERS), st.integers(2, 40))
def test_the_same_numbers_choose_the_same_symbols(seed: int, sampler: Sampler, vocab: int) -> None:
    draw = np.random.default_rng(seed)
    logits = draw.normal(scale=3.0, size=(20, vocab)).astype(np.float32)
    uniforms = draw.random(20)
    found = on_device.choose(sampler, torch.from_numpy(logits), torch.from_numpy(uniforms)).numpy()
    assert (found == sampler.choose(logits, uniforms)).mean() >= 0.95  # a rounding may decide otherwise


@on_devices
@pytest.mark.parametrize(("cell", "embedding"), [(cell, embedding) for cell in GATES for embedding in (0, 6)])
def test_it_writes_the_texts_that_numpy_writes(cell: str, embedding: int, device: torch.device) -> None:
    model = make_model(CharVocabulary.of_text("abcdefghij"), cell, layers=2, embedding_size=embedding)
    request = make_request(SamplingSettings(temperature=0.9, top_p=0.95), 100, ["ab", "jj"], loss=True)
    start = model.read(model.prime("abc").ids)
    expected = list(model.samples(start, seeds=range(30), request=request))
    found = list(torch_model(model, device).samples(start, seeds=range(30), request=request))
    same = [a for a, b in zip(expected, found, strict=True) if (a.text, a.finish) == (b.text, b.finish)]
    assert len(same) >= 27
    for a, b in zip(expected, found, strict=True):
        if a.text == b.text:
            assert a.loss == pytest.approx(b.loss, rel=1e-4)


@on_devices
def test_symbols_come_as_often_as_the_model_says(device: torch.device) -> None:
    model = make_model(CharVocabulary.of_text("abcdefgh"))
    start = model.read(model.prime("hag").ids)
    count = 6000
    request = make_request(SamplingSettings(temperature=1.0), 1)
    texts = torch_model(model, device).samples(start, seeds=range(10**6, 10**6 + count), request=request)
    found = np.bincount([b"abcdefgh".index(sample.text) for sample in texts], minlength=8)
    expected = count * softmax(model.network.next_logits(start))[0]
    chi_square = ((found - expected) ** 2 / expected).sum()
    assert chi_square < 24.3  # 7 degrees of freedom: one in a thousand is larger


@on_devices
def test_many_samples_go_in_groups_and_none_is_lost(monkeypatch: pytest.MonkeyPatch, device: torch.device) -> None:
    monkeypatch.setattr(on_device, "GROUP", 4)
    model = torch_model(make_model(CharVocabulary.of_text("abc")), device)
    request = make_request(SamplingSettings(), on_device.BURST + 3)
    samples = list(model.samples(model.read(model.prime("a").ids), seeds=range(10), request=request))
    assert [(sample.seed, len(sample.text)) for sample in samples] == [
        (seed, on_device.BURST + 3) for seed in range(10)
    ]


def test_a_length_of_nothing_gives_nothing() -> None:
    assert torch_model(make_model(CharVocabulary.of_text("abc"))).generate("ab", length=0) == ""


def test_a_device_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_model(CharVocabulary.of_text("abc"))
    path = tmp_path / "m.safetensors"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    save_model(path, made.header, made.network.tensors)
    with pytest.raises(GenerationError, match="there is no cuda device; leave out --device"):
        load(path, "cuda")


@on_devices
def test_texts_match_a_pattern_on_every_device(device: torch.device) -> None:
    model = torch_model(make_model(CharVocabulary.of_text("abcdefgh")), device)
    request = model.constrain(make_request(SamplingSettings(temperature=1.0), 60), "[abc]{2,9}d(ef)+")
    start = model.read(model.prime("gh").ids)
    for sample in model.samples(start, seeds=range(20), request=request):
        assert re.fullmatch(r"[abc]{2,9}d(ef)+", sample.text.decode()), sample.text


@pytest.mark.parametrize("cell", GATES)
def test_one_hot_vectors_are_never_laid_out(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "eye", None)
    model = make_model(CharVocabulary.of_text("abcdefghij"), cell)
    assert torch_model(model).generate("abc", seed=1, length=40) == model.generate("abc", seed=1, length=40)
