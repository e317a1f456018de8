"""Made-up models for tests of using one."""

import numpy as np

from charrnn.inference.model import Model
from charrnn.inference.network.language import Network
from charrnn.model.config import ModelConfig
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.base import Vocabulary


def make_model(
    vocabulary: Vocabulary, cell: str = "lstm", layers: int = 1, hidden_size: int = 24, embedding_size: int = 0
) -> Model:
    """A model of random weights, always the same; its scores are spread so that texts are neither noise nor loops."""
    config = ModelConfig(cell, layers, hidden_size, embedding_size, len(vocabulary))
    draw = np.random.default_rng(0)
    tensors = {
        name: (draw.standard_normal(shape) * hidden_size**-0.5).astype(np.float32)
        for name, shape in config.shapes().items()
    }
    tensors["decoder.weight"] *= 6
    return Model(ModelHeader(config, vocabulary.to_json()), vocabulary, Network(config, tensors))
