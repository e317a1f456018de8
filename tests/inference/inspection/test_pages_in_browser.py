"""The page as a person uses it, in a real browser."""

from collections.abc import Iterator

import pytest

from charrnn.inference.inspection.finding import Finding
from charrnn.inference.inspection.pages import View, render_trace
from charrnn.inference.inspection.tracing import Trace
from tests.browser import Browser
from tests.inference.inspection.test_pages import HOSTILE, trace
from tests.needs import in_browser

pytestmark = in_browser
TEXT = f"A line (with) brackets\n\tand 12 more: {HOSTILE}\n" * 3
FINDINGS = [Finding(f"inside {HOSTILE}", 1, 5, -0.5, 0.1, True, True)]
BUTTON = "document.querySelector('#findings button')"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Trace]]:
    folder = tmp_path_factory.mktemp("browser")
    model, read, found = trace(TEXT, layers=2, hidden_size=12)
    title = f"Inside {HOSTILE}"
    view = View(0, 3, "hidden")
    written = render_trace(title, model.network, model.vocabulary, read, found, FINDINGS, view, len(TEXT))
    file = folder / "page.html"
    file.write_bytes(written)
    with Browser(folder / "profile") as browser:
        browser.open(file)
        assert browser.ask("document.body.dataset.ready") == "yes"
        yield browser, found
        assert browser.problems == []


def span(t: int) -> str:
    return f"document.querySelectorAll('#text span')[{t}]"


def hover_rows(browser: Browser) -> dict[str, str]:
    rows = browser.ask(
        "[...document.querySelectorAll('#hover div')].map((r) => [...r.children].map((c) => c.textContent))"
    )
    return dict(rows)


def pixels(browser: Browser, canvas: str) -> str:
    drawn: str = browser.ask(f"document.getElementById('{canvas}').toDataURL()")
    return drawn


def test_text_is_shown_as_text(opened: tuple[Browser, Trace]) -> None:
    browser, _ = opened
    shown = browser.ask("[...document.querySelectorAll('#text span')].map((s) => s.textContent)")
    marks = {"\n": "\u21b5", "\t": "\u21e5", "\u202e": "U+202E", "\u2028": "U+2028", "\u2029": "U+2029"}
    assert shown == [marks.get(character, character) for character in TEXT]
    assert browser.ask("document.querySelectorAll('script').length") == 2
    assert browser.ask("document.querySelectorAll('#text *:not(span):not(br)').length") == 0
    assert HOSTILE.split("\n")[0].split("\t")[0] in browser.ask("document.title")
    assert browser.ask(f"{BUTTON}.textContent") == f"inside {HOSTILE}: layer 1 unit 5 (-0.50)"


def test_hovering_tells_values_surprise_and_what_comes_next(opened: tuple[Browser, Trace]) -> None:
    browser, found = opened
    browser.ask("choose({ layer: 0, unit: 3, values: 'hidden' })")
    for t in (4, 9):
        browser.mouse("move", *browser.middle(span(t)))
        rows = hover_rows(browser)
        assert rows[f"character {t}"] == TEXT[t]
        assert rows["surprise"] == f"{found.nats[t]:.2f} nats"
        assert abs(float(rows["hidden"]) - found.hidden[0, t, 3]) < 0.015
        assert abs(float(rows["forget gate"]) - found.gates["forget"][0, t, 3]) < 0.015
        best = [float(value.removesuffix(" %")) for value in list(rows.values())[-5:]]
        assert abs(best[0] - 100 * found.probabilities[t, 0]) < 0.1


