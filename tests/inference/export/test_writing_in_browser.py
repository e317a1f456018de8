"""The page as a person uses it, in a real browser: typing, keys, buttons, colours, and no request that leaves."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from charrnn.model.config import ModelConfig
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.words import WordVocabulary
from tests.browser import Browser
from tests.inference.export.models import RHYME, build_model, draw_weights, make_kind, make_labelled, write_page
from tests.inference.inspection.test_pages import HOSTILE
from tests.needs import in_browser

pytestmark = in_browser
TEXT = "document.getElementById('text')"
GHOST = "(document.querySelector('#mirror .ghost')?.textContent ?? '')"
SUGGESTIONS = "[...document.querySelectorAll('#suggestion-list li')].map((row) => row.textContent)"
CHOSEN = "[...document.querySelectorAll('#suggestion-list li')].findIndex((row) => row.ariaSelected === 'true')"
COLOURED = "document.querySelector('#mirror [class^=s]') !== null"
IDLE = "!document.getElementById('text').readOnly"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        # Text appears at once.
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        yield browser
        assert browser.problems == []


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Browser:
    """The page of a model of characters, the caret in an empty text."""
    header, tensors = make_kind("GRU of two layers")
    open_page(chromium, write_page(tmp_path, header, tensors))
    return chromium


def open_page(browser: Browser, file: Path, suggestions: int = 3) -> None:
    browser.open(file)
    browser.ask("window.charrnn.ready")
    browser.ask(f"{TEXT}.focus()")
    browser.wait_for(f"{GHOST} && {SUGGESTIONS}.length >= {suggestions}")


def text_of(browser: Browser) -> str:
    value: str = browser.ask(f"{TEXT}.value")
    return value


def ghost_of(browser: Browser) -> str:
    value: str = browser.wait_for(GHOST)
    return value


def set_value(browser: Browser, name: str, value: str) -> None:
    field = f"document.getElementById('{name}')"
    browser.ask(f"{field}.value = {json.dumps(value)}; {field}.dispatchEvent(new Event('input')); 0")


def click(browser: Browser, name: str) -> None:
    browser.ask(f"document.getElementById('{name}').click()")


def bars(browser: Browser) -> dict[str, str]:
    found: Any = browser.ask("[...document.querySelectorAll('#bars button')].map((b) => b.ariaLabel.split(', '))")
    return {name: share for *name_parts, share in found for name in [", ".join(name_parts)]}


def test_tab_takes_a_word_of_the_grey_text_and_leaves_the_rest(chromium: Browser, tmp_path: Path) -> None:
    page = chromium
    open_page(page, write_page(tmp_path, *make_kind("words")))
    page.type("the cat")
    ghost = ghost_of(page)
    page.key("Tab")
    taken = text_of(page).removeprefix("the cat")
    assert taken
    assert ghost.startswith(taken)
    assert taken.strip() == ghost.split()[0]
    assert ghost_of(page).startswith(ghost[len(taken) :])
    assert page.ask("document.activeElement.id") == "text"


def test_tab_waits_for_the_grey_text(page: Browser) -> None:
    for _ in range(3):
        page.type("a")
        page.key("Tab")
    page.wait_for(f"{TEXT}.value.length > 5")
    assert page.ask("document.activeElement.id") == "text"


def test_unknown_characters_are_named(page: Browser) -> None:
    status = "document.getElementById('status').textContent"
    page.type("the Q\u202e")
    page.wait_for(f"{status} === 'Not in the vocabulary, skipped: Q U+202E'")
    page.key("Backspace")
    page.key("Backspace")
    page.wait_for(f"{status} === ''")


def test_typing_what_is_grey_keeps_the_rest(page: Browser) -> None:
    page.type("the cat")
    ghost = ghost_of(page)
    page.type(ghost[:2])
    assert ghost_of(page).startswith(ghost[2:])


def test_shift_tab_tries_another(page: Browser) -> None:
    page.type("the ")
    ghosts = {ghost_of(page)}
    for _ in range(3):
        page.key("Tab", shift=True)
        page.wait_for(f"{SUGGESTIONS}.length === 3")
        ghosts.add(ghost_of(page))
    assert len(ghosts) > 1
    assert text_of(page) == "the "


def test_suggestions_are_chosen_and_taken_by_keys(page: Browser) -> None:
    page.type("the ")
    page.wait_for(f"{SUGGESTIONS}.length === 3")
    suggestions = page.ask(SUGGESTIONS)
    page.key("ArrowDown", alt=True)
    page.key("ArrowDown", alt=True)
    page.key("ArrowUp", alt=True)
    assert page.ask(CHOSEN) == 1
    ghost = ghost_of(page)
    assert ghost.replace("\n", " ↵ ").split() == (suggestions[1] + (" ↵" if ghost.endswith("\n") else "")).split()
    page.key("Enter", alt=True)
    assert text_of(page) == "the " + ghost
    page.ask("document.getElementById('suggestion-list').focus()")
    page.wait_for(f"{SUGGESTIONS}.length === 3")
    page.key("ArrowDown")
    page.key("Enter")
    assert text_of(page).startswith("the " + ghost)
    assert len(text_of(page)) > len("the " + ghost)


def test_undo_and_redo_go_by_steps(page: Browser) -> None:
    page.type("the cat")
    ghost_of(page)
    page.key("Tab")
    taken = text_of(page)
    page.type("x")
    page.key("z", control=True)
    assert text_of(page) == taken
    page.key("z", control=True)
    assert text_of(page) == "the cat"
    page.key("z", control=True)
    assert text_of(page) == ""
    assert page.ask("document.getElementById('undo').disabled")
    click(page, "redo")
    page.key("z", control=True, shift=True)
    page.key("y", control=True)
    assert text_of(page) == taken + "x"
    assert page.ask("document.getElementById('redo').disabled")
    click(page, "undo")
    assert text_of(page) == taken


def test_writing_on_goes_on_from_the_caret_and_is_one_step(page: Browser) -> None:
    page.type("the cat")
    set_value(page, "length", "300")
    set_value(page, "seed", "5")
    page.key("Enter", control=True)
    page.wait_for(IDLE)
    text = text_of(page)
    settings = "{prime: 'the cat', length: 300, temperature: 0.8, seed: 5}"
    assert text == "the cat" + page.ask(f"window.charrnn.generate({settings})")
    click(page, "write")
    page.wait_for(f"{TEXT}.value.length > {len(text)} && {IDLE}")
    assert text_of(page).startswith(text)
    click(page, "undo")
    assert text_of(page) == text
    click(page, "undo")
    assert text_of(page) == "the cat"


def test_escape_stops_what_is_being_written(page: Browser) -> None:
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "no-preference"}])
    try:
        set_value(page, "length", "3000")
        page.key("Enter", control=True)
        page.wait_for(f"{TEXT}.value.length > 20")
        assert page.ask("document.querySelector('#write span').textContent") == "Stop"
        page.key("Escape")
        page.wait_for(IDLE)
    finally:
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    length = len(text_of(page))
    assert 20 < length < 3000
    time.sleep(0.1)
    assert len(text_of(page)) == length
    assert ", stopped" in page.ask("document.getElementById('status').textContent")


def test_escape_puts_the_grey_text_away_and_tab_leaves(page: Browser) -> None:
    page.type("the cat")
    ghost_of(page)
    page.key("Escape")
    assert page.ask(GHOST) == ""
    page.key("Tab")
    assert page.ask("document.activeElement.id") == "suggestion-list"
    assert text_of(page) == "the cat"


def test_a_caret_in_the_middle_has_its_own_grey_text(page: Browser) -> None:
    page.type("the cat sat")
    ghost_of(page)
    page.ask(f"{TEXT}.setSelectionRange(4, 4)")
    page.wait_for(f"{GHOST} === ''")
    page.key("Tab")
    page.wait_for("document.querySelector('#mirror .ghost.over') !== null")
    assert page.ask("document.getElementById('mirror').textContent.startsWith('the ')")
    page.key("Tab")
    text = text_of(page)
    assert text.startswith("the ")
    assert text.endswith("cat sat")
    assert len(text) > len("the cat sat")


def test_bars_show_what_comes_next_and_follow_the_temperature(page: Browser) -> None:
    page.type("the ca")
    page.wait_for(f"{SUGGESTIONS}.length === 3")
    shares = bars(page)
    assert len(shares) == 8
    set_value(page, "temperature", "0")
    page.wait_for("document.querySelectorAll('#bars button').length === 1")
    ((likeliest, share),) = bars(page).items()
    assert share == "100 percent"
    assert likeliest == next(iter(shares))
    page.ask("document.querySelector('#bars button').click()")
    header, tensors = make_kind("GRU of two layers")
    assert text_of(page) == "the ca" + build_model(header, tensors).generate("the ca", length=1, temperature=0)


def test_surprise_colours_the_text_by_the_models_nats(page: Browser) -> None:
    text = "the cat sät on\nQ"
    page.call("Input.insertText", text=text)
    click(page, "surprise")
    page.wait_for(COLOURED)
    spans = page.ask("[...document.querySelectorAll('#mirror span')].map((s) => [s.className, s.textContent])")
    steps = [name for name, piece in spans for _ in piece if name not in ("caret", "ghost")]
    assert "".join(piece for name, piece in spans if name not in ("caret", "ghost")) == text
    header, tensors = make_kind("GRU of two layers")
    model = build_model(header, tensors)
    from charrnn.inference.scoring.texts import score_text

    ((_, nats),) = score_text(model.network, model.vocabulary, [model.vocabulary.tokenize(text)])
    for step, found in zip(steps, nats / 0.6931472, strict=True):
        assert step == ("" if found != found else f"s{sum(found >= border for border in (1, 2, 4, 6, 9))}")
    click(page, "surprise")
    assert page.ask("document.querySelectorAll('#mirror .s1').length") == 0


def test_the_text_can_be_copied_and_downloaded(page: Browser, tmp_path: Path) -> None:
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.type("the cat")
    click(page, "save")
    file = tmp_path / "rhyme.txt"
    while not file.exists():
        time.sleep(0.02)
    assert file.read_text() == "the cat"
    click(page, "copy")
    page.wait_for("document.getElementById('status').textContent === 'Copied'")
    page.ask(f"{TEXT}.setSelectionRange(0, {TEXT}.value.length)")


def test_a_label_is_chosen(chromium: Browser, tmp_path: Path) -> None:
    header, tensors = make_labelled(("cats", "dogs", HOSTILE))
    open_page(chromium, write_page(tmp_path, header, tensors))
    assert chromium.ask("[...document.querySelectorAll('#label option')].map((o) => o.text.length > 0)") == [True] * 3
    assert chromium.ask("document.getElementById('label').value") == "2"
    set_value(chromium, "seed", "3")
    set_value(chromium, "label", "0")
    click(chromium, "write")
    chromium.wait_for(f"{TEXT}.value && {IDLE}")
    asked = "{label: 'cats', seed: 3, length: 400}"
    assert text_of(chromium) == chromium.ask(f"window.charrnn.generate({asked})")


def test_everything_of_a_strangers_model_is_text(chromium: Browser, tmp_path: Path) -> None:
    words = [HOSTILE, "<img src=x onerror=alert(1)>", "\u2028", "a", "@WEIGHTS@", "</textarea>"]
    vocabulary = WordVocabulary(words)
    config = ModelConfig("rnn", 1, 3, 0, len(words))
    training = {"corpus": HOSTILE, "date": HOSTILE, "valid_loss": "1<2", "chars": 10**400, "epochs": float("nan")}
    header = ModelHeader(config, vocabulary.to_json(), training)
    tensors = draw_weights(config)
    tensors["decoder.bias"][:] = 3e38
    open_page(chromium, write_page(tmp_path, header, tensors, HOSTILE + "\udcff"), suggestions=1)
    set_value(chromium, "length", "100")
    click(chromium, "write")
    chromium.wait_for(f"{TEXT}.value.length > 50 && {IDLE}")
    chromium.type("\na")
    click(chromium, "surprise")
    chromium.wait_for(COLOURED)
    assert chromium.ask("document.querySelectorAll('img, iframe, object, embed').length") == 0
    assert chromium.ask("document.querySelectorAll('script').length") == 3
    assert HOSTILE in chromium.ask("document.getElementById('facts').textContent")
    assert chromium.ask("document.title").startswith("</script><script>alert(1)")


def test_the_page_fits_narrow_and_wide_windows(page: Browser) -> None:
    page.call("Input.insertText", text=RHYME * 3 + "a" * 300)
    for width in (320, 390, 1280, 2560):
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        assert page.ask("document.documentElement.scrollWidth <= innerWidth")
        mirror, area = page.ask("['mirror', 'text'].map((id) => getComputedStyle(document.getElementById(id)).height)")
        assert mirror == area
        assert page.ask(f"{TEXT}.scrollHeight <= {TEXT}.clientHeight")
    page.call("Emulation.clearDeviceMetricsOverride")
