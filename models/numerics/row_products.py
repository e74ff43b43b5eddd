"""Products of rows with a matrix, in which the bits of a row do not depend on the other rows.

A product of BLAS may sum a row in another order when there are more of them; what a phone computes
for one item would then differ in the last bit from what a cohort computes for all.
"""

from typing import Any, cast

import numpy as np
import torch

from droidloop.platform.arrays import Float32Array
from droidloop.platform.law import kernel


def row_products(rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Return *rows* (..., k) times *matrix* (k, h) and its last row added: *matrix* is (k + 1, h).

    The last row is what a layer adds to every product. Of a stack of matrices (phones, k + 1, h)
    the rows have the phone axis first, too. Differentiable in both.
    """
    if matrix.dim() == 3:
        pairs = zip(rows, matrix, strict=True)
        return torch.stack([row_products(mine, one) for mine, one in pairs])
    flat = rows.reshape(-1, rows.shape[-1])
    out = _RowProducts.apply(flat, matrix)  # type: ignore[no-untyped-call]
    return cast(torch.Tensor, out).reshape(*rows.shape[:-1], matrix.shape[1])


class _RowProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows, matrix)
        out = np.empty((len(rows), matrix.shape[1]), np.float32)
        left, right = (
            np.ascontiguousarray(one.detach().numpy(), np.float32) for one in (rows, matrix)
        )
        _multiply(left, right, out)
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        [slope], (rows, matrix) = slopes, ctx.saved_tensors
        of_rows = slope @ matrix[:-1].T if ctx.needs_input_grad[0] else None
        return of_rows, torch.cat([rows.T @ slope, slope.sum(0, keepdim=True)])


@kernel
def _multiply(rows: Float32Array, matrix: Float32Array, out: Float32Array) -> None:
    """Write the products to *out*; four terms of a sum at a time, always the same."""
    k, total = rows.shape[1], np.empty(matrix.shape[1], np.float32)
    for r in range(rows.shape[0]):
        for j in range(total.size):
            total[j] = matrix[k, j]
        t = 0
        while t + 4 <= k:
            a, b, c, d = rows[r, t], rows[r, t + 1], rows[r, t + 2], rows[r, t + 3]
            for j in range(total.size):
                total[j] += (a * matrix[t, j] + b * matrix[t + 1, j]) + (
                    c * matrix[t + 2, j] + d * matrix[t + 3, j]
                )
            t += 4
        while t < k:
            a = rows[r, t]
            for j in range(total.size):
                total[j] += a * matrix[t, j]
            t += 1
        for j in range(total.size):
            out[r, j] = total[j]
