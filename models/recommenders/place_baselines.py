"""Baselines of the next place: where the user was, what is popular near the user, and both.

What somebody did so often, and of late, is what they do next (Anderson et al., The Dynamics of
Repeat Consumption, WWW 2014); what is new lies near (Ye et al., SIGIR 2011). Neither learns.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import HOURS, Places
from droidloop.models.evaluation.metrics import Scores
from droidloop.platform.arrays import Float32Array, IntArray

from .place_features import DECAY, OFFSET_KM

_HOUR_S = 3600
_BATCH = 256


class PlaceScorer(Protocol):
    """Scores of all places for people who were somewhere before, and ask at some time."""

    def __call__(self, history: UserItems, now_s: IntArray) -> Scores:
        """Return scores (len(now_s), places), for the visits of each row of *history* so far."""
        ...


@dataclass(frozen=True)
class OwnVisits:
    """Scores a place by the user's visits to it.

    Attributes:
        n_places: how many places there are.
        width_h: a visit k hours of the day away from now counts exp(-k / width); infinite: 1.
        power: a visit h hours ago counts (1 + h)^-power.
    """

    n_places: int
    width_h: float = np.inf
    power: float = 0.0

    def __call__(self, history: UserItems, now_s: IntArray) -> Scores:
        """Return the sums of what visits count; see ``PlaceScorer``."""
        rows = np.repeat(np.arange(history.n_users), history.counts)
        now = np.asarray(now_s)[rows]
        apart = np.abs(now // _HOUR_S % HOURS - history.times_s // _HOUR_S % HOURS)
        apart = np.minimum(apart, HOURS - apart)
        age_h = np.maximum(now - history.times_s, 0) / _HOUR_S
        weight = np.exp(-apart / self.width_h) * (1.0 + age_h) ** -self.power
        flat = np.bincount(
            rows * self.n_places + history.items, weight, history.n_users * self.n_places
        )
        return flat.reshape(history.n_users, self.n_places).astype(np.float32)


@dataclass(frozen=True)
class PopularNear:
    """Scores a place by its visitors, over a power of its distance from where the user is.

    Attributes:
        places: with their visitors counted.
        decay: the power.
        offset_km: is added to the distance.
        home: whether from the place of most visits (the home area), or from the latest one.
    """

    places: Places
    decay: float = DECAY
    offset_km: float = OFFSET_KM
    home: bool = False

    def __call__(self, history: UserItems, now_s: IntArray) -> Scores:
        """Return what is popular near; without a visit, what is popular. See ``PlaceScorer``."""
        assert self.places.visitors is not None
        at_km, popular = self.places.plane_km(), self.places.visitors.astype(np.float32)
        out = np.tile(popular, (history.n_users, 1))
        some = np.flatnonzero(history.counts)
        middle = np.array([self._middle(history.of(row)) for row in some.tolist()], np.int64)
        for start in range(0, len(some), _BATCH):
            part = slice(start, start + _BATCH)
            apart = at_km[middle[part], None] - at_km[None]
            km: Float32Array = np.sqrt((apart**2).sum(-1))
            out[some[part]] *= (km + np.float32(self.offset_km)) ** np.float32(-self.decay)
        return out

    def _middle(self, visits: IntArray) -> int:
        return int(np.bincount(visits).argmax() if self.home else visits[-1])


@dataclass(frozen=True)
class VisitsThenNear:
    """Ranks what the user visited by *visits*, and behind it all else by *near*."""

    visits: PlaceScorer
    near: PlaceScorer

    def __call__(self, history: UserItems, now_s: IntArray) -> Scores:
        """Return scores: above 1 what was visited, below 1 what was not. See ``PlaceScorer``."""
        own, else_ = self.visits(history, now_s), self.near(history, now_s)
        return np.where(own > 0, 1 + own, else_ / (1 + else_))


Setting = dict[str, float]
Tried = Iterator[tuple[Setting, PlaceScorer]]

WIDTHS_H, POWERS = (1.0, 2.0, 4.0), (0.1, 0.3, 0.6)


def _visits(places: Places) -> Tried:
    yield {}, OwnVisits(len(places))


def _by_hour(places: Places) -> Tried:
    for width in WIDTHS_H:
        yield {"width_h": width}, OwnVisits(len(places), width)


def _by_hour_and_age(places: Places) -> Tried:
    for width, power in product(WIDTHS_H, POWERS):
        yield {"width_h": width, "power": power}, OwnVisits(len(places), width, power)


def _near(places: Places, *, home: bool) -> Tried:
    for decay, offset in product((1.5, 2.0, 3.0), (0.1, 0.3)):
        near = PopularNear(places, decay, offset, home)
        yield {"decay": decay, "offset_km": offset}, near


def _then_near(places: Places) -> Tried:
    near = PopularNear(places)
    for setting, visits in _by_hour_and_age(places):
        yield setting, VisitsThenNear(visits, near)


PLACE_BASELINES: dict[str, Callable[[Places], Tried]] = {
    "visits": _visits,
    "visits-by-hour": _by_hour,
    "visits-by-age": _by_hour_and_age,
    "popular-near": lambda places: _near(places, home=False),
    "popular-near-home": lambda places: _near(places, home=True),
    "visits-then-near": _then_near,
}
"""What tries the settings of each baseline; validation chooses."""
