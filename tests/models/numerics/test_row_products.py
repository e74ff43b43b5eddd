"""Products of rows: those of torch to rounding, and the same bits whatever else is there."""

import torch

from droidloop.models.numerics.row_products import row_products


def made(*shape: int) -> torch.Tensor:
    return torch.sin(torch.arange(torch.Size(shape).numel(), dtype=torch.float32)).reshape(shape)


def test_it_is_the_product_and_what_is_added() -> None:
    rows, matrix = made(4, 3, 7), made(8, 5) * 2
    torch.testing.assert_close(row_products(rows, matrix), rows @ matrix[:-1] + matrix[-1])


def test_a_row_has_the_same_bits_alone() -> None:
    rows, matrix = made(33, 30), made(31, 13)
    every = row_products(rows, matrix)
    for row in (0, 17, 32):
        assert torch.equal(row_products(rows[row : row + 1], matrix), every[row : row + 1])


def test_slopes_are_those_of_torch_for_a_stack_too() -> None:
    found = []
    for product in (row_products, lambda x, w: x @ w[..., :-1, :] + w[..., -1:, :]):
        rows, matrix = made(2, 3, 6).requires_grad_(), made(2, 7, 4).requires_grad_()
        product(rows, matrix).square().sum().backward()
        found.append((rows.grad, matrix.grad))
    torch.testing.assert_close(found[0], found[1])
