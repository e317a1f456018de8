"""The page's network, in a real browser, held equal to the NumPy network."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.inference.classification.classifier import encode_document
from charrnn.inference.export.page import join_scripts
from charrnn.inference.generation.sampling import Sampler
from charrnn.inference.labelled import LabelledModel
from charrnn.model.config import ModelConfig
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.characters import CharVocabulary
from charrnn.text.vocabulary.words import LONGEST, RUNS, letter_ranges, split_words
from tests.browser import Browser
from tests.inference.export.models import KINDS, RHYME, build_model, draw_weights, make_kind, make_labelled, write_page
from tests.needs import in_browser

pytestmark = in_browser
NO_WORKER = "delete window.Worker"
NO_ASSEMBLY = '"wasm":""'


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser
        assert browser.problems == []


def open_page(browser: Browser, file: Path) -> None:
    browser.open(file)
    browser.ask("window.charrnn.ready")


def call(browser: Browser, name: str, *arguments: Any) -> Any:
    return browser.ask(f"window.charrnn.{name}({', '.join(map(json.dumps, arguments))})")


@pytest.mark.parametrize("kind", KINDS)
def test_texts_and_losses_are_those_of_the_numpy_network(chromium: Browser, tmp_path: Path, kind: str) -> None:
    header, tensors = make_kind(kind)
    model = build_model(header, tensors)
    open_page(chromium, write_page(tmp_path, header, tensors))
    scored = call(chromium, "score", RHYME * 4)
    expected = model.score(RHYME * 4)
    assert scored["loss"] == pytest.approx(expected.loss, abs=2e-5)
    assert scored["chars"] == expected.chars
    likeliest = {"prime": "the cat", "length": 80, "temperature": 0}
    assert call(chromium, "generate", likeliest) == model.generate("the cat", length=80, temperature=0)
    drawn = {"prime": "the cat", "length": 200, "temperature": 1.2, "seed": 3}
    text = call(chromium, "generate", drawn)
    assert call(chromium, "generate", drawn) == text
    assert call(chromium, "generate", {**drawn, "seed": 4}) != text
    assert "\ufffd" not in text or kind == "bytes"


def test_unknown_characters_are_passed_over_and_counted(chromium: Browser, tmp_path: Path) -> None:
    header, tensors = make_kind("one-hot LSTM")
    open_page(chromium, write_page(tmp_path, header, tensors))
    expected = build_model(header, tensors).score("the Qcat ü sat")
    scored = call(chromium, "score", "the Qcat ü sat")
    assert scored == {"loss": pytest.approx(expected.loss, abs=2e-5), "chars": 12, "unknown": 2}
    plain = call(chromium, "generate", {"prime": "the cat", "seed": 1})
    assert call(chromium, "generate", {"prime": "the Qcat", "seed": 1}) == plain


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_labels_have_their_own_texts_and_losses(chromium: Browser, tmp_path: Path, cell: str) -> None:
    header, tensors = make_labelled(("cats", "dogs", "owls"), cell)
    model = build_model(header, tensors)
    assert isinstance(model, LabelledModel)
    open_page(chromium, write_page(tmp_path, header, tensors))
    assert chromium.ask("window.charrnn.labels") == ["cats", "dogs", "owls"]
    lines = ["the cat sat", "ran off"]
    for label in model.labels:
        # A line of the page is a document, its end counted.
        likelihoods = model.log_likelihoods([encode_document(model.vocabulary, line) for line in lines])
        nats = -likelihoods[:, model.labels.index(label)].sum()
        scored = call(chromium, "score", "the cat sat\nran off\n", {"label": label})
        assert scored["loss"] == pytest.approx(nats / 20, abs=2e-5)
        text = call(chromium, "generate", {"label": label, "length": 60, "temperature": 0})
        assert text.split("\n")[0] == model.generate(label=label, length=60, temperature=0)
        assert len(text) == 60
    default = call(chromium, "generate", {"length": 60, "seed": 2})
    assert default == call(chromium, "generate", {"length": 60, "seed": 2, "label": "owls"})
    assert default != call(chromium, "generate", {"length": 60, "seed": 2, "label": "cats"})
    assert "no label" in chromium.ask("window.charrnn.generate({label: 'cows'}).catch(String)")


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_without_webassembly_and_workers_the_texts_are_the_same(chromium: Browser, tmp_path: Path, cell: str) -> None:
    vocabulary = CharVocabulary.of_text(RHYME)
    header = ModelHeader(ModelConfig(cell, 2, 37, 5, len(vocabulary)), vocabulary.to_json())
    file = write_page(tmp_path, header, draw_weights(header.config))
    asked = {"prime": "the", "length": 400, "temperature": 1.1, "seed": 9}
    open_page(chromium, file)
    text = call(chromium, "generate", asked)
    written = file.read_text()
    begin = written.index('"wasm":"')
    end = written.index('"', begin + 8)
    file.write_text(written[:begin] + NO_ASSEMBLY + written[end + 1 :])
    script = chromium.call("Page.addScriptToEvaluateOnNewDocument", source=NO_WORKER)["identifier"]
    try:
        open_page(chromium, file)
        assert call(chromium, "generate", asked) == text
    finally:
        chromium.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)


def test_stops_end_texts_and_are_no_part_of_them(chromium: Browser, tmp_path: Path) -> None:
    header, tensors = make_kind("GRU of two layers")
    open_page(chromium, write_page(tmp_path, header, tensors))
    asked = {"length": 300, "temperature": 1.5, "seed": 1}
    text = call(chromium, "generate", asked)
    stop = text[40:42]
    assert call(chromium, "generate", {**asked, "stop": ["zz!", stop]}) == text[: text.index(stop)]


def test_words_that_have_begun_are_completed(chromium: Browser, tmp_path: Path) -> None:
    header, tensors = make_kind("words")
    model = build_model(header, tensors)
    open_page(chromium, write_page(tmp_path, header, tensors))
    for prime in ("the c", "the cat sat on the ma", "the dog, it'", "th"):
        asked = {"prime": prime, "length": 40, "temperature": 0}
        assert call(chromium, "generate", asked) == model.generate(prime, length=40, temperature=0)


FILTERS: list[dict[str, float]] = [
    {"temperature": 1.0},
    {"temperature": 0.0},
    {"temperature": 0.5, "top_k": 3},
    {"temperature": 1.3, "top_p": 0.7},
    {"temperature": 1.0, "min_p": 0.1},
    {"temperature": 2.0, "top_k": 9, "top_p": 0.8, "min_p": 0.3},
    {"temperature": 1.0, "top_k": 99, "top_p": 1.0, "min_p": 0.0},
]


@pytest.mark.parametrize("settings", FILTERS)
def test_the_filters_keep_what_those_of_generate_keep(chromium: Browser, settings: dict[str, Any]) -> None:
    logits = np.random.default_rng(1).standard_normal((20, 30)).astype(np.float32) * 3
    logits[0, :9] = 7.0  # as likely as each other
    sampler = Sampler(**settings)
    names = {"top_k": "topK", "top_p": "topP", "min_p": "minP"}
    asked = json.dumps({names.get(name, name): value for name, value in settings.items()})
    script = f"(() => {{ {join_scripts(('sampling',))} return {json.dumps(logits.tolist())}.map((row) => [...weightsOf("
    found = np.array(chromium.ask(f"{script}Float32Array.from(row), {asked}, () => true)]); }})()"))
    if sampler.greedy:
        assert (found.argmax(axis=1) == logits.argmax(axis=1)).all()
        assert (found.sum(axis=1) == 1).all()
    else:
        assert found == pytest.approx(sampler.weights(logits), abs=1e-6)


def test_words_are_cut_as_training_cuts_them(chromium: Browser) -> None:
    draw = np.random.default_rng(2)
    alphabet = " \t\n-.=*#~'\u2019_aZ9éßж中かกあ\u0301\u0e33\u05d0\u0628😀\U0001d4b3\u00a0\u200b\u2028"
    texts = ["".join(draw.choice(list(alphabet), 60)) for _ in range(40)] + ["x" * 200 + "-" * 99, "don't 'tis o'er's"]
    letters = {"ranges": [code for each in letter_ranges() for code in each], "runs": RUNS, "longest": LONGEST}
    script = f"(() => {{ {join_scripts(('vocabulary',))} const split = splitter({json.dumps(letters)});"
    found = chromium.ask(f"{script} return {json.dumps(texts)}.map((text) => split(text)); }})()")
    assert found == [split_words(text) for text in texts]
