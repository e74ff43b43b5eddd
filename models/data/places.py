"""Places: where the items of a check-in data set are, and what kind of place each is."""

from dataclasses import dataclass, replace

import numpy as np

from droidloop.models.numerics.kmeans import kmeans
from droidloop.platform.arrays import Float32Array, FloatArray, IntArray
from droidloop.platform.draws import Draws

from .interactions import Labels, UserItems, union

KM_A_DEGREE = 111.195
"""Kilometres a degree of latitude: a sphere of the Earth's mean radius, 6,371 km."""

HOURS = 24

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class Places:
    """One row for each item.

    Attributes:
        latitude: degrees north, (n,).
        longitude: degrees east, (n,).
        category: numbers from 0, ``UNKNOWN`` where the source names none, (n,).
        labels: the source's own name of each place, (n,).
        visitors: how many users were there, (n,); None: not counted, see ``counted``.
    """

    latitude: FloatArray
    longitude: FloatArray
    category: IntArray
    labels: Labels
    visitors: IntArray | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.latitude), len(self.longitude), len(self.category), len(self.labels)}
        if len(lengths) != 1:
            raise ValueError(f"columns of places have lengths {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.latitude)

    @property
    def categories(self) -> int:
        """How many categories there are; 0 where none is known."""
        return int(self.category.max(initial=UNKNOWN)) + 1

    def plane_km(self) -> Float32Array:
        """Return positions east and north of the mean place in kilometres, (n, 2).

        Equirectangular: right to some parts in a thousand within a city, wrong across a continent.
        """
        middle = np.radians(self.latitude.mean()) if len(self) else 0.0
        east = (self.longitude - self.longitude.mean()) * KM_A_DEGREE * np.cos(middle)
        north = (self.latitude - self.latitude.mean()) * KM_A_DEGREE
        return np.stack([east, north], axis=1).astype(np.float32)

    def popularity(self) -> Float32Array:
        """Return the logarithm of one more than the visitors, (n,); zeros if not counted."""
        if self.visitors is None:
            return np.zeros(len(self), np.float32)
        return np.log1p(self.visitors).astype(np.float32)

    def of(self, labels: Labels) -> "Places":
        """Return the places called *labels*, in that order, as after ``Interactions.keep``.

        Raises:
            ValueError: there is no such place.
        """
        order = np.argsort(self.labels, kind="stable")
        rows = order[np.searchsorted(self.labels[order], labels).clip(max=len(self) - 1)]
        if not np.array_equal(self.labels[rows], labels):
            raise ValueError("some items are no places")
        return Places(self.latitude[rows], self.longitude[rows], self.category[rows], labels)


def counted(places: Places, visits: UserItems) -> Places:
    """Return *places* with how many users were there: pass training events alone.

    That is what a map tells of a place. It ranks first visits better than the number of visits,
    of which few regulars make many.
    """
    visitors = np.bincount(union(visits).items, minlength=len(places))
    return replace(places, visitors=visitors.astype(np.int64))


def by_hours(places: Places, visits: UserItems, categories: int, draws: Draws) -> Places:
    """Return *places* with categories made of the hours in which they are visited.

    For sources without categories: clusters (k-means) of the places' popular times, a profile of
    24 hours that the check-ins of all users in *visits* add up to: pass training events alone.
    Profiles are square roots of shares, smoothed over neighbouring hours, so that distances are
    Hellinger's. Clusters are numbered by size, the largest first.
    """
    profile = np.zeros((len(places), HOURS))
    known = visits.times_s >= 0
    hours = visits.times_s[known] // 3600 % HOURS
    np.add.at(profile, (visits.items[known], hours), 1.0)
    profile += 0.5 * (np.roll(profile, 1, axis=1) + np.roll(profile, -1, axis=1))
    shares = profile / np.maximum(profile.sum(axis=1, keepdims=True), 1.0)
    clusters = kmeans(np.sqrt(shares), categories, draws)
    number = np.argsort(np.argsort(-clusters.sizes, kind="stable"), kind="stable")
    return replace(places, category=number[clusters.labels])
