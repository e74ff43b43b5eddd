"""PEEL: a phone changes its budget with what it has; a group's table is better for the group."""

import inspect

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.fitting.fit import Hyperparameters, fit
from droidloop.models.fitting.peel import GroupTable, peel
from droidloop.models.interfaces.learning import init_all
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.elastic import ElasticTable
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError

DRAWS = Draws(6, "peel")
TABLE = ElasticTable(30, 8, 4)


def two_tastes(users: int = 40, each: int = 8) -> UserItems:
    """Return items of which even users have the first half, odd ones the second."""
    items = DRAWS.integers(np.arange(users)[:, None], np.arange(each), 15)
    items = items + 15 * (np.arange(users) % 2)[:, None]
    return UserItems.bare(items.reshape(-1), np.arange(users + 1) * each)


def test_users_of_a_taste_are_a_group_and_each_group_gets_a_table() -> None:
    train, model = two_tastes(), MF(30, 8, table=TABLE)
    chosen = Hyperparameters(epochs=15, lr=0.05, batch=64, negatives=2)
    first = init_all(model, DRAWS, 40)
    everybody = fit(model, first, train, chosen, n_items=30, draws=DRAWS)
    found = peel(model, everybody, train, 2, chosen, DRAWS, price=0.1)
    assert len({found.group[user] for user in range(0, 40, 2)}) == 1
    assert found.group[0] != found.group[1]
    for one in found.tables:
        assert one.weights.shape == (4,)
        assert not torch.equal(one.params["item"], everybody["item"])
    assert found.search_s > 0


def test_another_budget_takes_no_message_and_is_never_passed() -> None:
    mine = GroupTable(TABLE, TABLE.init(DRAWS), np.array([0.1, 0.4, 0.2, 0.3]))
    assert list(inspect.signature(mine.within).parameters) == ["budget_bytes"]
    kept = []
    for budget in (300, 520, 760, 960):
        table, params = mine.within(budget)
        assert table.nbytes <= budget
        kept.append(set(table.kept[0]))
        vectors = table.lookup(params, torch.arange(30)).reshape(30, 4, 2)
        whole = mine.params["item"].reshape(30, 4, 2)
        for block in range(4):
            expected = whole[:, block] if block in kept[-1] else torch.zeros(30, 2)
            assert torch.equal(vectors[:, block], expected)
    assert kept == [{1}, {1, 3}, {1, 2, 3}, {0, 1, 2, 3}]
    with pytest.raises(PackageError, match="no block"):
        mine.within(100)
