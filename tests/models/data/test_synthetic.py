"""The synthetic generator: reproducible, without duplicates, skewed and clustered."""

import numpy as np
import pytest

from droidloop.models.data.interactions import Interactions, by_user
from droidloop.models.data.split import leave_one_out
from droidloop.models.data.synthetic import Shape, generate
from droidloop.models.evaluation.candidates import sample_candidates
from droidloop.models.evaluation.evaluate import evaluate, on_candidates
from droidloop.models.recommenders.baselines import ItemKNN, Popularity
from droidloop.platform.draws import Draws

DRAWS = Draws(7, "data")


@pytest.fixture(scope="module")
def data() -> Interactions:
    return generate(500, 1000, 40, DRAWS)


def test_the_same_seed_gives_the_same_data_and_another_seed_other_data(data: Interactions) -> None:
    again, other = generate(500, 1000, 40, DRAWS), generate(500, 1000, 40, Draws(8, "data"))
    for name in ("users", "items", "ratings", "times_s"):
        assert np.array_equal(getattr(data, name), getattr(again, name))
    assert not np.array_equal(data.items[:500], other.items[:500])


def test_the_first_users_of_a_larger_population_are_those_of_a_smaller(data: Interactions) -> None:
    few = generate(20, 1000, 40, DRAWS)
    for name in ("users", "items", "ratings", "times_s"):
        assert np.array_equal(getattr(data, name)[: len(few)], getattr(few, name))


def test_no_user_has_an_item_twice_even_where_users_want_more_than_there_is() -> None:
    small = generate(200, 12, 30, DRAWS)
    pairs = small.users * small.n_items + small.items
    assert len(np.unique(pairs)) == len(pairs)
    assert np.bincount(small.users).max() == 6


def test_each_user_has_the_minimum_and_the_mean_is_as_asked() -> None:
    counts = np.bincount(generate(20_000, 5000, 20, DRAWS).users)
    assert counts.min() == Shape().minimum
    standard_error = counts.std() / np.sqrt(len(counts))
    assert abs(counts.mean() - 20) < 5 * standard_error


def test_times_of_a_user_rise_strictly_within_the_span(data: Interactions) -> None:
    later = np.diff(data.times_s)[np.diff(data.users) == 0]
    assert later.min() > 0
    assert data.times_s.min() >= Shape().start_s
    assert data.times_s.max() < Shape().start_s + Shape().span_s


def test_grouping_changes_nothing_as_the_events_are_in_order(data: Interactions) -> None:
    assert np.array_equal(by_user(data).items, data.items)


def test_ratings_are_whole_from_one_to_five(data: Interactions) -> None:
    assert np.unique(data.ratings).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_popularity_without_taste_follows_the_law() -> None:
    shape = Shape(explore=1.0, minimum=1, activity_sigma=0.0)
    counts = np.bincount(generate(200_000, 50, 1, DRAWS, shape).items, minlength=50)
    weight = (np.arange(50) + 1 + shape.shift_share * 50) ** -shape.exponent
    expected = 200_000 * weight / weight.sum()
    surplus = np.sort(counts)[::-1] - expected
    # 49 degrees of freedom: chi-squared above 111 has a chance of one in a million.
    assert (surplus**2 / expected).sum() < 111


def test_popularity_is_skewed_with_a_long_tail() -> None:
    counts = np.sort(np.bincount(generate(1000, 2000, 50, DRAWS).items, minlength=2000))[::-1]
    assert counts[:200].sum() > 4 * counts[1000:].sum()
    assert counts[0] > 5 * counts[1000] > 0


def test_personal_taste_beats_popularity_by_far(data: Interactions) -> None:
    split = leave_one_out(data)
    candidates = sample_candidates(split, Draws(7, "candidates"))
    popular = Popularity(split.train, split.n_items).scores
    personal = ItemKNN(split.train, split.n_items).scores
    full = [evaluate(scores, split).means()["ndcg_at_10"] for scores in (popular, personal)]
    sampled = [
        evaluate(on_candidates(scores), split, candidates).means()["hr_at_10"]
        for scores in (popular, personal)
    ]
    assert full[1] > 2 * full[0]
    assert sampled[1] > sampled[0] + 0.1


def test_one_cluster_and_one_item_are_enough() -> None:
    assert generate(3, 1, 5, DRAWS).items.tolist() == [0, 0, 0]
    assert len(generate(3, 9, 5, DRAWS, Shape(clusters=1))) == 15
    assert len(generate(3, 9, 5, DRAWS, Shape(clusters=2))) == 15


def test_impossible_wishes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one user and one item, not 0 and 3"):
        generate(0, 3, 20, DRAWS)
    with pytest.raises(ValueError, match="mean_interactions 2 is below 5"):
        generate(3, 9, 2, DRAWS)
    with pytest.raises(ValueError, match="tastes must sum to 1"):
        Shape(tastes=(0.5, 0.2, 0.1))
    with pytest.raises(ValueError, match="clusters and minimum must be at least 1"):
        Shape(clusters=0)
