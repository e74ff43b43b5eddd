"""Vectors of items that nobody has had yet, from what is told of them: their features.

What a model has learned of an item is in its vector, and of a new one it knows nothing. Ridge
regression from the features of the others to their vectors says where a new one would lie if only
its features counted, as a linear map from attributes to factors does (Gantner, Drumond,
Freudenthaler, Rendle and Schmidt-Thieme, Learning Attribute-to-Feature Mappings for Cold-Start
Recommendations, ICDM 2010). The server can do it alone: it needs no event of anybody.
"""

import numpy as np

from droidloop.platform.arrays import Array, BoolArray, FloatArray


def vectors_by_features(
    vectors: FloatArray, features: Array, known: BoolArray, *, l2: float = 100.0
) -> FloatArray:
    """Return *vectors* (n, dim), those of items that are not *known* replaced by their features'.

    Args:
        vectors: of all items, those of new ones with any numbers.
        features: (n, features), each item's numbers or flags.
        known: (n,), of which items the vectors have learned something.
        l2: weight of the squares of the map, but of its offset.

    Raises:
        ValueError: shapes differ, or no item is known.

    >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
    >>> flags = np.array([[1, 0], [0, 1], [1, 1]])
    >>> vectors_by_features(vectors, flags, np.array([True, True, False]), l2=1e-9).round(3)[2]
    array([0.5, 0.5])
    """
    if not len(vectors) == len(features) == len(known):
        raise ValueError(f"{len(vectors)} vectors, {len(features)} features, {len(known)} items")
    if not known.any():
        raise ValueError("no item is known; learn something first")
    inputs, outputs = (
        np.asarray(features, np.float64)[known],
        np.asarray(vectors, np.float64)[known],
    )
    middle, centre = inputs.mean(axis=0), outputs.mean(axis=0)
    inputs, outputs = inputs - middle, outputs - centre
    square = inputs.T @ inputs + l2 * np.eye(inputs.shape[1])
    weights = np.linalg.solve(square, inputs.T @ outputs)
    found = np.array(vectors)
    found[~known] = centre + (np.asarray(features, np.float64)[~known] - middle) @ weights
    return found
