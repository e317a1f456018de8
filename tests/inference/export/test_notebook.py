import html
import re
from pathlib import Path

from charrnn.inference.labelled import LabelledModel
from tests.browser import Browser
from tests.inference.export.models import build_model, make_kind, make_labelled
from tests.inference.inspection.test_pages import HOSTILE
from tests.needs import in_browser


def test_a_model_shows_its_facts() -> None:
    model = build_model(*make_kind("GRU of two layers"))
    shown = model._repr_html_()
    assert "<th>Network</th><td>GRU, 2 layers of 21 units</td>" in shown
    model.header.training["corpus"] = HOSTILE + "\udcff"
    shown = model._repr_html_()
    assert HOSTILE in html.unescape(shown)
    assert not re.search(r"<(?!/?(?:table|tr|th|td)>)", shown)


def test_a_frame_holds_the_page() -> None:
    model = build_model(*make_kind("GRU of two layers"))
    frame = model.page("rhyme & reason", height=500)
    shown = frame._repr_html_()
    assert 'height="500"' in shown
    assert "rhyme &amp; reason" in frame.html
    source = re.search(r'srcdoc="([^"]*)"', shown)
    assert source
    assert html.unescape(source.group(1)) == frame.html
    assert "<title>rhyme</title>" in model.page().html


def test_the_page_of_a_labelled_model_has_all_labels_and_that_of_one_label_none() -> None:
    model = build_model(*make_labelled(("cats", "dogs")))
    assert isinstance(model, LabelledModel)
    assert '"labels":["cats","dogs"]' in model.page().html
    assert '"labels":[]' in model.for_label("cats").page().html


@in_browser
def test_the_frame_works(tmp_path: Path) -> None:
    model = build_model(*make_kind("GRU of two layers"))
    (tmp_path / "notebook.html").write_text(f"<!doctype html><body>{model.page()._repr_html_()}")
    with Browser(tmp_path / "profile") as browser:
        browser.open(tmp_path / "notebook.html")
        browser.enter_frame()
        written = browser.ask("window.charrnn.generate({prime: 'the', length: 50, temperature: 0})")
        assert written == model.generate("the", length=50, temperature=0)
        assert browser.problems == []
