"""ODUpdate: phones and server hold the same bits, a budget holds, a queue goes on in turn."""

from pathlib import Path

import numpy as np
import pytest
import torch

from droidloop.models.packages.exportable import Graph, scoring, scoring_table
from droidloop.models.patches.od_update import (
    drift_of,
    followed,
    od_update,
    plain_bytes,
    read_plain,
    replaced_of,
)
from droidloop.models.tables.codes import CodebookTable, CodesTable, coded_of
from droidloop.models.tables.coding import Coded, learn_codes
from droidloop.models.updates.delta import restored, smallest
from droidloop.platform.arrays import FloatArray
from droidloop.platform.checkpoint import read_checkpoint, write_checkpoint
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError

DRAWS = Draws(8, "od update")
ROWS, COLUMNS = np.arange(150)[:, None], np.arange(8)
BEFORE: FloatArray = DRAWS.normal(ROWS, COLUMNS)
AFTER: FloatArray = BEFORE + 0.5 * DRAWS.child("drift").normal(ROWS, COLUMNS)
OLD = learn_codes(BEFORE, 3, 8, DRAWS, passes=2)
PLENTY = 10**6


def error(coded: Coded) -> float:
    return float(np.square(AFTER - coded.vectors).sum())


@pytest.mark.parametrize("order", ["queue", "stack"])
def test_after_the_delta_a_phone_holds_the_servers_model_bit_for_bit(order: str) -> None:
    update = od_update(OLD, AFTER, budget_bytes=600, order=order)  # type: ignore[arg-type]
    way, data = update.delta
    phone = read_plain(restored(way, data, plain_bytes(OLD), len(plain_bytes(OLD)), "phone"), OLD)
    np.testing.assert_array_equal(phone.codes, update.coded.codes)
    assert phone.words.tobytes() == update.coded.words.tobytes()
    mine, theirs = (CodebookTable.of(one, name="item", sd=0.1) for one in (phone, update.coded))
    assert mine[0].pack(mine[1]) == theirs[0].pack(theirs[1])
    ids = torch.arange(150)
    assert torch.equal(mine[0].lookup(mine[1], ids), theirs[0].lookup(theirs[1], ids))


def test_a_budget_holds_and_more_bytes_leave_less() -> None:
    updates = [od_update(OLD, AFTER, budget_bytes=b, replaced=2) for b in (450, 600, PLENTY)]
    assert [len(one.delta.data) <= b for one, b in zip(updates, (450, 600), strict=False)] == [
        True
    ] * 2
    changed = [one.changed for one in updates]
    assert changed == sorted(changed)
    errors = [error(OLD), *(error(one.coded) for one in updates)]
    assert errors == sorted(errors, reverse=True)


def test_only_so_many_codewords_of_each_codebook_are_new_and_the_queue_goes_on_behind_them() -> (
    None
):
    first = od_update(OLD, AFTER, budget_bytes=PLENTY, replaced=3)
    then = od_update(first.coded, BEFORE, budget_bytes=PLENTY, replaced=3, first=3)
    for before, update, places in ((OLD, first, {0, 1, 2}), (first.coded, then, {3, 4, 5})):
        moved = (update.coded.words != before.words).any(axis=2)
        assert set(np.flatnonzero(moved.any(axis=0)).tolist()) == places
    stack = od_update(OLD, AFTER, budget_bytes=PLENTY, replaced=3, order="stack")
    assert stack.first == 5


def test_no_drift_is_0_more_of_it_replaces_more_and_never_all_but_by_strength() -> None:
    assert drift_of(BEFORE, BEFORE) == 0
    far = drift_of(BEFORE, BEFORE + 3)
    assert drift_of(BEFORE, BEFORE + 1) < far
    assert replaced_of(0.0, 0.5, 32) == 1
    assert 1 < replaced_of(0.1, 0.5, 32) < replaced_of(far, 0.5, 32) <= 16


def test_an_item_that_counts_more_is_nearer_to_where_it_should_be() -> None:
    weights = np.where(np.arange(150) < 15, 50.0, 1.0)
    found = [
        od_update(OLD, AFTER, budget_bytes=500, replaced=1, weights=one) for one in (None, weights)
    ]
    plain, weighted = (np.square(AFTER - one.coded.vectors).sum(axis=1)[:15].sum() for one in found)
    assert weighted < plain


def test_what_cannot_be_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="vectors of 150 items"):
        od_update(OLD, AFTER[:-1], budget_bytes=1)
    with pytest.raises(ValueError, match="9 of 8 codewords"):
        od_update(OLD, AFTER, budget_bytes=1, replaced=9)


def graph_of(vectors: FloatArray) -> Graph:
    """Return what ships of a codes table of *vectors*."""
    table = CodesTable(150, 8, 3, 8)
    return scoring_table(table, {"item": torch.from_numpy(vectors.astype(np.float32))})


def test_a_release_follows_the_one_before_in_its_share_of_the_bytes() -> None:
    first, left = followed(graph_of(BEFORE), {}, 0.3)
    second, then = followed(graph_of(AFTER), left, 0.3)
    alone = graph_of(AFTER)
    sizes = []
    for graph in (second, alone):
        before, after = (plain_bytes(coded_of(one.constants)) for one in (first, graph))
        sizes.append(len(smallest(before, after).data))
    assert sizes[0] <= 0.3 * len(plain_bytes(OLD)) < sizes[1]
    wanted = coded_of(alone.constants).vectors
    errors = [np.square(wanted - coded_of(one.constants).vectors).sum() for one in (first, second)]
    assert errors[1] < 0.6 * errors[0]
    assert (int(left["first"]), int(then["first"])) == (0, 1)
    user = {"user": np.ones((1, 1, 8), np.float32)}
    expected = coded_of(second.constants).vectors.sum(axis=1)
    np.testing.assert_allclose(second.run(user)["scores"][0, 0], expected, atol=1e-4)


def test_a_run_that_goes_on_follows_the_same_release(tmp_path: Path) -> None:
    _, left = followed(graph_of(BEFORE), {}, 0.3)
    write_checkpoint(tmp_path, left)
    kept = read_checkpoint(tmp_path)
    ways = [followed(graph_of(AFTER), one, 0.3)[0].constants for one in (left, kept)]
    assert all(np.array_equal(ways[0][name], ways[1][name]) for name in ways[0])


def test_a_release_without_codes_cannot_follow() -> None:
    with pytest.raises(PackageError, match=r"model\.table\.kind = 'codes'"):
        followed(scoring(BEFORE), {}, 0.3)
