"""Synthetic check-ins: people with a home, a second district, tastes and habits, in a small city.

Districts lie at random in a square; places are dealt to districts and categories in turn, and
their popularity follows a power law. How often people go out is log-normal. A category has an hour
of the day. A visit has a category by
its user's taste; most visits go back to a place of that category where the user was before, the
others go to a new one by popularity, in the district of the visit before, of the home, or in the
second district.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws, below_at, normal_at, uniform_at
from droidloop.platform.law import kernel

from .interactions import Interactions
from .places import HOURS, KM_A_DEGREE, Places
from .synthetic import DAY_S

_HOUR_S = 3600


@dataclass(frozen=True)
class City:
    """How the synthetic city and its people behave.

    Attributes:
        districts: how many there are.
        categories: kinds of places.
        side_km: length of the square.
        spread_km: standard deviation of places about the middle of their district.
        again: share of visits that go back, where there is a place to go back to.
        stay: share of the other visits that stay in the district of the visit before.
        home: share of the rest that go to the home district.
        exponent: of the power law of popularity within a district and category.
        hour_sd: standard deviation of a visit's hour about that of its category.
        activity_sigma: standard deviation of the logarithm of a user's visits.
        span_days: days over which check-ins spread.
        latitude: of the middle of the square.
        longitude: likewise.
    """

    districts: int = 12
    categories: int = 8
    side_km: float = 20.0
    spread_km: float = 0.7
    again: float = 0.77
    stay: float = 0.6
    home: float = 0.7
    exponent: float = 1.0
    hour_sd: float = 5.0
    activity_sigma: float = 0.63
    span_days: int = 120
    latitude: float = -27.47
    longitude: float = 153.03

    def __post_init__(self) -> None:
        if min(self.districts, self.categories, self.span_days) < 1:
            raise ValueError("a city has at least one district, one category and one day")
        if min(self.hour_sd, self.activity_sigma) < 0:
            raise ValueError("a standard deviation is not negative")
        if any(not 0 <= share <= 1 for share in (self.again, self.stay, self.home)):
            raise ValueError("again, stay and home must lie in 0..1")


def generate_check_ins(
    n_users: int, n_places: int, mean_visits: float, draws: Draws, city: City | None = None
) -> tuple[Interactions, Places]:
    """Return check-ins, user by user and oldest first, and where they are.

    Users have *mean_visits* in the mean, three at least. Everything about a user is drawn from the
    user's row: the first users of a larger population are those of a smaller one.

    Raises:
        ValueError: no users, no places, or fewer than three visits each.
    """
    form = city or City()
    if n_users < 1 or n_places < 1 or mean_visits < 3:
        raise ValueError(f"{n_users} users, {n_places} places, {mean_visits} visits: too few")
    places, district, starts, order, sums = _city(n_places, draws.child("city"), form)
    offsets = _offsets(n_users, mean_visits, draws.child("visits"), form)
    items, times_s = _walk(
        np.uint64(draws.child("walk").key),
        offsets,
        *(starts, order, sums, places.category, district),
        np.array([form.districts, form.categories, form.span_days]),
        np.array([form.again, form.stay, form.home, form.hour_sd]),
        draws.child("hour").integers(np.arange(form.categories), 0, HOURS),
    )
    users = np.repeat(np.arange(n_users), np.diff(offsets))
    every = (np.arange(n_users), np.arange(n_places))
    return Interactions(users, items, np.ones(len(items)), times_s, *every), places


def _offsets(n_users: int, mean_visits: float, draws: Draws, form: City) -> IntArray:
    sigma = form.activity_sigma
    normal = draws.normal(np.arange(n_users), 0)
    wanted = np.rint(mean_visits * np.exp(sigma * normal - sigma**2 / 2))
    offsets = np.zeros(n_users + 1, np.int64)
    np.cumsum(np.maximum(wanted, 3).astype(np.int64), out=offsets[1:])
    return offsets


def _city(
    n_places: int, draws: Draws, form: City
) -> tuple[Places, IntArray, IntArray, IntArray, FloatArray]:
    """Return the places, the district of each, and for each cell the sums of popularity.

    Cell (district, category) number c owns ``starts[c]:starts[c + 1]`` of ``order`` (places) and
    of ``sums`` (running sums of their shares).
    """
    rows = np.arange(n_places)
    dealt = draws.child("deal").order(rows, 0)
    district, category = np.empty(n_places, np.int64), np.empty(n_places, np.int64)
    district[dealt] = rows % form.districts
    category[dealt] = rows // form.districts % form.categories
    middle = form.side_km * (draws.uniform(np.arange(form.districts)[:, None], [0, 1]) - 0.5)
    at_km = middle[district] + form.spread_km * draws.child("at").normal(rows[:, None], [0, 1])
    wide = KM_A_DEGREE * np.cos(np.radians(form.latitude))
    places = Places(
        form.latitude + at_km[:, 1] / KM_A_DEGREE, form.longitude + at_km[:, 0] / wide,
        category, rows,
    )  # fmt: skip
    cell = district * form.categories + category
    order = np.lexsort((draws.child("rank").bits(rows, 0), cell))
    starts = np.searchsorted(cell[order], np.arange(form.districts * form.categories + 1))
    weight = (rows - starts[cell[order]] + 1.0) ** -form.exponent
    sums = np.cumsum(weight)
    return places, district, starts, order, sums


@kernel
def _new_place(
    low: int, high: int, order: IntArray, sums: FloatArray, uniform: float
) -> int:  # fmt: skip
    """Return a place of ``order[low:high]``, drawn by popularity."""
    before = sums[low - 1] if low > 0 else 0.0
    wanted = before + uniform * (sums[high - 1] - before)
    return int(order[min(low + np.searchsorted(sums[low:high], wanted), high - 1)])


@kernel
def _times(
    key: np.uint64, user: int, n: int, days: int, taste: FloatArray, peak: IntArray, hour_sd: float
) -> tuple[IntArray, IntArray]:
    """Return rising times of a user's visits and the category of each."""
    times_s, kinds = np.empty(n, np.int64), np.empty(n, np.int64)
    for k in range(n):
        u = uniform_at(key, user, 4 * k)
        kind = 0
        while kind < taste.size - 1 and u >= taste[kind]:
            kind += 1
        day = below_at(key, user, 4 * k + 1, days)
        hour = (peak[kind] + hour_sd * normal_at(key, user, 2 * (4 * k + 2))) % HOURS
        kinds[k], times_s[k] = kind, day * DAY_S + int(hour * _HOUR_S)
    order = np.argsort(times_s, kind="mergesort")
    times_s, kinds = times_s[order], kinds[order]
    for k in range(1, n):
        times_s[k] = max(times_s[k], times_s[k - 1] + 1)
    return times_s, kinds


