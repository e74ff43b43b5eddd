"""Synthetic interactions: skewed popularity, clusters of taste, log-normal activity, real order.

Popularity follows a Zipf-Mandelbrot law (Mandelbrot 1953): the weight of the item of rank r is
(r + shift) ** -exponent. Each item belongs to one cluster, each user to three with fixed shares;
some of what a user does ignores taste and follows popularity alone.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws, bits_at, exponential_at, normal_at, uniform_at
from droidloop.platform.law import kernel

from .interactions import Interactions

DAY_S = 86_400

_TRIES = 64
"""Draws for one event before the next unseen item is taken, which ends every search."""


@dataclass(frozen=True)
class Shape:
    """How a synthetic population behaves; the defaults resemble MovieLens 100K.

    Attributes:
        clusters: clusters of taste; at most one per item.
        explore: share of events that follow overall popularity and no taste.
        tastes: shares of the rest that go to a user's first, second and third cluster.
        exponent: of the popularity law.
        shift_share: its shift, as a share of the items.
        activity_sigma: standard deviation of the logarithm of a user's events above the minimum.
        minimum: events that every user has, where there are as many items.
        start_s: unix time of the first possible event.
        span_s: length of the time in which all events lie; users join in its first half.
    """

    clusters: int = 12
    explore: float = 0.15
    tastes: tuple[float, float, float] = (0.6, 0.3, 0.1)
    exponent: float = 2.5
    shift_share: float = 0.15
    activity_sigma: float = 0.9
    minimum: int = 5
    start_s: int = 1_700_000_000
    span_s: int = 180 * DAY_S

    def __post_init__(self) -> None:
        if self.clusters < 1 or self.minimum < 1:
            raise ValueError("clusters and minimum must be at least 1")
        if not 0 <= self.explore <= 1 or abs(sum(self.tastes) - 1) > 1e-9:
            raise ValueError("explore must lie in 0..1 and the three tastes must sum to 1")


def generate(
    n_users: int, n_items: int, mean_interactions: float, draws: Draws, shape: Shape | None = None
) -> Interactions:
    """Return a synthetic data set, user by user, each user's events oldest first.

    Everything about a user is drawn from the user's own row, so the first users of a larger
    population are those of a smaller one. No user has an item twice; ratings are 1 to 5 and higher
    for a user's tastes. *mean_interactions* is the expectation as long as few users reach their
    ceiling: users have at most half of the items, or the minimum if that is more.

    Raises:
        ValueError: no users, no items, or a mean below ``shape.minimum``.
    """
    form = shape or Shape()
    if n_users < 1 or n_items < 1:
        raise ValueError(f"needs at least one user and one item, not {n_users} and {n_items}")
    if mean_interactions < form.minimum:
        raise ValueError(f"mean_interactions {mean_interactions} is below {form.minimum}")
    offsets = _offsets(n_users, n_items, mean_interactions, draws, form)
    clusters = min(form.clusters, n_items)
    items, tasted = _choose(
        np.uint64(draws.child("item").key),
        offsets,
        n_items,
        *_tables(n_items, clusters, draws, form),
        _tastes(n_users, clusters, draws.child("taste")),
        np.cumsum((form.explore, *((1 - form.explore) * np.array(form.tastes)))),
    )
    ratings = _rate(np.uint64(draws.child("rating").key), offsets, tasted)
    times_s = _times(np.uint64(draws.child("time").key), offsets, form.start_s, form.span_s)
    users = np.repeat(np.arange(n_users), np.diff(offsets))
    return Interactions(users, items, ratings, times_s, np.arange(n_users), np.arange(n_items))


def _offsets(
    n_users: int, n_items: int, mean_interactions: float, draws: Draws, form: Shape
) -> IntArray:
    """Return where each user's events begin: the minimum plus a log-normal number."""
    sigma = form.activity_sigma
    location = np.log(max(mean_interactions - form.minimum, 1e-9)) - sigma**2 / 2
    more = np.rint(np.exp(location + sigma * draws.child("activity").normal(np.arange(n_users), 0)))
    ceiling = min(max(n_items // 2, form.minimum), n_items)
    counts = np.minimum(form.minimum + more, ceiling).astype(np.int64)
    offsets = np.zeros(n_users + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def _tastes(n_users: int, clusters: int, draws: Draws) -> IntArray:
    """Return for each user three clusters, different where there are three, shape (n_users, 3)."""
    rows = np.arange(n_users)
    first = draws.integers(rows, 0, clusters)
    if clusters < 3:
        return np.stack([first, (first + 1) % clusters, first], axis=1)
    second = (first + 1 + draws.integers(rows, 1, clusters - 1)) % clusters
    third = draws.integers(rows, 2, clusters - 2)
    low, high = np.minimum(first, second), np.maximum(first, second)
    third += third >= low
    third += third >= high
    return np.stack([first, second, third], axis=1)


def _tables(
    n_items: int, clusters: int, draws: Draws, form: Shape
) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
    """Return alias tables of all items (table 0) and of the items of each cluster (1, 2, ...).

    Table t owns ``starts[t]:starts[t + 1]`` of the items, the chances to keep a slot, and the
    items taken otherwise.
    """
    weight = (np.arange(n_items) + 1 + form.shift_share * n_items) ** -form.exponent
    by_rank = draws.child("rank").order(np.arange(n_items), 0)
    order = draws.child("cluster").order(np.arange(n_items), 0)  # ranks, dealt to the clusters
    ranks = [np.arange(n_items), *(order[cluster::clusters] for cluster in range(clusters))]
    starts = np.cumsum([0, *(len(held) for held in ranks)])
    items = np.concatenate([by_rank[held] for held in ranks])
    kept, other = np.empty(len(items)), np.empty(len(items), np.int64)
    for table, held in enumerate(ranks):
        own = slice(starts[table], starts[table + 1])
        _alias(weight[held] / weight[held].mean(), items[own], kept[own], other[own])
    return starts, items, kept, other


@kernel
def _alias(scaled: FloatArray, items: IntArray, kept: FloatArray, other: IntArray) -> None:
    """Fill an alias table (Vose 1991) for weights *scaled* to mean 1."""
    small = np.empty(scaled.size, np.int64)
    large = np.empty(scaled.size, np.int64)
    n_small = n_large = 0
    for slot in range(scaled.size):
        kept[slot], other[slot] = 1.0, items[slot]
        if scaled[slot] < 1.0:
            small[n_small] = slot
            n_small += 1
        else:
            large[n_large] = slot
            n_large += 1
    rest = scaled.copy()
    while n_small > 0 and n_large > 0:
        n_small -= 1
        poor, rich = small[n_small], large[n_large - 1]
        kept[poor], other[poor] = rest[poor], items[rich]
        rest[rich] -= 1.0 - rest[poor]
        if rest[rich] < 1.0:
            n_large -= 1
            small[n_small] = rich
            n_small += 1


@kernel(inline="always")
def _source(bounds: FloatArray, uniform: float) -> int:
    """Return 0 for popularity alone, 1 to 3 for a user's tastes; *bounds* are sums of shares."""
    source = 0
    while source < 3 and uniform >= bounds[source]:
        source += 1
    return source


@kernel(inline="always")
def _drawn(
    start: int, end: int, items: IntArray, kept: FloatArray, other: IntArray, word: int
) -> int:
    """Draw from one alias table: the upper half of *word* picks a slot, the lower half decides."""
    slot = start + int((word >> np.uint64(32)) * np.uint64(end - start) >> np.uint64(32))
    coin = (word & np.uint64(0xFFFFFFFF)) * (1.0 / 4294967296.0)
    return int(items[slot] if coin < kept[slot] else other[slot])


@kernel
def _choose(
    key: np.uint64,
    offsets: IntArray,
    n_items: int,
    starts: IntArray,
    table_items: IntArray,
    kept: FloatArray,
    other: IntArray,
    tastes: IntArray,
    bounds: FloatArray,
) -> tuple[IntArray, IntArray]:
    """Return the item of each event, and which table it came from (0: popularity alone)."""
    items = np.empty(offsets[-1], np.int64)
    tasted = np.empty(offsets[-1], np.int64)
    owner = np.full(n_items, -1, np.int64)  # the last user who took the item
    for user in range(offsets.size - 1):
        counter = 0
        for event in range(offsets[user], offsets[user + 1]):
            item = source = -1
            for _ in range(_TRIES):
                source = _source(bounds, uniform_at(key, user, counter))
                table = 0 if source == 0 else tastes[user, source - 1] + 1
                word = bits_at(key, user, counter + 1)
                item = _drawn(starts[table], starts[table + 1], table_items, kept, other, word)
                counter += 2
                if owner[item] != user:
                    break
            while owner[item] == user:
                item = (item + 1) % n_items
            owner[item] = user
            items[event], tasted[event] = item, source
    return items, tasted


@kernel
def _rate(key: np.uint64, offsets: IntArray, tasted: IntArray) -> FloatArray:
    """Return ratings 1 to 5: on average about 4.3 for the first taste, 3.3 for none."""
    ratings = np.empty(tasted.size, np.float64)
    for user in range(offsets.size - 1):
        for event in range(offsets[user], offsets[user + 1]):
            liking = 3.25 if tasted[event] == 0 else 4.6 - 0.3 * tasted[event]
            noise = normal_at(key, user, event - offsets[user])
            ratings[event] = min(max(np.rint(liking + noise), 1.0), 5.0)
    return ratings


@kernel
def _times(key: np.uint64, offsets: IntArray, start_s: int, span_s: int) -> IntArray:
    """Return rising times: the order statistics of uniform times since the user joined."""
    times_s = np.empty(offsets[-1], np.int64)
    for user in range(offsets.size - 1):
        first, n = offsets[user], offsets[user + 1] - offsets[user]
        joined_s = int(0.5 * span_s * uniform_at(key, user, 0))
        gaps = np.empty(n + 1, np.float64)
        for k in range(n + 1):
            gaps[k] = exponential_at(key, user, k + 1, 1.0)
        total, passed, before = gaps.sum(), 0.0, -1
        for k in range(n):
            passed += gaps[k]
            before = max(before + 1, joined_s + int(passed / total * (span_s - joined_s)))
            times_s[first + k] = start_s + before
    return times_s
