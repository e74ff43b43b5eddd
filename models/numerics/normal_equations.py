"""The normal equations of a vector that weighted squares determine, compiled, in float64.

A row with the items i of weights w_i and all others of weight 1 minimises, over the vectors q of a
table,

    sum over all items of c_i (r_i - p . q_i)^2 + l2 |p|^2,    c_i = 1 + w_i

with r_i = 1 for its items and 0 for all others: the step of Hu, Koren and Volinsky, Collaborative
Filtering for Implicit Feedback Datasets (ICDM 2008).
"""

import numpy as np

from droidloop.platform.arrays import Float32Array, FloatArray, IntArray
from droidloop.platform.law import kernel


@kernel
def gram(table: Float32Array, out: FloatArray) -> None:
    """Write table^T table to the lower half of *out*."""
    out[:] = 0.0
    for i in range(table.shape[0]):
        for a in range(table.shape[1]):
            for b in range(a + 1):
                out[a, b] += np.float64(table[i, a]) * table[i, b]


@kernel(error_model="numpy")
def solve(matrix: FloatArray, vector: FloatArray) -> None:
    """Replace *vector* by the solution of the symmetric *matrix*, whose lower half is lost."""
    dim = vector.size
    for a in range(dim):  # Cholesky's factor, row by row; forward substitution beside it
        for b in range(a + 1):
            value = matrix[a, b]
            for c in range(b):
                value -= matrix[a, c] * matrix[b, c]
            matrix[a, b] = np.sqrt(value) if a == b else value / matrix[b, b]
        for b in range(a):
            vector[a] -= matrix[a, b] * vector[b]
        vector[a] /= matrix[a, a]
    for a in range(dim - 1, -1, -1):
        for b in range(a + 1, dim):
            vector[a] -= matrix[b, a] * vector[b]
        vector[a] /= matrix[a, a]


@kernel
def solve_row(
    items: IntArray,
    weights: FloatArray,
    table: Float32Array,
    squares: FloatArray,
    l2: float,
    matrix: FloatArray,
    vector: FloatArray,
) -> None:
    """Write the solution to *vector*.

    *items* are there once each, *squares* is what ``gram`` wrote, *matrix* is room.
    """
    for a in range(vector.size):
        vector[a] = 0.0
        for b in range(a + 1):
            matrix[a, b] = squares[a, b]
        matrix[a, a] += l2
    for t in range(items.size):
        row = table[items[t]]
        for a in range(vector.size):
            vector[a] += (1.0 + weights[t]) * row[a]
            pull = weights[t] * row[a]
            for b in range(a + 1):
                matrix[a, b] += pull * row[b]
    solve(matrix, vector)
