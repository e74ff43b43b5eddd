import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives, touched_rows
from droidloop.platform.arrays import Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.workers import for_chunks
from tests.contracts.tiny import equal_data, tiny_data

DRAWS = Draws(6, "sampling")


def drawn(
    data: UserItems,
    n_items: int,
    *,
    k: int = 4,
    exclude: UserItems | None = None,
    phones: IntArray | None = None,
    counter: int = 0,
    threads: int = 1,
) -> Int32Array:
    return draw_negatives(
        data,
        k,
        n_items,
        data if exclude is None else exclude,
        phones=np.arange(data.n_users) if phones is None else phones,
        draws=DRAWS,
        counter=counter,
        threads=threads,
    )


def test_negatives_are_never_among_the_excluded_items() -> None:
    data = tiny_data(DRAWS, 300, 40)
    negatives = drawn(data, 40)
    for user in range(data.n_users):
        mine = negatives[data.offsets[user] : data.offsets[user + 1]]
        assert not np.isin(mine, data.of(user)).any()
        assert ((mine >= 0) & (mine < 40)).all()


def test_negatives_are_uniform_among_the_items_that_are_left() -> None:
    data = equal_data(DRAWS, 1, 5, 2)
    repeated = UserItems.bare(np.tile(data.items, 5000), np.array([0, 10_000]))
    counts = np.bincount(drawn(repeated, 5).ravel(), minlength=5)
    left = np.setdiff1d(np.arange(5), data.items)
    # Chi-squared with two degrees of freedom: above 28 once in a million.
    expected = 40_000 / 3
    assert ((counts[left] - expected) ** 2 / expected).sum() < 28


@pytest.mark.parametrize("n_items", [64, 3000])
def test_a_single_item_that_is_left_is_found(n_items: int) -> None:
    all_but_last = np.arange(n_items - 1)
    exclude = UserItems.bare(all_but_last, np.array([0, n_items - 1]))
    data = UserItems.bare(np.array([0, 1]), np.array([0, 2]))
    assert (drawn(data, n_items, exclude=exclude) == n_items - 1).all()


def test_a_client_whom_everything_is_excluded_gets_no_negatives() -> None:
    exclude = UserItems.bare(np.array([0, 1, 2, 1]), np.array([0, 4, 4]))
    data = UserItems.bare(np.array([0, 1]), np.array([0, 1, 2]))
    negatives = drawn(data, 3, exclude=exclude)
    assert (negatives[0] == -1).all()
    assert (negatives[1] >= 0).all()


def test_a_phone_draws_the_same_whoever_else_is_asked() -> None:
    data = tiny_data(DRAWS, 200, 40)
    every, some = drawn(data, 40), np.array([150, 3])
    few = drawn(data.take(some), 40, phones=some)
    mine = [every[data.offsets[phone] : data.offsets[phone + 1]] for phone in some]
    np.testing.assert_array_equal(few, np.concatenate(mine))


def test_another_counter_gives_other_negatives() -> None:
    data = equal_data(DRAWS, 20, 1000, 5)
    assert not np.array_equal(drawn(data, 1000), drawn(data, 1000, counter=1))


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    data = tiny_data(DRAWS, 700, 90)
    negatives = drawn(data, 90)
    np.testing.assert_array_equal(negatives, drawn(data, 90, threads=threads))
    one, many = touched_rows(data, negatives, 90, 1), touched_rows(data, negatives, 90, threads)
    np.testing.assert_array_equal(one[0], many[0])
    np.testing.assert_array_equal(one[1], many[1])


def test_touched_rows_are_the_items_and_their_negatives_sorted_each_once() -> None:
    data = tiny_data(DRAWS, 200, 150)
    negatives = drawn(data, 150)
    negatives[0, 0] = -1
    ids, offsets = touched_rows(data, negatives, 150)
    for user in range(data.n_users):
        part = slice(data.offsets[user], data.offsets[user + 1])
        expected = np.union1d(data.items[part], negatives[part])
        np.testing.assert_array_equal(
            ids[offsets[user] : offsets[user + 1]], expected[expected >= 0]
        )


def test_nothing_to_do_calls_nothing() -> None:
    for_chunks(lambda low, high: pytest.fail("called"), 0, 2)


def test_a_failure_in_a_thread_is_not_lost() -> None:
    def work(low: int, high: int) -> None:
        raise RuntimeError(f"part {low}")

    with pytest.raises(RuntimeError, match="part 0"):
        for_chunks(work, 1000, 2)
