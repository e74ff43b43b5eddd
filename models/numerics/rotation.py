"""The rotation after which signs lose least: iterative quantisation.

Gong, Lazebnik: Iterative Quantization, A Procrustean Approach to Learning Binary Codes (CVPR 2011).
"""

import numpy as np

from droidloop.platform.arrays import Array, FloatArray
from droidloop.platform.draws import Draws


def loss_of(vectors: Array, rotation: FloatArray) -> float:
    """Return the squared distance of the rotated *vectors* (n, dim) from their signs."""
    turned = np.asarray(vectors, np.float64) @ rotation
    return float(np.square(turned - np.where(turned >= 0, 1.0, -1.0)).sum())


def nearest_to_signs(vectors: Array, draws: Draws, rounds: int = 50) -> FloatArray:
    """Return the rotation (dim, dim) found in so many *rounds*; each lowers ``loss_of``.

    It begins with one drawn at random. A round takes the signs, then the rotation that brings the
    vectors nearest to them. Scale *vectors* so that their numbers have a mean square of 1.
    """
    values = np.asarray(vectors, np.float64)
    dim = np.arange(values.shape[1])
    rotation: FloatArray = np.linalg.qr(draws.normal(dim[:, None], dim))[0]
    for _ in range(rounds):
        signs = np.where(values @ rotation >= 0, 1.0, -1.0)
        left, _, right = np.linalg.svd(values.T @ signs)
        rotation = left @ right
    return rotation
