"""A map of covered and uncovered cells: coverage as a share of places, and what it is of time.

The map is a square of cells. Masts stand densely in towns and thinly elsewhere; the cells with the
strongest signal are covered, as many as the wanted share of the area says, and the same again
within the remote part: what lies farthest from the towns. So a share of places is a setting here,
while the share of time that phones are covered follows from where they are (``time_share``).
"""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.units import HOUR_US

from .movement import MOVER_DTYPE, Map, covered_us

MOST_WORK = 100_000_000
"""Cells times towns: how near each cell is to each mast takes seconds then."""


@dataclass(frozen=True)
class MapSpec:
    """How a map is made: shares of places, and who lives where.

    *area_share* of all cells is covered, and *remote_share* of the *remote_area* of them that lies
    farthest from the towns. *remote_phones* of the phones live in that part.
    """

    area_share: float
    remote_share: float
    remote_area: float = 0.5
    remote_phones: float = 0.03
    cells: int = 256
    cell_m: int = 500
    towns: int = 12
    workers: float = 0.7
    speed_m_per_s: int = 14

    def __post_init__(self) -> None:
        shares = (self.area_share, self.remote_share, self.remote_phones, self.workers)
        if not all(0.0 <= share <= 1.0 for share in shares) or not 0.0 < self.remote_area < 1.0:
            raise ValueError(f"shares must lie in 0..1, remote_area within: {self}")
        if not 0.0 <= self.near_share <= 1.0:
            raise ValueError(
                f"area_share {self.area_share} cannot be met with remote_share {self.remote_share}"
                f" on {self.remote_area} of the area"
            )
        if min(self.cells - 3, self.cell_m, self.towns, self.speed_m_per_s) < 1:
            raise ValueError(f"a map needs four cells a side, towns and a speed: {self}")
        if not 1 <= round(self.remote_area * self.cells**2) < self.cells**2:
            raise ValueError(
                f"remote_area {self.remote_area} of {self.cells} x {self.cells} cells leaves none "
                "on one side"
            )
        if self.cells**2 * self.towns > MOST_WORK:
            raise ValueError(
                f"{self.cells} x {self.cells} cells and {self.towns} towns: their product may be "
                f"{MOST_WORK:,} at most"
            )
        if self.cells * self.cell_m > 4_000_000:
            raise ValueError("a map may be 4000 km wide at most")

    @property
    def near_share(self) -> float:
        """The covered share of the part that is not remote: what makes up the whole."""
        remote = self.remote_area * self.remote_share
        return (self.area_share - remote) / (1.0 - self.remote_area)


# The tutorial behind this project: 3G of Optus covers 70 % of the area, 60 % in remote areas. Both
# are shares of places, unchecked; how much of the map is remote, and who lives there, is assumed.
OPTUS = MapSpec(area_share=0.70, remote_share=0.60)


def build_map(spec: MapSpec, phones: int, draws: Draws) -> Map:
    """Return the map of *spec* with *phones* on it; phone *i* is the same whatever their number."""
    side_m = spec.cells * spec.cell_m
    towns = (
        0.1 + 0.8 * draws.child("towns").uniform(np.arange(spec.towns)[:, None], [0, 1])
    ) * side_m
    centres = (np.arange(spec.cells) + 0.5) * spec.cell_m
    distance = _nearest(centres, towns)
    remote = _top(distance, round(spec.remote_area * spec.cells**2))
    signal = -_nearest(centres, _masts(spec, towns, draws.child("masts")))
    covered = np.zeros_like(remote)
    for part, share in ((remote, spec.remote_share), (~remote, spec.near_share)):
        covered |= _top(np.where(part, signal, -np.inf), round(share * np.count_nonzero(part)))
    movers = _movers(spec, phones, towns, remote, draws.child("movers"))
    return Map(covered, remote, spec.cell_m, movers, draws.child("stops").key)


def _nearest(centres: Array, points: Array) -> Array:
    """Return for each cell the square of the distance to the nearest of *points*, [x, y]."""
    nearest = np.full((len(centres), len(centres)), np.inf)
    one = np.empty_like(nearest)
    for x, y in points:
        np.add(np.square(centres - x)[:, None], np.square(centres - y), out=one)
        np.minimum(nearest, one, out=nearest)
    return nearest


def _top(values: Array, count: int) -> Array:
    """Mark the *count* largest *values*, ties by place."""
    chosen = np.zeros(values.size, np.bool_)
    chosen[np.argsort(-values, axis=None, kind="stable")[:count]] = True
    return chosen.reshape(values.shape)


def _masts(spec: MapSpec, towns: Array, draws: Draws) -> Array:
    """Return masts: eight a town within some kilometres, and as many scattered over the map."""
    side_m = spec.cells * spec.cell_m
    count = 8 * spec.towns
    near = np.repeat(towns, 8, axis=0)
    near = near + 0.03 * side_m * draws.child("near").normal(np.arange(count)[:, None], [0, 1])
    scattered = draws.child("scattered").uniform(np.arange(count)[:, None], [0, 1]) * side_m
    return np.concatenate([near, scattered])


def _movers(
    spec: MapSpec,
    phones: int,
    towns: Array,
    remote: Array,
    draws: Draws,
) -> Array:
    rows = np.arange(phones)
    side_m = spec.cells * spec.cell_m
    movers = np.zeros(phones, MOVER_DTYPE)
    # Zipf: the second town has half as many people as the first, and so on
    edges = np.cumsum(1.0 / np.arange(1, spec.towns + 1))
    town = np.searchsorted(edges / edges[-1], draws.uniform(rows, 0), side="right")
    spread = 0.02 * side_m
    home = towns[town] + spread * draws.child("home").normal(rows[:, None], [0, 1])
    work = towns[town] + 0.5 * spread * draws.child("work").normal(rows[:, None], [0, 1])
    movers["remote"] = draws.uniform(rows, 1) < spec.remote_phones
    places = np.argwhere(remote)
    chosen = places[draws.integers(rows, 2, len(places))]
    within = draws.child("within").uniform(rows[:, None], [0, 1])
    home = np.where(movers["remote"][:, None], (chosen + within) * spec.cell_m, home)
    # who does not go to work has no work place: outings alone
    idle = draws.uniform(rows, 3) >= spec.workers
    work = np.where((idle | movers["remote"])[:, None], home, work)
    for name, place in (("home", home), ("work", work)):
        inside = np.clip(place, 0, side_m - 1).astype(np.int64)
        movers[f"{name}_x_m"], movers[f"{name}_y_m"] = inside[:, 0], inside[:, 1]
    movers["away_us"] = ((7.0 + 2.0 * draws.uniform(rows, 4)) * HOUR_US).astype(np.int64)
    movers["back_us"] = ((16.0 + 2.0 * draws.uniform(rows, 5)) * HOUR_US).astype(np.int64)
    movers["reach_m"] = round(0.1 * side_m)
    movers["speed_m_per_s"] = spec.speed_m_per_s
    return movers


def area_share(world: Map, *, remote: bool | None = None) -> float:
    """Return the covered share of places: of all, of the remote ones, or of the others."""
    if remote is None:
        return float(world.covered.mean())
    return float(world.covered[world.remote == remote].mean())


def time_share(world: Map, phones: IntArray, start_us: int, end_us: int) -> float:
    """Return the share of their time that *phones* are covered, exactly, from start to end."""
    if end_us <= start_us or len(phones) == 0:
        raise ValueError("a share of time needs phones, and an end after its start")
    total_us = covered_us(world, np.asarray(phones, np.int64), start_us, end_us)
    return total_us / (len(phones) * (end_us - start_us))
