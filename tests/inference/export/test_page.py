"""The page as a file: its policy, its data, its colours."""

import base64
import dataclasses
import hashlib
import json
import re
from importlib import resources
from typing import Any

import pytest

from charrnn.errors import ModelFileError
from charrnn.inference.export.page import APPLICATION, ENGINE, build_page, join_scripts
from charrnn.model.header import CLASSIFY
from tests.inference.export.models import KINDS, make_kind, make_labelled
from tests.inference.inspection.test_trace_page import HOSTILE

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