@kernel
def _walk(
    key: np.uint64,
    offsets: IntArray,
    starts: IntArray,
    order: IntArray,
    sums: FloatArray,
    category: IntArray,
    district: IntArray,
    sizes: IntArray,
    shares: FloatArray,
    peak: IntArray,
) -> tuple[IntArray, IntArray]:
    """Return the place and the time of every visit."""
    districts, kinds, days = sizes[0], sizes[1], sizes[2]
    items, times_s = np.empty(offsets[-1], np.int64), np.empty(offsets[-1], np.int64)
    for user in range(offsets.size - 1):
        n, first = offsets[user + 1] - offsets[user], offsets[user]
        base = 1 << 24  # counters apart from those of the times
        homes = np.empty(2, np.int64)
        for k in range(2):
            homes[k] = below_at(key, user, base + k, districts)
        taste = np.empty(kinds, np.float64)
        for kind in range(kinds):
            taste[kind] = -np.log(1.0 - uniform_at(key, user, base + 2 + kind))
        taste = np.cumsum(taste) / taste.sum()
        times_s[first : first + n], wanted = _times(key, user, n, days, taste, peak, shares[3])
        counter = base + 2 + kinds
        for k in range(n):
            mine = items[first : first + k]
            before = np.flatnonzero(category[mine] == wanted[k])
            u = uniform_at(key, user, counter), uniform_at(key, user, counter + 1)
            if before.size > 0 and u[0] < shares[0]:
                items[first + k] = mine[before[int(u[1] * before.size)]]
            else:
                stays = k > 0 and uniform_at(key, user, counter + 2) < shares[1]
                home = homes[0] if uniform_at(key, user, counter + 3) < shares[2] else homes[1]
                cell = (district[mine[-1]] if stays else home) * kinds + wanted[k]
                low, high = starts[cell], starts[cell + 1]
                if low == high:  # a city of few places: any of them
                    low, high = 0, order.size
                items[first + k] = _new_place(low, high, order, sums, u[1])
            counter += 4
    return items, times_s
