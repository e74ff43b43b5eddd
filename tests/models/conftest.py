"""One export that the tests of packages share: a child process of some seconds, paid once."""

import numpy as np
import pytest

from droidloop.models.packages.package import Package
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws

N_ITEMS, DIM = 1682, 32


def trained_like(rows: int, purpose: str, dim: int = DIM) -> Array:
    """Return vectors as training leaves them: low rank, popular ones longer, one way preferred."""
    rank = 6
    draws = Draws(11, purpose)
    mixing = Draws(11, "mixing").normal(np.arange(rank)[:, None], np.arange(dim)[None, :])
    factors = draws.normal(np.arange(rows)[:, None], np.arange(rank)[None, :])
    popularity = 1.0 / np.sqrt(1.0 + draws.order(np.arange(rows), 99))
    noise = draws.child("noise").normal(np.arange(rows)[:, None], np.arange(dim)[None, :])
    vectors = factors @ mixing * (0.1 + popularity[:, None]) + 3.0 * popularity[:, None]
    table: Array = (vectors + 0.05 * noise).astype(np.float32)
    return table


@pytest.fixture(scope="session")
def table() -> Array:
    """An item table of ml-100k's size, (1682, 32); the last two items were never trained."""
    vectors = trained_like(N_ITEMS, "items")
    vectors[-2:] = 0
    return vectors


@pytest.fixture(scope="session")
def users() -> Array:
    """Vectors of 200 users, (200, 32)."""
    return trained_like(200, "users")


@pytest.fixture(scope="session")
def package(table: Array) -> Package:
    """That table in all variants."""
    from droidloop.models.packages.export import export
    from droidloop.models.packages.exportable import scoring

    variants = ("float32", "float16", "int8", "int8-dynamic", "int4")
    return export(scoring(table), name="mf", version=3, variants=variants)