def test_choosing_a_layer_a_unit_and_values(opened: tuple[Browser, Trace]) -> None:
    browser, found = opened
    browser.ask("choose({ layer: 0, unit: 3, values: 'hidden' })")
    ground = f"getComputedStyle({span(7)}).backgroundColor"
    seen, grids = {browser.ask(ground)}, {pixels(browser, "grid")}
    change = "dispatchEvent(new Event('change'))"
    browser.ask(f"(() => {{ const e = document.getElementById('layer'); e.value = '1'; e.{change}; }})()")
    grids.add(pixels(browser, "grid"))
    browser.mouse("click", *browser.middle("document.getElementById('unit')"))
    browser.ask("document.getElementById('unit').select()")
    browser.call("Input.insertText", text="11")
    assert browser.ask("[state.layer, state.unit]") == [1, 11]
    browser.mouse("move", *browser.middle(span(7)))
    assert abs(float(hover_rows(browser)["hidden"]) - found.hidden[1, 7, 11]) < 0.015
    for values in ("forget gate", "cell", "surprise"):
        select = f"(() => {{ const e = document.getElementById('values'); e.value = '{values}'; e.{change}; }})()"
        browser.ask(select)
        assert browser.ask("document.getElementById('key').textContent").startswith(f"{values}: white is 0")
        seen.add(browser.ask(ground))
        grids.add(pixels(browser, "grid"))
    assert len(seen) == 4
    assert len(grids) >= 4


def test_a_finding_is_chosen_by_its_button(opened: tuple[Browser, Trace]) -> None:
    browser, _ = opened
    browser.ask("choose({ layer: 0, unit: 3, values: 'cell' })")
    assert browser.ask(f"{BUTTON}.classList.contains('on')") is False
    browser.mouse("click", *browser.middle(BUTTON))
    assert browser.ask("[state.layer, state.unit, state.values]") == [1, 5, "hidden"]
    assert browser.ask(f"{BUTTON}.classList.contains('on')") is True


def test_the_map_of_units_tells_values_and_chooses_rows(opened: tuple[Browser, Trace]) -> None:
    browser, found = opened
    browser.ask("choose({ layer: 0, unit: 3, values: 'hidden' })")
    browser.middle("document.getElementById('frame')")
    left, top, width, height = browser.ask(
        "(() => { const b = document.getElementById('grid').getBoundingClientRect();"
        " return [b.x, b.y, b.width, b.height]; })()"
    )
    x, y = left + 20.5 * width / len(TEXT), top + 8.5 * height / 12
    browser.mouse("move", x, y)
    told = browser.ask("document.getElementById('under').textContent")
    assert told.startswith("unit 8, character 20 ")
    assert abs(float(told.split()[-1]) - found.hidden[0, 20, 8]) < 0.015
    browser.mouse("click", x, y)
    assert browser.ask("[state.unit, state.at]") == [8, 20]
    assert browser.ask("document.getElementById('unit').value") == "8"


def test_saturation_and_characters_are_drawn(opened: tuple[Browser, Trace]) -> None:
    browser, _ = opened
    browser.ask("choose({ layer: 0, unit: 3, values: 'hidden' })")
    before = pixels(browser, "scatter")
    assert browser.ask("dots.length") == 3 * 12
    browser.middle("document.getElementById('scatter')")
    x, y = browser.ask(
        "(() => { const b = document.getElementById('scatter').getBoundingClientRect();"
        " const own = dots.filter((o) => o.unit === 3);"
        " const far = (d) => Math.min(...own.map((o) => Math.hypot(o.x - d.x, o.y - d.y)));"
        " const chosen = dots.reduce((best, dot) => (far(best) >= far(dot) ? best : dot));"
        " return [b.x + chosen.x, b.y + chosen.y]; })()"
    )
    browser.mouse("move", x, y)
    assert "of the time" in browser.ask("document.getElementById('dot').textContent")
    browser.mouse("click", x, y)
    assert browser.ask("state.unit") != 3
    assert pixels(browser, "scatter") != before
    blank = browser.ask(
        "(() => { const c = document.createElement('canvas'); c.width = 520; c.height = 420; return c.toDataURL(); })()"
    )
    assert pixels(browser, "map") != blank
