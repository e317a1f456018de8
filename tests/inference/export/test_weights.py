import base64
import gzip

import numpy as np
import pytest

from charrnn.inference.export import page
from charrnn.inference.export.page import pack_weights
from charrnn.model.config import Tensors


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
