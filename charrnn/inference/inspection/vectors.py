"""Symbol vectors on a map: the network's representation of each symbol on its own.

The vector of a symbol is its learned embedding or, with one-hot input, its column of the first layer's input weights.
The map shows the first two principal components.
"""

from dataclasses import dataclass

import numpy as np

from charrnn.inference.network.language import Floats, Network


@dataclass(frozen=True)
class Projection:
    """Vectors projected to places (V, 2), and the shares of all variance that the two axes show."""

    places: Floats
    shares: tuple[float, float]


def symbol_vectors(network: Network) -> Floats:
    """The vector of each symbol: (V, E), or (V, G*H) for one-hot input."""
    if network.config.embedding_size:
        return network.tensors["embedding.weight"]
    return network.tensors["rnn.weight_ih_l0"].T


def project_vectors(vectors: Floats) -> Projection:
    """The first two principal components of vectors (V, K), with signs that make each one's largest entry positive."""
    centred = vectors.astype(np.float64)
    centred -= centred.mean(axis=0)
    # Eigenvectors of the smaller of the two product matrices: V x V or K x K.
    wide = centred.shape[1] > centred.shape[0]
    values, directions = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    values = np.maximum(values[::-1], 0.0)
    directions = directions[:, ::-1][:, :2]
    places = directions * np.sqrt(values[:2]) if wide else centred @ directions
    places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    strongest = np.abs(places).argmax(axis=0)
    places *= np.where(places[strongest, [0, 1]] < 0, -1.0, 1.0)
    shares = np.pad(values, (0, 1))[:2] / max(float(values.sum()), 1e-30)
    return Projection(places.astype(np.float32), (float(shares[0]), float(shares[1])))
