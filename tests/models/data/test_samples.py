"""Samples of rated events, their order in time, and AUC."""

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.samples import (
    LIKED,
    TEST,
    TRAIN,
    VALID,
    Samples,
    judged_samples,
    next_samples,
    parts,
    random_parts,
    samples_of,
)
from droidloop.models.interfaces.metrics import Rated
from droidloop.models.metrics.auc import auc, aucs
from droidloop.models.metrics.log_loss import log_losses
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws

EVENTS = UserItems(
    items=np.array([5, 3, 8, 2, 7, 1]),
    offsets=np.array([0, 4, 4, 6]),
    times_s=np.arange(6),
    ratings=np.array([4.0, 2.0, 5.0, 1.0, 5.0, 5.0]),
)


def test_a_history_holds_the_liked_items_before_oldest_first_and_none_of_another_user() -> None:
    samples = samples_of(EVENTS, 2)
    assert samples.labels.tolist() == [1, 0, 1, 0, 1, 1]
    assert samples.history.tolist() == [[-1, -1], [-1, 5], [-1, 5], [5, 8], [-1, -1], [-1, 7]]
    assert samples.users.tolist() == [0, 0, 0, 0, 2, 2]


def test_a_history_does_not_know_what_comes_later() -> None:
    samples = samples_of(EVENTS, 3)
    shorter = samples_of(EVENTS.take(np.array([0])), 3)
    np.testing.assert_array_equal(samples.history[:4], shorter.history)


def test_what_came_next_is_told_from_an_item_that_the_user_never_had() -> None:
    samples = next_samples(EVENTS, 2, 9, Draws(3, "next"))
    assert samples.items[::2].tolist() == EVENTS.items.tolist()
    assert samples.labels.tolist() == [1, 0] * 6
    assert samples.users.tolist() == [0] * 8 + [2] * 4
    assert samples.offsets.tolist() == [0, 8, 8, 12]
    had = [[-1, -1], [-1, 5], [5, 3], [3, 8], [-1, -1], [-1, 7]]  # whatever the rating
    assert samples.history.tolist() == [row for row in had for _ in range(2)]
    assert not set(samples.items[1:8:2].tolist()) & {5, 3, 8, 2}
    assert not set(samples.items[9::2].tolist()) & {7, 1}
    more = next_samples(EVENTS, 2, 9, Draws(3, "next"), negatives=3)
    assert more.items[::4].tolist() == EVENTS.items.tolist()
    assert more.labels.tolist() == [1, 0, 0, 0] * 6
    other = next_samples(EVENTS, 2, 9, Draws(4, "next"))
    assert other.items[1::2].tolist() != samples.items[1::2].tolist()


def test_a_user_who_had_all_items_has_no_next_one_to_tell() -> None:
    with pytest.raises(ValueError, match="had all items"):
        next_samples(EVENTS, 2, 0, Draws(3, "next"))


def test_parts_are_in_time_order_by_user_and_what_is_too_little_is_for_training() -> None:
    part = parts(np.array([10, 3, 20]))
    assert part[:10].tolist() == [TRAIN] * 8 + [VALID, TEST]
    assert part[10:13].tolist() == [TRAIN] * 3
    assert part[13:].tolist() == [TRAIN] * 16 + [VALID] * 2 + [TEST] * 2


def test_samples_of_a_part_keep_their_users() -> None:
    samples = samples_of(EVENTS, 2)
    some = samples.take(samples.labels == 1)
    assert some.offsets.tolist() == [0, 2, 2, 4]
    assert some.items.tolist() == [5, 8, 7, 1]


def test_auc_is_the_share_of_pairs_in_order_with_ties_halved() -> None:
    labels, scores = np.array([1, 0, 1, 0, 0]), np.array([0.9, 0.1, 0.5, 0.5, 0.7])
    wins = [float(p > n) + 0.5 * float(p == n) for p in (0.9, 0.5) for n in (0.1, 0.5, 0.7)]
    assert auc(labels, scores) == pytest.approx(sum(wins) / 6)
    assert auc(labels, np.zeros(5)) == 0.5
    assert auc(labels, -scores) == pytest.approx(1 - auc(labels, scores))


def rated(samples: Samples, scores: Array) -> Rated:
    return Rated(samples.labels, scores, samples.offsets)


def test_users_without_both_labels_do_not_count() -> None:
    samples = samples_of(EVENTS, 2)
    values = aucs(rated(samples, np.array([3.0, 2.0, 1.0, 0.0, 1.0, 1.0], np.float32)))
    assert values[0] == 0.75
    assert np.isnan(values[1:]).all()


def test_a_score_of_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        auc(np.array([0, 1]), np.array([np.nan, 1.0]))


def test_the_log_loss_of_a_coin_is_log_2() -> None:
    losses = log_losses(rated(samples_of(EVENTS, 1), np.zeros(6, np.float32)))
    np.testing.assert_allclose(losses, [np.log(2), np.nan, np.log(2)])


def test_events_that_are_kept_stay_with_their_users() -> None:
    kept = EVENTS.keep(np.asarray(EVENTS.ratings) < LIKED)
    assert kept.items.tolist() == [3, 2]
    assert kept.offsets.tolist() == [0, 2, 2, 2]
    assert kept.times_s.tolist() == [1, 3]


def test_a_rating_of_three_or_none_says_nothing_and_is_dropped() -> None:
    ratings = np.array([1.0, 3.0, 4.0, np.nan, 5.0, 2.0])
    events = UserItems(np.arange(6), np.array([0, 4, 6]), np.arange(6), ratings)
    samples = judged_samples(events)
    assert samples.items.tolist() == [0, 2, 4, 5]
    assert samples.labels.tolist() == [0, 1, 1, 0]
    assert samples.users.tolist() == [0, 0, 1, 1]
    assert samples.offsets.tolist() == [0, 2, 4]
    assert samples.history.shape == (4, 0)


def test_samples_are_put_into_parts_at_random_by_the_shares() -> None:
    found = random_parts(20_000, Draws(1, "parts"))
    shares = np.bincount(found, minlength=3) / 20_000
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.01)
    assert np.array_equal(found[:100], random_parts(100, Draws(1, "parts")))
