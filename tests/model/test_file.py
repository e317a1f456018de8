import json
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.errors import ModelFileError, OutputError
from charrnn.model.config import HASHES, LIMITS, ClassifierConfig, ModelConfig, Tensors
from charrnn.model.file import MAX_HEADER, load_model, read_header, save_model
from charrnn.model.header import ModelHeader
from tests.needs import posix

CONFIG = ModelConfig("lstm", 2, 5, 3, 4)
HEADER = ModelHeader(CONFIG, {"tokens": "char", "symbols": "\nabc"}, {"corpus": "rhyme", "valid_loss": 1.25})


def weights(config: ModelConfig = CONFIG) -> Tensors:
    generator = np.random.default_rng(3)
    tensors = {name: generator.normal(size=shape).astype(np.float32) for name, shape in config.shapes().items()}
    if HASHES in tensors:
        tensors[HASHES] = np.arange(2**32 - len(tensors[HASHES]), 2**32, dtype=np.uint32)
    return tensors


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(path, HEADER, weights())
    return path


def rewritten(path: Path, **description: Any) -> Path:
    """The file with other things in its description."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    found = {**json.loads(header["__metadata__"]["charrnn"]), **description}
    header["__metadata__"]["charrnn"] = json.dumps(found)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    return path


def test_a_header_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    header = replace(HEADER, training={"command": "x" * MAX_HEADER})
    with pytest.raises(OutputError, match=r"a model file has room for 4,194,304; give a smaller --max-vocab"):
        save_model(path, header, weights())
    assert not path.exists()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("embedding_size", [0, 3])
def test_what_is_saved_is_loaded(tmp_path: Path, cell: str, embedding_size: int) -> None:
    config = replace(CONFIG, cell=cell, embedding_size=embedding_size)
    path = tmp_path / "deep" / "folder" / "m.safetensors"
    save_model(path, replace(HEADER, config=config), weights(config))
    header, tensors = load_model(path)
    assert header == replace(HEADER, config=config) == read_header(path)
    assert config.parameters == sum(tensor.size for tensor in tensors.values())
    for name, tensor in weights(config).items():
        np.testing.assert_array_equal(tensors[name], tensor)


@pytest.mark.parametrize(("precision", "number", "dtype"), [("single", 1, "F32"), ("half", 2, "F16")])
def test_the_format_is_a_number_in_the_metadata(tmp_path: Path, precision: str, number: int, dtype: str) -> None:
    from safetensors import safe_open

    save_model(tmp_path / "m.safetensors", replace(HEADER, precision=precision), weights())
    with safe_open(tmp_path / "m.safetensors", framework="numpy") as file:
        found = json.loads(file.metadata()["charrnn"])
        assert (found["format"], found["precision"]) == (number, precision)
        assert {file.get_slice(name).get_dtype() for name in CONFIG.shapes()} == {dtype}


def test_half_precision_is_rounded_once_and_read_as_single(tmp_path: Path, path: Path) -> None:
    half = tmp_path / "half.safetensors"
    save_model(half, replace(HEADER, precision="half"), weights())
    header, tensors = load_model(half)
    assert header == read_header(half) == replace(HEADER, precision="half")
    for name, tensor in weights().items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], tensor.astype(np.float16))
    assert half.stat().st_size - path.stat().st_size == pytest.approx(-2 * CONFIG.parameters, abs=64)


def test_a_weight_that_half_precision_cannot_hold_is_not_written(tmp_path: Path) -> None:
    tensors = weights()
    tensors["decoder.bias"][0] = 1e5
    with pytest.raises(FloatingPointError, match="overflow"):
        save_model(tmp_path / "m.safetensors", replace(HEADER, precision="half"), tensors)
    assert list(tmp_path.iterdir()) == []


def test_a_file_from_before_precision_was_written_is_single(path: Path) -> None:
    data = path.read_bytes()
    old = data.replace(b', \\"precision\\": \\"single\\"', b"")
    length = struct.unpack("<Q", data[:8])[0] - (len(data) - len(old))
    path.write_bytes(struct.pack("<Q", length) + old[8:])
    assert b"precision" not in path.read_bytes()
    assert load_model(path)[0] == HEADER


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (
            {"format": 3},
            "has model format 3; this version of charrnn reads formats 1, 2, 4. Use the version that wrote it",
        ),
        ({"format": 2}, "is damaged: format 2 with a precision of 'single'"),
        ({"precision": "half"}, "is damaged: format 1 with a precision of 'half'"),
        ({"format": 2, "precision": ["half"]}, r"is damaged: format 2 with a precision of \['half'\]"),
        ({"format": 2, "precision": "half"}, r"tensor \S+ is F32 .*, not F16"),
        ({"format": True}, "names no format"),
        ({"format": "1"}, "names no format"),
        ({"task": 3}, "its task is 3"),
        ({"vocabulary": []}, "has no vocabulary"),
        ({"training": None}, "has no training"),
        ({"config": {}}, "its configuration should contain cell, embedding_size, hidden_size, layers, vocab_size"),
        ({"config": {**CONFIG.__dict__, "layers": 2**62}}, f"layers is {2**62}, not between 1 and {LIMITS['layers']}"),
        ({"config": {**CONFIG.__dict__, "layers": 10**4000}}, r"layers is 10000000.*\.\.\., not between"),
        ({"config": {**CONFIG.__dict__, "hidden_size": 0}}, "hidden_size is 0, not between"),
        ({"config": {**CONFIG.__dict__, "hidden_size": 5.0}}, r"hidden_size is 5.0, not a whole number"),
        ({"config": {**CONFIG.__dict__, "hidden_size": True}}, "hidden_size is True, not a whole number"),
        ({"config": {**CONFIG.__dict__, "vocab_size": 2**19}}, "vocab_size is 524288, not between 1 and 262144"),
        (
            {"config": {**CONFIG.__dict__, "vocab_size": 5}},
            r"tensor embedding.weight is F32 \(4, 3\), not F32 \(5, 3\)",
        ),
        ({"config": {**CONFIG.__dict__, "layers": 3}}, "tensor 'rnn.bias_hh_l2' does not match its configuration"),
        ({"config": {**CONFIG.__dict__, "cell": "\x1b[2J"}}, r"unknown cell '\\x1b\[2J'"),
        ({"config": {**CONFIG.__dict__, "cell": ["lstm"]}}, r"unknown cell \['lstm'\]"),
    ],
)
def test_a_description_that_cannot_be_is_refused(path: Path, description: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        read_header(rewritten(path, **description))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    tensors = weights()
    tensors["decoder.weight"][1, 2] = value
    save_model(tmp_path / "m.safetensors", HEADER, tensors)
    with pytest.raises(ModelFileError, match=r"not finite numbers \(decoder.weight\), so it cannot be used"):
        load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize("value", [3e38, -2e15])
def test_weights_that_overflow_are_refused(tmp_path: Path, value: float) -> None:
    tensors = weights()
    tensors["decoder.weight"][1, 2] = value
    save_model(tmp_path / "m.safetensors", HEADER, tensors)
    with pytest.raises(
        ModelFileError, match=r"its scores overflow \(decoder.weight, up to \de\+\d\d\), so it cannot be"
    ):
        load_model(tmp_path / "m.safetensors")


def test_a_header_that_would_take_memory_is_refused_before_it_is_read(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", MAX_HEADER + 1) + b" " * (MAX_HEADER + 1))
    with pytest.raises(ModelFileError, match="it starts like a header of 4,194,305 bytes"):
        load_model(path)


def test_a_rest_behind_the_weights_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0" * 4)
    with pytest.raises(ModelFileError, match="is not a complete safetensors model"):
        load_model(path)


def test_half_precision_that_the_format_does_not_say_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    halves = {name: tensor.astype(np.float16) for name, tensor in weights().items()}
    save_file(halves, tmp_path / "m.safetensors", metadata={"charrnn": HEADER.to_json()})
    with pytest.raises(ModelFileError, match=r"is F16 .*, not F32"):
        load_model(tmp_path / "m.safetensors")


def test_a_safetensors_file_of_another_program_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(weights(), tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="of another program"):
        load_model(tmp_path / "m.safetensors")


@posix
def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"there is no model .*; train one with: charrnn train"):
        load_model(tmp_path / "nothing")
    with pytest.raises(ModelFileError, match="is a folder"):
        load_model(tmp_path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_model(tmp_path / ("x" * 5000))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="is not a regular file"):
        load_model(tmp_path / "pipe")


def test_a_failed_save_leaves_the_model_before(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(AssertionError, match="weights do not match"):
        save_model(path, replace(HEADER, config=replace(CONFIG, layers=1)), weights())
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == [path.name]


MIXED = ClassifierConfig("gru", 1, 3, 2, 4, 2, False, "all", ngram_features=16, ngram_kinds=2)


def test_n_grams_are_kept_in_half_precision_beside_the_network(tmp_path: Path) -> None:
    path = tmp_path / "mixed.safetensors"
    header = replace(HEADER, config=MIXED, task="classify", labels=("a", "b"), label_counts=(1, 2))
    tensors = weights(MIXED)
    save_model(path, header, tensors)
    found, loaded = load_model(path)
    assert (found, found.format) == (header, 4)
    assert [str(loaded[name].dtype) for name in ("ngram.weight", HASHES)] == ["float32", "uint32"]
    for name, array in tensors.items():
        expected = array.astype(np.float16) if name.startswith("ngram.") and name != HASHES else array
        assert (loaded[name] == expected).all()
    assert MIXED.parameters == replace(MIXED, ngram_features=0, ngram_kinds=0).parameters
    with pytest.raises(ModelFileError, match="format 1 with the contents of format 4"):
        read_header(rewritten(path, format=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ngram_features": 5}, r"tensor ngram.hash is U32 \(16,\), not U32 \(5,\)"),
        ({"ngram_features": 10**9}, "ngram_features is 1000000000, not between 0 and 16777216"),
        ({"ngram_kinds": "all"}, "ngram_kinds is 'all', not a whole number"),
        ({"ngram_kinds": 4}, "ngram_kinds is 4, not between 0 and 3"),
        ({"ngram_kinds": 0}, "ngram_features is 16, but ngram_kinds is 0"),
        ({"ngram_features": 0, "ngram_kinds": 0}, "format 4 with the contents of format 1"),
        ({"bidirectional": "yes"}, "bidirectional is 'yes', not true or false"),
    ],
)
def test_sizes_that_do_not_fit_the_n_grams_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "mixed.safetensors"
    header = replace(HEADER, config=MIXED, task="classify", labels=("a", "b"), label_counts=(1, 2))
    save_model(path, header, weights(MIXED))
    with pytest.raises(ModelFileError, match=message):
        read_header(rewritten(path, config={**MIXED.__dict__, **change}))


def test_hashes_that_are_not_in_order_are_refused(tmp_path: Path) -> None:
    path, tensors = tmp_path / "mixed.safetensors", weights(MIXED)
    tensors[HASHES] = tensors[HASHES][::-1]
    save_model(path, replace(HEADER, config=MIXED, task="classify", labels=("a", "b"), label_counts=(1, 2)), tensors)
    with pytest.raises(ModelFileError, match="the hashes of its n-grams are not in ascending order"):
        load_model(path)


def test_a_classifier_without_n_grams_is_written_as_before(tmp_path: Path) -> None:
    config = replace(MIXED, ngram_features=0, ngram_kinds=0)
    header = replace(HEADER, config=config, task="classify", labels=("a", "b"), label_counts=(1, 2))
    assert header.format == 1
    assert not {"ngram_features", "ngram_kinds"} & set(json.loads(header.to_json())["config"])
    save_model(tmp_path / "m.safetensors", header, weights(config))
    assert read_header(tmp_path / "m.safetensors") == header
