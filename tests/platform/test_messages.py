"""Messages: one ragged batch, and the only place where bytes are counted."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.platform.messages import HEADER_BYTES, ROW_ID_BYTES, Messages, ragged


def batch(m: int = 3, **columns: Any) -> Messages:
    """Return *m* messages to the server; *columns* replace or add fields."""
    fields: dict[str, Any] = {
        "sender": np.arange(m),
        "receiver": np.full(m, -1),
        "arrays": {},
        "weight": np.ones(m),
        "base": np.zeros(m, np.int64),
    }
    return Messages("update", **{**fields, **columns})


RAGGED = batch(
    arrays={
        "item": np.arange(24, dtype=np.float32).reshape(6, 4),
        "bias": np.arange(6, dtype=np.int8),
        "common": np.ones((2, 5), np.float64),
    },
    rows={"item": np.array([7, 8, 7, 9, 1, 2])},
    offsets={"item": np.array([0, 1, 1, 6]), "bias": np.array([0, 2, 5, 6])},
)


def test_bytes_are_header_rows_row_numbers_and_a_share_of_nothing() -> None:
    """The broadcast array is stored once and counted for each receiver."""
    item, bias, common = 4 * 4 + ROW_ID_BYTES, 1, 2 * 5 * 8
    assert RAGGED.nbytes().tolist() == [
        HEADER_BYTES + 1 * item + 2 * bias + common,
        HEADER_BYTES + 0 * item + 3 * bias + common,
        HEADER_BYTES + 5 * item + 1 * bias + common,
    ]


def test_an_empty_message_is_its_header() -> None:
    assert batch(2).nbytes().tolist() == [HEADER_BYTES, HEADER_BYTES]
    assert batch(0).nbytes().tolist() == []


def test_a_broadcast_of_some_rows_counts_their_numbers() -> None:
    down = batch(2, arrays={"item": np.ones((3, 2), np.float32)}, rows={"item": np.arange(3)})
    assert down.nbytes().tolist() == [HEADER_BYTES + 3 * (8 + ROW_ID_BYTES)] * 2


def test_an_array_of_scalars_and_one_of_matrices_are_counted() -> None:
    up = batch(1, arrays={"loss": np.ones(1, np.float32), "w": np.ones((1, 3, 2), np.float16)})
    assert up.nbytes().tolist() == [HEADER_BYTES + 4 + 12]


indices = st.lists(st.integers(0, 2), max_size=6)


@given(indices)
def test_taken_messages_hold_what_theirs_held(index: list[int]) -> None:
    taken = RAGGED.take(np.array(index, np.int64))
    assert len(taken) == len(index)
    assert taken.nbytes().tolist() == RAGGED.nbytes()[index].tolist()
    assert taken.sender.tolist() == index
    for name in ("item", "bias"):
        for k, old in enumerate(index):
            mine = slice(*taken.offsets[name][k : k + 2])
            his = slice(*RAGGED.offsets[name][old : old + 2])
            assert (taken.arrays[name][mine] == RAGGED.arrays[name][his]).all()
            if name in RAGGED.rows:
                assert (taken.rows[name][mine] == RAGGED.rows[name][his]).all()
    assert taken.arrays["common"] is RAGGED.arrays["common"]


def test_a_mask_takes_as_numbers_do() -> None:
    taken = RAGGED.take(np.array([False, True, True]))
    assert taken.sender.tolist() == [1, 2]
    assert taken.offsets["bias"].tolist() == [0, 3, 4]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.data())
def test_ragged_positions_are_those_of_the_picked_rows(lengths: list[int], data: Any) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    picked = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=8))
    where, out = ragged(offsets, np.array(picked, np.int64))
    expected = [list(range(offsets[k], offsets[k + 1])) for k in picked]
    assert where.tolist() == [position for row in expected for position in row]
    assert np.diff(out).tolist() == [lengths[k] for k in picked]


ITEM = {"item": np.ones((4, 2), np.float32)}


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"receiver": np.zeros(2)}, "3 senders, but other columns have another length"),
        ({"weight": np.zeros(4)}, "3 senders, but other columns have another length"),
        ({"base": np.zeros(0)}, "3 senders, but other columns have another length"),
        ({"arrays": ITEM, "offsets": {"item": np.array([0, 1, 4])}}, "do not cover its rows"),
        ({"arrays": ITEM, "offsets": {"item": np.array([0, 1, 2, 3])}}, "do not cover its rows"),
        ({"arrays": ITEM, "offsets": {"item": np.array([1, 2, 3, 4])}}, "do not cover its rows"),
        ({"arrays": ITEM, "offsets": {"item": np.array([0, 3, 2, 4])}}, "offsets of 'item' fall"),
        ({"arrays": ITEM, "rows": {"item": np.arange(3)}}, "'item' has 4 rows and 3 ids"),
        ({"arrays": ITEM, "rows": {"user": np.arange(4)}}, "'user', which is no array"),
        ({"offsets": {"item": np.zeros(4, np.int64)}}, "'item', which is no array"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        batch(**columns)
