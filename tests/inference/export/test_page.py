"""The page as a file: its policy, its data, its colours."""

import base64
import dataclasses
import gzip
import hashlib
import json
import re
from importlib import resources
from typing import Any

import numpy as np
import pytest

from charrnn.errors import ModelFileError
from charrnn.inference.export import page
from charrnn.inference.export.page import APPLICATION, ENGINE, build_page, describe_model, join_scripts, pack_weights
from charrnn.model.config import Tensors
from charrnn.model.header import CLASSIFY
from tests.inference.export.models import KINDS, make_kind, make_labelled
from tests.inference.inspection.test_pages import HOSTILE

TRAINING = {"corpus": "rhyme", "epochs": 2.25, "valid_loss": 1.386294, "date": "2026-03-01", "chars": 12_345}
WEB = resources.files("charrnn.inference.export").joinpath("web")


def write_page(**changes: Any) -> str:
    header, tensors = make_kind("words")
    return build_page("rhyme", dataclasses.replace(header, **changes), tensors).decode()


def directives(text: str) -> dict[str, list[str]]:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    return {name: values for name, *values in (part.split() for part in policy.group(1).split(";"))}


def test_the_policy_names_the_page_s_own_scripts_and_nothing_else() -> None:
    text = write_page()
    policy = directives(text)
    assert policy["default-src"] == ["'none'"]
    assert policy["worker-src"] == ["blob:"]
    assert not {"connect-src", "font-src", "frame-src"} & set(policy)
    scripts = re.findall(r"<script(?: id=\"engine\"| type=\"module\")>(.*?)</script>", text, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'" for part in scripts + styles
    ]
    assert [*policy["script-src"], *policy["style-src"]] == [*hashes[:2], "'wasm-unsafe-eval'", hashes[2]]
    assert text.index("Content-Security-Policy") < text.index("<style>") < text.index("<script")


def test_nothing_comes_from_outside() -> None:
    text = write_page()
    assert not re.search(r"https?:", text)
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|WebSocket|localStorage|indexedDB|cookie|innerHTML)\b", text)


def test_the_same_model_is_the_same_page() -> None:
    assert write_page() == write_page()


def test_what_a_model_says_is_data() -> None:
    header, tensors = make_labelled(("cats", HOSTILE))
    header = dataclasses.replace(header, training={"corpus": HOSTILE + "\ud800"})
    text = build_page(HOSTILE + "@MODEL@\udcff", header, tensors).decode()
    data = re.search(r'id="model">(.*?)</script>', text, re.DOTALL)
    assert data
    model = json.loads(data.group(1))
    assert model["labels"] == ["cats", HOSTILE]
    assert model["label"] == 1
    assert dict(model["facts"])["Training text"] == HOSTILE + "\ud800"
    assert model["title"].startswith(HOSTILE)
    assert text.count("<script") == 4
    assert "alert(1)</script>" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_the_data_has_the_vocabulary_of_the_file(kind: str) -> None:
    header, tensors = make_kind(kind)
    data = re.search(r'id="model">(.*?)</script>', build_page("a", header, tensors).decode(), re.DOTALL)
    assert data
    vocabulary = json.loads(data.group(1))["vocabulary"]
    letters = vocabulary.pop("letters", None)
    assert vocabulary == header.vocabulary
    assert (letters is not None) == (header.vocabulary["tokens"] == "word")


def test_files_joined_to_a_script_declare_different_names() -> None:
    for names in (ENGINE, APPLICATION):
        script = join_scripts(names)
        assert not re.search(r"^(?:import|export)\b", script, re.MULTILINE)
        declared = re.findall(r"^(?:const|let|class|(?:async )?function\*?) (\w+)", script, re.MULTILINE)
        assert len(declared) == len(set(declared)) > 5


def test_a_classifier_has_no_page() -> None:
    with pytest.raises(ModelFileError, match="is a classifier"):
        write_page(task=CLASSIFY)


