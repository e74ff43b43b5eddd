import numpy as np
import pytest

from droidloop.models.numerics.fuzzy_cmeans import fuzzy_cmeans
from droidloop.models.numerics.kmeans import kmeans
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws

DRAWS = Draws(23, "fuzzy")


def clouds(n: int = 40, dim: int = 3, apart: float = 10.0) -> Array:
    """Return two clouds of *n* points each, one round 0 and one round *apart*."""
    points = DRAWS.normal(np.arange(2 * n)[:, None], np.arange(dim))
    points[n:] += apart
    return points


def test_memberships_of_a_point_are_shares() -> None:
    fuzzy = fuzzy_cmeans(clouds(), 3, DRAWS)
    assert (fuzzy.memberships >= 0).all()
    np.testing.assert_allclose(fuzzy.memberships.sum(axis=1), 1)
    assert fuzzy.memberships.shape == (80, 3)


def test_two_clouds_are_two_clusters_and_a_point_between_belongs_to_both() -> None:
    points = np.concatenate([clouds(), [[5.0, 5.0, 5.0]]])
    fuzzy = fuzzy_cmeans(points, 2, DRAWS, fuzziness=2.0)
    labels = fuzzy.labels
    assert len(set(labels[:40].tolist())) == len(set(labels[40:80].tolist())) == 1
    assert labels[0] != labels[40]
    assert (fuzzy.memberships[:80].max(axis=1) > 0.8).all()
    assert abs(fuzzy.memberships[80, 0] - 0.5) < 0.1


def test_at_the_end_memberships_and_centres_are_those_of_bezdek() -> None:
    """Both first-order conditions of the objective hold: it cannot be lowered nearby."""
    points, m = clouds(apart=3.0), 1.7
    fuzzy = fuzzy_cmeans(points, 3, DRAWS, fuzziness=m, tolerance=1e-12, most_rounds=1000)
    weights = fuzzy.memberships**m
    centers = (weights[:, :, None] * points[:, None]).sum(axis=0) / weights.sum(axis=0)[:, None]
    np.testing.assert_allclose(fuzzy.centers, centers, atol=1e-9)
    squares = ((points[:, None] - fuzzy.centers) ** 2).sum(axis=2)
    ratios = (squares[:, :, None] / squares[:, None, :]) ** (1 / (m - 1))
    np.testing.assert_allclose(fuzzy.memberships, 1 / ratios.sum(axis=2), atol=1e-9)


def test_with_little_fuzziness_it_is_kmeans() -> None:
    points = clouds(apart=3.0)
    hard = kmeans(points, 3, DRAWS)
    fuzzy = fuzzy_cmeans(points, 3, DRAWS, fuzziness=1.01)
    np.testing.assert_array_equal(fuzzy.labels, hard.labels)
    np.testing.assert_allclose(fuzzy.centers, hard.centers, atol=1e-3)


def test_a_point_on_a_centre_belongs_to_it_alone_and_equal_points_share() -> None:
    fuzzy = fuzzy_cmeans(np.array([[0.0], [4.0]]), 2, DRAWS)
    assert sorted(fuzzy.memberships.tolist()) == [[0, 1], [1, 0]]
    same = fuzzy_cmeans(np.ones((4, 2)), 2, DRAWS)
    assert (same.memberships == 0.5).all()


def test_the_same_draws_give_the_same_bytes_and_others_another_start() -> None:
    points = DRAWS.normal(np.arange(60)[:, None], np.arange(5))
    one, again = (fuzzy_cmeans(points, 6, DRAWS, most_rounds=2) for _ in range(2))
    assert one.memberships.tobytes() == again.memberships.tobytes()
    other = fuzzy_cmeans(points, 6, DRAWS, 1, most_rounds=2)
    assert one.memberships.tobytes() != other.memberships.tobytes()


def test_clusters_keep_their_numbers_from_a_start() -> None:
    points = clouds()
    first = fuzzy_cmeans(points, 2, DRAWS)
    again = fuzzy_cmeans(points + 0.01, 2, DRAWS, 5, start=first.centers[::-1])
    np.testing.assert_array_equal(again.labels, 1 - first.labels)


def test_what_cannot_be_clustered_is_refused() -> None:
    points = clouds()
    with pytest.raises(ValueError, match="no 0 clusters"):
        fuzzy_cmeans(points, 0, DRAWS)
    with pytest.raises(ValueError, match="above 1"):
        fuzzy_cmeans(points, 2, DRAWS, fuzziness=1.0)
    with pytest.raises(ValueError, match="no start"):
        fuzzy_cmeans(points, 2, DRAWS, start=np.zeros((3, 3)))
    points[3, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        fuzzy_cmeans(points, 2, DRAWS)
