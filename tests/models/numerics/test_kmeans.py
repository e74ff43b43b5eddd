import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.models.numerics.kmeans import by_cluster_size, kmeans, nearest, spread
from droidloop.platform.draws import Draws

DRAWS = Draws(3, "clusters")
CENTERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def blobs(each: int = 25) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rows = np.arange(4 * each)
    return np.repeat(CENTERS, each, axis=0) + 0.5 * DRAWS.normal(rows[:, None], np.arange(2))


def test_groups_that_lie_apart_are_found() -> None:
    clusters = kmeans(blobs(), 4, DRAWS)
    groups = clusters.labels.reshape(4, 25)
    assert (groups == groups[:, :1]).all()
    assert sorted(groups[:, 0]) == [0, 1, 2, 3]
    assert clusters.sizes.tolist() == [25] * 4
    assert clusters.members(int(groups[2, 0])).tolist() == list(range(50, 75))


def test_the_same_draws_give_the_same_bits_and_others_another_start() -> None:
    points = blobs()
    first, again = kmeans(points, 3, DRAWS, 1), kmeans(points, 3, DRAWS, 1)
    assert first.centers.tobytes() == again.centers.tobytes()
    assert first.labels.tobytes() == again.labels.tobytes()
    starts = {spread(points, 3, DRAWS, counter).tobytes() for counter in range(8)}
    assert len(starts) > 1


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 99))
def test_every_point_is_with_its_nearest_centre_and_every_centre_is_a_mean(
    n: int, k: int, seed: int
) -> None:
    points = Draws(seed, "points").integers(np.arange(n)[:, None], np.arange(2), 5).astype(float)
    clusters = kmeans(points, k, DRAWS)
    gaps = ((points[:, None] - clusters.centers[None]) ** 2).sum(-1)
    np.testing.assert_array_equal(clusters.labels, gaps.argmin(1))
    assert clusters.inertia == pytest.approx(gaps.min(1).sum())
    for c in np.unique(clusters.labels):
        mean = points[clusters.labels == c].mean(0)
        np.testing.assert_allclose(clusters.centers[c], mean, atol=1e-12)
    distinct = len(np.unique(points, axis=0))
    assert (clusters.sizes > 0).sum() == min(k, distinct)


def test_a_start_from_earlier_centres_keeps_the_numbers_of_clusters() -> None:
    points = blobs()
    before = kmeans(points, 4, DRAWS)
    after = kmeans(points + 0.3, 4, DRAWS.child("later"), start=before.centers)
    np.testing.assert_array_equal(after.labels, before.labels)
    np.testing.assert_array_equal(nearest(points, before.centers), before.labels)


def test_a_start_by_distance_reaches_every_group() -> None:
    for counter in range(20):
        chosen = spread(blobs(), 4, DRAWS, counter)
        assert len(np.unique(nearest(chosen, CENTERS))) >= 3


@pytest.mark.parametrize(
    ("points", "k"), [(np.empty((0, 2)), 2), (CENTERS, 0), (CENTERS[0], 1), (CENTERS * np.nan, 2)]
)
def test_what_cannot_be_clustered_is_refused(points: np.ndarray, k: int) -> None:
    with pytest.raises(ValueError, match=r"clusters|finite"):
        kmeans(points, k, DRAWS)


def test_a_start_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="no start"):
        kmeans(CENTERS, 3, DRAWS, start=CENTERS)


def test_half_of_the_choice_is_random_and_half_follows_the_size_of_clusters() -> None:
    labels = np.repeat([0, 1], [300, 100])
    rows = np.arange(400)
    large = [
        np.count_nonzero(by_cluster_size(rows, labels, 40, DRAWS, round_) < 300)
        for round_ in range(200)
    ]
    # expected: 20 * 3/4 at random, 20 * (300 * 3) / (300 * 3 + 100) = 18 by size
    assert np.mean(large) == pytest.approx(15 + 18, abs=0.5)


def test_a_choice_is_sorted_has_nobody_twice_and_takes_all_where_there_are_no_more() -> None:
    labels = np.array([0, 0, -1, 1, 1, -1, 0])
    chosen = by_cluster_size(np.array([1, 2, 4, 5, 6]), labels, 3, DRAWS, 0)
    assert len(np.unique(chosen)) == 3
    assert (np.diff(chosen) > 0).all()
    assert by_cluster_size(np.array([6, 2]), labels, 5, DRAWS, 0).tolist() == [2, 6]
    assert by_cluster_size(np.array([6, 2]), labels, 0, DRAWS, 0).tolist() == []
