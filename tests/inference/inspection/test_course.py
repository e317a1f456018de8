"""A classifier's probabilities along a text, and their page in a browser."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from charrnn.inference.classification.classifier import Classifier
from charrnn.inference.inspection.course import LINES, follow, follow_lines
from charrnn.inference.inspection.pages import render_courses
from charrnn.inference.network.classifier import ClassifierNetwork
from charrnn.model.config import ClassifierConfig
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.browser import Browser
from tests.inference.inspection.test_pages import HOSTILE, Parts
from tests.needs import in_browser

LABELS = ("first", HOSTILE, "third")


@pytest.fixture
def model() -> Classifier:
    vocabulary = CharVocabulary.of_text("abc d\u202e</script>").with_marks()
    config = ClassifierConfig("lstm", 1, 6, 3, len(vocabulary), len(LABELS), True, "all")
    draw = np.random.default_rng(5)
    tensors = {name: draw.normal(0, 0.8, shape).astype(np.float32) for name, shape in config.shapes().items()}
    header = ModelHeader(config, vocabulary.to_json(), {}, "classify", LABELS, (7, 5, 3))
    return Classifier(header, vocabulary, ClassifierNetwork(config, tensors))


def test_each_row_is_the_text_up_to_there(model: Classifier) -> None:
    course = follow(model, "ab d")
    assert course.parts == list("ab d")
    assert course.probabilities.shape == (5, 3)
    assert course.probabilities.sum(axis=1) == pytest.approx(1)
    for count in range(1, 5):
        wanted = np.exp(model.log_probabilities(["ab d"[:count]]))[0]
        assert course.probabilities[count] == pytest.approx(wanted, abs=1e-6)
    assert course.label == int(course.probabilities[-1].argmax())


def test_lines_are_cut_and_counted(model: Classifier) -> None:
    seen: list[tuple[int, int]] = []
    courses, notes = follow_lines(model, ["abcd", "  ", *["ab"] * LINES], 3, lambda *done: seen.append(done))
    assert [len(course.parts) for course in courses] == [3, *[2] * (LINES - 1)]
    assert notes == [
        "read only the first 3 of 4 characters of a line; --shown N reads more",
        "read only the first 20 lines",
    ]
    assert seen == [(k, 0) for k in range(1, LINES + 1)]


def test_nothing_becomes_markup(model: Classifier) -> None:
    text = "</script>d\u202e"
    page = render_courses(HOSTILE, [follow(model, text)], model).decode("ascii")
    assert Parts(page).tags.count("script") == 2
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert match
    (record,) = json.loads(match[1])["texts"]
    assert "".join(record["parts"]) == text
    assert set(record["classes"]) == {*LABELS}


@in_browser
def test_the_page_in_a_browser(model: Classifier, tmp_path: Path) -> None:
    courses = [follow(model, text) for text in ("ab d\u202e", "cab")]
    (tmp_path / "page.html").write_bytes(render_courses("Inside", courses, model))
    with Browser(tmp_path / "profile") as browser:
        browser.open(tmp_path / "page.html")
        assert browser.ask("document.body.dataset.ready") == "yes"
        spans = "document.querySelectorAll('section:first-child .text span')"
        assert browser.ask(f"[...{spans}].map((s) => s.textContent)") == ["\u25b8", *"ab d", "U+202E"]
        browser.mouse("move", *browser.middle(f"{spans}[2]"))
        values = browser.ask("document.querySelector('.at-cursor').textContent")
        best = courses[0].probabilities[2, courses[0].label]
        assert values.startswith("after 2 characters: ")
        assert f"{LABELS[courses[0].label]} {100 * best:.1f} %" in values
        assert browser.problems == []
