"""MDE: widths by the formula, exactly as many numbers, and a budget that is never passed."""

import numpy as np
import pytest

from droidloop.models.fitting.mde import mde, mde_within, widths_of
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.errors import DroidloopError

COUNTS = 1000 // (1 + np.arange(64) * 5 % 64)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.6, 1.5])
def test_its_numbers_are_those_of_the_formula(alpha: float) -> None:
    table = mde(COUNTS, 32, alpha, blocks=4)
    parts = np.sort(COUNTS)[::-1].reshape(4, 16)
    width = np.clip(np.round(32 * (parts.mean(axis=1) / parts[0].mean()) ** alpha), 1, 32)
    maps = sum(int(one) * 32 for one in {*width.tolist()} if one < 32)
    assert table.count == int(16 * width.sum()) + maps
    assert sum(np.prod(one.shape) for one in table.parameters.values()) == table.count + (
        sum(table.widths) if len(table.widths) > 1 else 0
    )


def test_alpha_of_0_is_the_uniform_table() -> None:
    table = mde(COUNTS, 32, 0.0)
    assert table.widths == (32,)
    assert table.nbytes == DenseTable(64, 32).nbytes


def test_a_more_popular_id_is_never_narrower() -> None:
    table = mde(COUNTS, 32, 0.6)
    order = np.argsort(-COUNTS, kind="stable")
    assert (np.diff(table.sizes[order]) <= 0).all()
    assert widths_of(np.array([1.0, 0.0]), 16, 0.5) == (16, 1)


def test_a_budget_is_used_and_not_passed() -> None:
    tables = [mde_within(COUNTS, 32, budget) for budget in (1500, 3000, 6000, 9000)]
    assert all(
        one.nbytes <= budget for one, budget in zip(tables, (1500, 3000, 6000, 9000), strict=True)
    )
    assert tables[1].nbytes > 2000
    assert tables[-1].widths == (32,)
    with pytest.raises(DroidloopError, match="or more"):
        mde_within(COUNTS, 32, 300)
