"""Synthetic interactions: skewed popularity, overlapping tastes, log-normal activity, real order.

Popularity follows a Zipf-Mandelbrot law (Mandelbrot 1953): the weight of the item of rank r is
(r + shift) ** -exponent. In a cluster of taste an item's weight is that times a log-normal number,
and more if the cluster is the item's own; so an item is liked by several tastes, to different
degrees. Each user has three clusters with fixed shares; some of what a user does ignores taste and
follows popularity alone. Popular items come sooner: the order of a user's events is a draw of
Plackett and Luce (Plackett 1975) with weights popularity ** sooner.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import FloatArray, Int32Array, IntArray
from droidloop.platform.draws import Draws, bits_at, exponential_at, normal_at, uniform_at
from droidloop.platform.law import kernel

from .interactions import Interactions

DAY_S = 86_400

_TRIES = 64
"""Draws for one event before the next unseen item is taken, which ends every search."""


@dataclass(frozen=True)
class Shape:
    """How a synthetic population behaves.

    The defaults are, of 67 drawn at random, and rounded, those whose popularity and baselines came
    nearest to parts of MovieLens 100K; `make reference ROW=synthetic` says how near they are.

    Attributes:
        clusters: clusters of taste; at most one per item.
        own: share of a cluster that its own items have beyond what they have in every cluster.
        spread: standard deviation of the logarithm of what a cluster makes of an item.
        explore: share of events that follow overall popularity and no taste.
        tastes: shares of the rest that go to a user's first, second and third cluster.
        exponent: of the popularity law.
        shift_share: its shift, as a share of the items.
        sooner: how much sooner popular items come; 0: any order.
        activity_sigma: standard deviation of the logarithm of a user's events above the minimum.
        minimum: events that every user has, where there are as many items.
        start_s: unix time of the first possible event.
        span_s: length of the time in which all events lie; users join in its first half.
    """

    clusters: int = 16
    own: float = 0.78
    spread: float = 1.4
    explore: float = 0.1
    tastes: tuple[float, float, float] = (0.92, 0.06, 0.02)
    exponent: float = 2.55
    shift_share: float = 0.12
    sooner: float = 0.075
    activity_sigma: float = 0.9
    minimum: int = 5
    start_s: int = 1_700_000_000
    span_s: int = 180 * DAY_S

    def __post_init__(self) -> None:
        if self.clusters < 1 or self.minimum < 1:
            raise ValueError("clusters and minimum must be at least 1")
        if not 0 <= self.explore <= 1 or abs(sum(self.tastes) - 1) > 1e-9:
            raise ValueError("explore must lie in 0..1 and the three tastes must sum to 1")
        if not 0 <= self.own <= 1 or self.spread < 0 or self.sooner < 0:
            raise ValueError("own must lie in 0..1, spread and sooner must not be negative")


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
    weight = _popularity(n_items, draws.child("rank"), form)
    items, tasted = _choose(
        np.uint64(draws.child("item").key),
        offsets,
        *_tables(weight, clusters, draws, form),
        _tastes(n_users, clusters, draws.child("taste")),
        np.cumsum((form.explore, *((1 - form.explore) * np.array(form.tastes)))),
    )
    _arrange(np.uint64(draws.child("order").key), offsets, weight**-form.sooner, items, tasted)
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


def _popularity(n_items: int, draws: Draws, form: Shape) -> FloatArray:
    """Return the weight of each item, of mean 1."""
    law = (np.arange(n_items) + 1 + form.shift_share * n_items) ** -form.exponent
    weight = np.empty(n_items)
    weight[draws.order(np.arange(n_items), 0)] = law / law.mean()
    return weight


def _tables(
    weight: FloatArray, clusters: int, draws: Draws, form: Shape
) -> tuple[FloatArray, Int32Array]:
    """Return alias tables of popularity alone (row 0) and of each cluster, (1 + clusters, items).

    They hold the chances to keep a slot, and the items taken otherwise.
    """
    n_items = len(weight)
    rows = np.arange(n_items)
    home = draws.child("cluster").order(rows, 0) % clusters
    kept = np.empty((1 + clusters, n_items))
    other = np.empty((1 + clusters, n_items), np.int32)
    _alias(weight.copy(), kept[0], other[0])
    for cluster in range(clusters):
        liking = np.exp(form.spread * draws.child("liking").normal(rows, cluster))
        liking *= 1 - form.own + form.own * clusters * (home == cluster)
        scaled = weight * liking
        _alias(scaled / scaled.mean(), kept[1 + cluster], other[1 + cluster])
    return kept, other


@kernel
def _alias(rest: FloatArray, kept: FloatArray, other: Int32Array) -> None:
    """Fill an alias table (Vose 1991) for weights of mean 1, which are used up."""
    small = np.empty(rest.size, np.int64)
    large = np.empty(rest.size, np.int64)
    n_small = n_large = 0
    for slot in range(rest.size):
        kept[slot], other[slot] = 1.0, slot
        if rest[slot] < 1.0:
            small[n_small] = slot
            n_small += 1
        else:
            large[n_large] = slot
            n_large += 1
    while n_small > 0 and n_large > 0:
        n_small -= 1
        poor, rich = small[n_small], large[n_large - 1]
        kept[poor], other[poor] = rest[poor], rich
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
def _drawn(kept: FloatArray, other: Int32Array, word: int) -> np.int64:
    """Draw from one alias table: the upper half of *word* picks a slot, the lower half decides."""
    slot = np.int64((word >> np.uint64(32)) * np.uint64(kept.size) >> np.uint64(32))
    coin = (word & np.uint64(0xFFFFFFFF)) * (1.0 / 4294967296.0)
    return np.int64(slot if coin < kept[slot] else other[slot])


@kernel
def _choose(
    key: np.uint64,
    offsets: IntArray,
    kept: FloatArray,
    other: Int32Array,
    tastes: IntArray,
    bounds: FloatArray,
) -> tuple[IntArray, IntArray]:
    """Return the item of each event, and which table it came from (0: popularity alone)."""
    n_items = kept.shape[1]
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
                item = int(_drawn(kept[table], other[table], word))
                counter += 2
                if owner[item] != user:
                    break
            while owner[item] == user:
                item = (item + 1) % n_items
            owner[item] = user
            items[event], tasted[event] = item, source
    return items, tasted


@kernel
def _arrange(
    key: np.uint64, offsets: IntArray, late: FloatArray, items: IntArray, tasted: IntArray
) -> None:
    """Put each user's events in order, in place: exponential times, *late* by item their means.

    By insertion, as histories are short: numba's own sort would be longer in compiling.
    """
    times = np.empty(items.size, np.float64)
    for user in range(offsets.size - 1):
        first = offsets[user]
        for event in range(first, offsets[user + 1]):
            item, source = items[event], tasted[event]
            time = exponential_at(key, user, event - first, late[item])
            place = event
            while place > first and times[place - 1] > time:
                times[place] = times[place - 1]
                items[place], tasted[place] = items[place - 1], tasted[place - 1]
                place -= 1
            times[place], items[place], tasted[place] = time, item, source


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
        total, passed, before = 0.0, 0.0, -1
        for k in range(n + 1):
            gaps[k] = exponential_at(key, user, k + 1, 1.0)
            total += gaps[k]
        for k in range(n):
            passed += gaps[k]
            before = max(before + 1, joined_s + int(passed / total * (span_s - joined_s)))
            times_s[first + k] = start_s + before
    return times_s
