"""The notebook of the documentation, run from its first cell to its last."""

from pathlib import Path

import pytest

import charrnn
from charrnn.inference.export.page import Frame
from tests.notebooks import run_notebook

NOTEBOOK = Path(__file__).parent.parent / "docs" / "charrnn.ipynb"


def test_every_cell_runs_and_shows_what_it_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def shorten(source: str) -> str:
        return source.replace('time="30s"', "steps=3, hidden_size=16, tensorboard=False")

    cells = list(run_notebook(NOTEBOOK, shorten))
    assert sum("charrnn.train" in source for source, _, _ in cells) == 1
    printed = "".join(text for _, text, _ in cells)
    assert printed.count("bits per character") == 2
    shown = [value for _, _, value in cells if value is not None]
    models = [value for value in shown if isinstance(value, charrnn.Model)]
    assert "<th>Network</th><td>LSTM, 1 layer of 16 units</td>" in models[0]._repr_html_()
    texts = next(value for value in shown if isinstance(value, list))
    assert len(set(texts)) == 5
    coloured = next(value for value in shown if type(value).__name__ == "Coloured")._repr_html_()
    assert coloured.count("<span style=") > 100
    assert isinstance(shown[-1], Frame)
    assert (tmp_path / "book.html").read_text(encoding="utf-8") == shown[-1].html