def test_a_damaged_vocabulary_is_refused() -> None:
    with pytest.raises(ModelFileError, match="vocabulary is damaged"):
        write_page(vocabulary={"tokens": "word", "symbols": ["a", "a"]})


def luminance(colour: str) -> float:
    """The relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: str) -> None:
    style = WEB.joinpath("page.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))
    grounds = ["sheet", *(f"s{step}" for step in range(1, 6))]
    pairs = [("ink", ground) for ground in [*grounds, "desk"]]
    pairs += [("quiet", "desk"), ("quiet", "sheet"), ("ghost", "sheet"), ("on-accent", "accent"), ("accent", "desk")]
    for text, ground in pairs:
        low, high = sorted([luminance(colours[text]), luminance(colours[ground])])
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)
    low, high = sorted([luminance(colours["ghost"]), luminance(colours["desk"])])
    assert (high + 0.05) / (low + 0.05) >= 3  # large text: the heading


def describe(training: dict[str, Any], file_date: str | None = None) -> dict[str, str]:
    header, _ = make_kind("GRU of two layers")
    return dict(describe_model(dataclasses.replace(header, training=training), file_date))


def test_what_a_model_is_in_words() -> None:
    assert describe(TRAINING, "2026-04-01") == {
        "Network": "GRU, 2 layers of 21 units",
        "Weights": "6,133",
        "Vocabulary": "22 characters",
        "Training text": "rhyme, read 2.2 times",
        "Held-out loss": "1.386 nats per character (2.00 bits, like a choice among 4.0)",
        "Training date": "1 March 2026",
    }
    assert dict(describe_model(make_labelled(("a", "b"))[0]))["Labels"] == "2"


def test_a_model_that_does_not_say_when_it_learned_has_the_date_of_its_file() -> None:
    assert describe({}, "2026-04-01")["File dated"] == "1 April 2026"
    assert not {"File dated", "Training date", "Held-out loss"} & set(describe({}))


@pytest.mark.parametrize(
    "value", [pytest.param(10**5000, id="huge"), float("nan"), float("inf"), "1.5", None, [], True]
)
def test_what_a_stranger_says_never_breaks_it(value: Any) -> None:
    rows = describe(dict.fromkeys(TRAINING, value))
    assert "Held-out loss" not in rows
    assert rows["Weights"] == "6,133"


def unpack(tensors: Tensors) -> Tensors:
    layout, pieces = pack_weights(tensors, tensors)
    low, high = np.frombuffer(gzip.decompress(b"".join(map(base64.b64decode, pieces))), np.uint8).reshape(2, -1)
    halves = np.stack([low, high], axis=1).reshape(-1).view("<f2").astype(np.float64)
    ends = np.cumsum([size for _, size, _ in layout])
    parts = np.split(halves, ends[:-1])
    return {
        name: np.ldexp(part, exponent).astype(np.float32).reshape(tensors[name].shape)
        for (name, _, exponent), part in zip(layout, parts, strict=True)
    }


def test_halves_keep_every_bit() -> None:
    draw = np.random.default_rng(0)
    halves = {"a": draw.standard_normal((7, 5)), "b": draw.standard_normal(11) * 1e-5, "c": np.zeros(3)}
    tensors = {name: values.astype(np.float16).astype(np.float32) for name, values in halves.items()}
    for name, found in unpack(tensors).items():
        assert (found == tensors[name]).all()


def test_weights_of_any_size_have_eleven_bits() -> None:
    draw = np.random.default_rng(0)
    for scale in (3e38, 1e5, 1.0, 1e-30, 1e-44):
        values = (draw.uniform(0.1, 1.0, 50) * scale).astype(np.float32)
        assert unpack({"w": values})["w"] == pytest.approx(values, rel=2**-11)


def test_long_texts_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PIECE_BYTES", 30)
    tensors = {"w": np.random.default_rng(0).standard_normal(100).astype(np.float16).astype(np.float32)}
    _, pieces = pack_weights(tensors, tensors)
    assert len(pieces) > 3
    assert max(map(len, pieces)) == 40
    assert (unpack(tensors)["w"] == tensors["w"]).all()
