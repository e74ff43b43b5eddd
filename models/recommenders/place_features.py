"""What a next-place model reads beside ids, in buckets; and how its weights lie in one vector.

Buckets, so that each weight is a number that few examples can learn: the age of a visit, how far
apart two hours of the day are, the distance between two places.
"""

import math
from typing import NamedTuple

import numpy as np

from droidloop.models.data.places import HOURS
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.law import kernel

GAPS, TURNS, NEARS, STAYS = 16, HOURS // 2 + 1, 12, 2

DECAY, OFFSET_KM = 2.0, 0.1
"""People go to places d km away with a weight of (d + offset)^-decay: a power law, as Ye et al.
(Exploiting Geographical Influence, SIGIR 2011) find for check-ins. Both numbers were chosen on the
validation part of foursquare-nyc, for popularity near the last place."""

LATELY_H, DECAYS = 8.0, (2.0, 1.0)
"""People who were somewhere less than so many hours ago go on from there, by the first power; later
they may be anywhere, and the second counts. Chosen likewise, for popularity near by both powers."""

_HOUR_S = 3600


@kernel(inline="always")
def hour_of(time_s: int) -> int:
    """Return the hour of the day, 0..23."""
    return time_s // _HOUR_S % HOURS


@kernel(inline="always")
def gap_of(age_s: int) -> int:
    """Return the bucket of an age: an hour, two, four, ... up to a year and more."""
    hours = max(age_s, 0) / _HOUR_S
    return min(GAPS - 1, int(1.2 * math.log2(hours + 1.0)))


@kernel(inline="always")
def turn_of(hour: int, other: int) -> int:
    """Return how many hours of the day lie between two, 0..12."""
    apart = abs(hour - other)
    return min(apart, HOURS - apart)


@kernel(inline="always")
def stay_of(age_s: int) -> int:
    """Return 0 where the last visit is so short ago that one may still be there, else 1."""
    return 0 if age_s < LATELY_H * _HOUR_S else 1


@kernel(inline="always")
def near_of(at_km: Float32Array, one: int, other: int) -> int:
    """Return the bucket of the distance of two places: 0.1 km, 0.25, ... up to 12 km and more."""
    east = at_km[one, 0] - at_km[other, 0]
    north = at_km[one, 1] - at_km[other, 1]
    return min(NEARS - 1, int(2.0 * math.log2(1.0 + 4.0 * math.sqrt(east * east + north * north))))


WIDTH_H, POWER = 2.0, 0.3
"""A visit k hours of the day away and h hours ago counts exp(-k / width) (1 + h)^-power at first:
what is repeated is what was done of late (Anderson et al., The Dynamics of Repeat Consumption,
WWW 2014). Both numbers were chosen on the validation part of foursquare-nyc, for own visits."""


def gap_at_first() -> Float32Array:
    """Return the logarithm of what a visit counts by its age, at the lower end of each bucket."""
    return np.asarray(-POWER * np.log(2.0) / 1.2 * np.arange(GAPS), np.float32)


def turn_at_first() -> Float32Array:
    """Return the logarithm of what a visit counts by the hours of the day between."""
    return np.asarray(-np.arange(TURNS) / WIDTH_H, np.float32)


def near_at_first() -> Float32Array:
    """Return the logarithms of both power laws at the lower end of each bucket of distance."""
    lower_km = (2.0 ** (np.arange(NEARS) / 2) - 1) / 4
    return np.asarray(np.outer(DECAYS, -np.log(lower_km + OFFSET_KM)), np.float32)


class Weights(NamedTuple):
    """One phone's model, as views that training changes in place.

    ``rows`` (held places, dim + 1) are the vectors of the places that the phone holds, the last
    column their biases; ``hour`` (24, dim), ``category`` (categories, dim), ``query`` and
    ``value`` (dim, dim), ``clock`` (24, categories), and the weights of the buckets; ``user``
    (dim,) and ``habit`` (1,), the log-odds of a return, are private.
    """

    rows: Float32Array
    user: Float32Array
    habit: Float32Array
    hour: Float32Array
    category: Float32Array
    query: Float32Array
    value: Float32Array
    clock: Float32Array
    gap: Float32Array
    turn: Float32Array
    after: Float32Array
    near: Float32Array


def sizes(dim: int, categories: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what lies in the network vector, in its order."""
    return {
        "hour": (HOURS, dim),
        "category": (categories, dim),
        "query": (dim, dim),
        "value": (dim, dim),
        "clock": (HOURS, categories),
        "gap": (GAPS,),
        "turn": (TURNS,),
        "after": (NEARS,),
        "near": (STAYS, NEARS),
    }


def network_size(dim: int, categories: int) -> int:
    """Return the length of the network vector."""
    return sum(math.prod(shape) for shape in sizes(dim, categories).values())


def first_network(dim: int, categories: int, vectors: Float32Array) -> Float32Array:
    """Return the network vector before training: own visits by hour and age, popularity nearby.

    ``value`` is the identity, ``category`` holds *vectors* (categories, dim), ``gap``, ``turn`` and
    ``near`` what ages, hours and distances count; all else is zero.
    """
    parts = {name: np.zeros(shape, np.float32) for name, shape in sizes(dim, categories).items()}
    parts["value"][:] = np.eye(dim, dtype=np.float32)
    parts["category"][:] = vectors
    parts["gap"][:], parts["turn"][:] = gap_at_first(), turn_at_first()
    parts["near"][:] = near_at_first()
    return np.concatenate([part.ravel() for part in parts.values()])


@kernel
def weights_in(
    rows: Float32Array, user: Float32Array, network: Float32Array, categories: int
) -> Weights:
    """Return views of one phone's model by name; see ``sizes``. *user* ends in ``habit``."""
    dim = user.size - 1
    a = HOURS * dim
    b = a + categories * dim
    c = b + dim * dim
    d = c + dim * dim
    e = d + HOURS * categories
    f = e + GAPS
    g = f + TURNS
    h = g + NEARS
    return Weights(
        rows,
        user[:dim],
        user[dim:],
        network[:a].reshape((HOURS, dim)),
        network[a:b].reshape((categories, dim)),
        network[b:c].reshape((dim, dim)),
        network[c:d].reshape((dim, dim)),
        network[d:e].reshape((HOURS, categories)),
        network[e:f],
        network[f:g],
        network[g:h],
        network[h : h + STAYS * NEARS].reshape((STAYS, NEARS)),
    )


class PlaceData(NamedTuple):
    """What all phones have, and nobody trains.

    ``base`` (n, dim) are the vectors that the server left and ``popular`` (n,) the biases, for
    places that a phone does not hold; ``at_km`` (n, 2) and ``category`` (n,) are where places are
    and of what kind.
    """

    base: Float32Array
    popular: Float32Array
    at_km: Float32Array
    category: IntArray
