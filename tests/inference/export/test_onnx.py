"""The ONNX graph, held equal to the NumPy network by onnxruntime."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from charrnn.errors import ModelFileError
from charrnn.inference.export import onnx as onnx_export
from charrnn.inference.export.onnx import build_graph
from charrnn.inference.network.language import Network
from charrnn.model.config import LabelledConfig, Tensors
from charrnn.model.header import CLASSIFY, ModelHeader
from tests.inference.export.models import KINDS, make_kind, make_labelled

T, B = 7, 3


def session_of(header: ModelHeader, tensors: Tensors) -> Any:
    model = build_graph(header, tensors)
    onnx.checker.check_model(model, full_check=True)
    assert {opset.domain for opset in model.opset_import} == {""}
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def zeros(header: ModelHeader, batch: int) -> dict[str, Any]:
    config = header.config
    states = ("hidden", "cell") if config.cell == "lstm" else ("hidden",)
    return {name: np.zeros((config.layers, batch, config.hidden_size), np.float32) for name in states}


def check_equal(session: Any, network: Network, feeds: dict[str, Any], column: int) -> None:
    """Two calls, the second going on with the states of the first, against the network reading all at once."""
    batch = feeds["ids"].shape[1]
    head, tail = np.split(feeds["ids"], [4])
    first = dict(zip((o.name for o in session.get_outputs()), session.run(None, {**feeds, "ids": head}), strict=True))
    states = {name: first[f"next_{name}"] for name in feeds if f"next_{name}" in first}
    second = session.run(None, {**feeds, **states, "ids": tail})[0]
    state = network.initial_state(batch)
    expected = [network.next_logits(state)[None]]
    for ids in feeds["ids"]:
        network.read(ids[None], state)
        expected.append(network.next_logits(state)[None])
    logits = np.concatenate([first["logits"], second[1:]])
    assert logits.shape == (T + 1, batch, network.config.vocab_size)
    assert logits[:, column] == pytest.approx(np.concatenate(expected)[:, column], abs=2e-4)
    assert second[0] == pytest.approx(first["logits"][-1], abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_and_states_are_those_of_the_numpy_network(kind: str) -> None:
    header, tensors = make_kind(kind)
    ids = np.random.default_rng(0).integers(header.config.vocab_size, size=(T, B))
    for column in range(B):
        feeds = {"ids": ids, **zeros(header, B)}
        check_equal(session_of(header, tensors), Network(header.config, tensors), feeds, column)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_every_stream_has_a_label_of_its_own(cell: str) -> None:
    header, tensors = make_labelled(("cats", "dogs", "owls"), cell)
    assert isinstance(header.config, LabelledConfig)
    ids = np.random.default_rng(0).integers(header.config.vocab_size, size=(T, B))
    labels = np.array([2, 0, 1])
    for column, label in enumerate(labels):
        network = Network(*header.config.select_class(tensors, int(label)))
        check_equal(session_of(header, tensors), network, {"ids": ids, "label": labels, **zeros(header, B)}, column)


def test_the_metadata_is_the_description_of_the_model(tmp_path: Path) -> None:
    header, tensors = make_kind("words")
    header = dataclasses.replace(header, precision="half")
    found = session_of(header, tensors).get_modelmeta()
    described = ModelHeader.from_json(found.custom_metadata_map["charrnn"], tmp_path)
    assert described == dataclasses.replace(header, precision="single")
    assert found.producer_name == "charrnn"


def test_what_cannot_be_a_graph_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    header, tensors = make_kind("words")
    with pytest.raises(ModelFileError, match="is a classifier"):
        build_graph(dataclasses.replace(header, task=CLASSIFY), tensors)
    monkeypatch.setattr(onnx_export, "LARGEST", 1000)
    with pytest.raises(ModelFileError, match="limited to 2 GB"):
        build_graph(header, tensors)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ModelFileError, match="type: pip install onnx"):
        build_graph(header, tensors)
