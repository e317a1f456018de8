import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.inference.inspection.finding import Finding
from charrnn.inference.inspection.pages import (
    View,
    default_length,
    measure_saturation,
    project_vectors,
    render_trace,
    symbol_vectors,
)
from charrnn.inference.inspection.tracing import ReadText, Trace, collect_arrays, read_text, trace_network, write_arrays
from charrnn.inference.model import Model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model

HOSTILE = (
    "</script><script>alert(1)</script><!-- &amp; \"'`\t\n\\u003c\u2028\u2029\u202e\U0001f600\u05d0\u0628 ]]>{{@DATA@"
)


def trace(text: str, **sizes: Any) -> tuple[Model, ReadText, Trace]:
    model = make_model(CharVocabulary.of_text(text), **sizes)
    read = read_text(model.vocabulary, model.vocabulary.tokenize(text), skip_unknown=False)
    return model, read, trace_network(model.network, read)


def make_page(title: str, text: str, **sizes: Any) -> tuple[str, Trace]:
    model, read, found = trace(text, **sizes)
    findings = [Finding(text, 0, 1, 0.5, 0.1, True, True)]
    view = View(0, 1, "hidden")
    written = render_trace(title, model.network, model.vocabulary, read, found, findings, view, len(text))
    return written.decode("ascii"), found


class Parts(HTMLParser):
    """The elements of a page, and what stands in them."""

    def __init__(self, written: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(written)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onload", "onerror", "style"}

    def handle_data(self, data: str) -> None:
        self.texts.append((self.tags[-1] if self.tags else "", data))


def unpack(packed: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(packed["data"]), dtype=packed["type"])


def data_of(written: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', written, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_nothing_in_text_names_or_findings_becomes_markup() -> None:
    harmless = Parts(make_page("plain", "plain text")[0]).tags
    written, _ = make_page(HOSTILE, HOSTILE)
    parts = Parts(written)
    assert parts.tags == harmless
    assert parts.tags.count("script") == 2
    data = data_of(written)
    assert "".join(map(chr, data["codes"])) == HOSTILE
    assert data["findings"][0]["property"] == HOSTILE
    assert written.isascii()
    payload = written.split('id="data">')[1].split("</script>")[0]
    assert not set("<>&\n\u2028") & set(payload)


def test_only_the_page_s_own_script_may_run_and_nothing_is_fetched() -> None:
    written, _ = make_page("plain", "plain text")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', written)
    assert policy
    script = written.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy[1] == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert not re.search(r"https?://|innerHTML|eval\(|document\.write", written)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_page_holds_the_trace_as_finely_as_bytes_can(cell: str) -> None:
    written, found = make_page("plain", "some plain text", cell=cell, layers=2)
    data = data_of(written)
    gates = {"lstm": ["input gate", "forget gate", "output gate"], "gru": ["reset gate", "update gate"], "rnn": []}
    states = ["hidden", "cell"] if cell == "lstm" else ["hidden"]
    assert list(data["series"]) == [*states, *gates[cell]]
    for name, packed in data["series"].items():
        exact = found.states(name) if name in states else found.gates[name.removesuffix(" gate")]
        steps = 127 if name in states else 255
        step = np.array(packed.get("tops", 1.0))[..., None, :] / steps if name in states else 1 / steps
        assert (np.abs(unpack(packed).reshape(exact.shape) * step - exact) <= 0.51 * step).all()
    np.testing.assert_array_equal(unpack(data["nats"]), found.nats)
    np.testing.assert_array_equal(unpack(data["probabilities"]).reshape(15, -1), found.probabilities)
    assert list(data["saturation"]) == [name.removesuffix(" gate") for name in gates[cell]]
    assert len(data["map"]["codes"]) == len(data["map"]["places"]) == len(set("some plain text"))


def test_a_page_of_2000_characters_and_256_units_is_below_8_mb() -> None:
    text = "the quick brown fox\n" * 100
    for layers in (1, 2):
        written, found = make_page("m", text, layers=layers, hidden_size=256)
        assert len(written) < 8e6
        assert default_length(found) == 2000
    _, _, deep = trace(text, layers=4, hidden_size=256)
    assert default_length(deep) < 2000


def test_arrays_have_names_and_shapes_and_need_no_pickle(tmp_path: Path) -> None:
    model, read, found = trace("a text", layers=2, hidden_size=6)
    with (tmp_path / "t.npz").open("wb") as stream:
        write_arrays(stream, collect_arrays(model.vocabulary, read, found))
    with np.load(tmp_path / "t.npz", allow_pickle=False) as loaded:
        assert {name: loaded[name].shape for name in loaded.files} == {
            **dict.fromkeys(("hidden", "cell", "input_gate", "forget_gate", "candidate", "output_gate"), (2, 6, 6)),
            **dict.fromkeys(("codes", "nats"), (6,)),
            **dict.fromkeys(("next_codes", "next_probabilities"), (6, 5)),
        }
        np.testing.assert_array_equal(loaded["forget_gate"], found.gates["forget"])
        assert "".join(map(chr, loaded["codes"])) == "a text"
        assert set(map(chr, loaded["next_codes"].ravel())) <= set("a text")


def test_shares_of_time_nearly_shut_and_nearly_open() -> None:
    gate = np.array([[[0.05, 0.95], [0.5, 0.99], [0.01, 0.2], [0.95, 0.91]]], dtype=np.float32)  # (L, T, H)
    shut, opened = measure_saturation(gate)
    assert shut.tolist() == [[0.5, 0.0]]
    assert opened.tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("shape", [(30, 8), (8, 30), (5, 5), (4, 1), (1, 3)])
def test_the_map_is_that_of_a_singular_value_decomposition(shape: tuple[int, int]) -> None:
    vectors = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    places, shares = project_vectors(vectors)
    left, values, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    wanted = np.pad((left * values)[:, :2], ((0, 0), (0, max(0, 2 - len(values)))))
    np.testing.assert_allclose(np.abs(places), np.abs(wanted), atol=1e-4)
    assert (places.max(axis=0) >= -places.min(axis=0) - 1e-4).all()
    if shape[0] > 1:
        wanted_shares = np.pad(values**2 / (values**2).sum(), (0, 1))[:2]
        np.testing.assert_allclose(shares, wanted_shares, atol=1e-5)


def test_vectors_are_embeddings_or_input_weights() -> None:
    vocabulary = CharVocabulary.of_text("abcd")
    embedded = make_model(vocabulary, embedding_size=3).network
    assert np.array_equal(symbol_vectors(embedded), embedded.tensors["embedding.weight"])
    one_hot = make_model(vocabulary, hidden_size=6).network
    assert symbol_vectors(one_hot).shape == (4, 24)
    assert np.array_equal(symbol_vectors(one_hot)[2], one_hot.tensors["rnn.weight_ih_l0"][:, 2])
