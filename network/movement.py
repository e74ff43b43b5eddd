"""Phones that move on a map: where each one is, and whether that place is covered, at any time.

Each day has three departures: from home (to work, or on an outing), from there (home, or on to an
evening out), and home again; between stops a phone moves in a straight line. Every stop is a draw
by (phone, number of the stop), so any time can be asked about without walking there.
"""

from typing import Any, NamedTuple

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Key, uniform_at
from droidloop.platform.law import law
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US, SECOND_US

MOVER_DTYPE = np.dtype(
    [
        ("home_x_m", np.int64),
        ("home_y_m", np.int64),
        ("work_x_m", np.int64),
        ("work_y_m", np.int64),
        ("away_us", np.int64),  # local time of day of the departure from home, in the mean
        ("back_us", np.int64),  # from work
        ("zone_us", np.int64),
        ("reach_m", np.int64),  # outings lie within
        ("speed_m_per_s", np.int64),
        ("remote", np.bool_),
    ]
)

_STOPS = 3
_OUT_US = 3 * HOUR_US
_SHIFT_US = 45 * MINUTE_US
_LONGEST_TRIP_US = 2 * HOUR_US
_DRAWS_PER_DAY = 16


class Map(NamedTuple):
    """A map and its phones, as the laws below read them."""

    covered: np.ndarray[Any, np.dtype[np.bool_]]  # [column x, row y]
    remote: np.ndarray[Any, np.dtype[np.bool_]]
    cell_m: int
    movers: np.ndarray[Any, np.dtype[np.void]]
    key: Key


@law
def _outing(world: Map, phone: int, counter: int) -> tuple[int, int]:
    """Return a place within reach of home, the nearer the likelier."""
    mover = world.movers[phone]
    side_m = len(world.covered) * world.cell_m
    far_m = mover.reach_m * uniform_at(world.key, phone, counter)
    turn = 2.0 * np.pi * uniform_at(world.key, phone, counter + 1)
    x_m = mover.home_x_m + int(np.rint(far_m * np.cos(turn)))
    y_m = mover.home_y_m + int(np.rint(far_m * np.sin(turn)))
    return min(max(x_m, 0), side_m - 1), min(max(y_m, 0), side_m - 1)


@law
def stop_at(world: Map, phone: int, number: int) -> tuple[int, int, int]:
    """Return stop *number* of *phone*: place in metres, and when it sets out for it.

    Stops 3d, 3d + 1 and 3d + 2 are those for which it sets out on day d: work or an outing; home
    or an evening out; home. Two in a row may be the same place.
    """
    mover = world.movers[phone]
    day, part = number // _STOPS, number % _STOPS
    midnight_us = day * DAY_US - mover.zone_us
    counter = day * _DRAWS_PER_DAY + 4 * part
    shift_us = int((uniform_at(world.key, phone, counter) - 0.5) * 2 * _SHIFT_US)
    chance = uniform_at(world.key, phone, counter + 1)
    x_m, y_m = mover.home_x_m, mover.home_y_m
    works = (mover.work_x_m != x_m or mover.work_y_m != y_m) and (day + phone) % 7 < 5
    if part == 0:
        start_us = midnight_us + mover.away_us + shift_us
        if works:
            x_m, y_m = mover.work_x_m, mover.work_y_m
        elif chance < 0.6:
            x_m, y_m = _outing(world, phone, counter + 2)
    elif part == 1:
        start_us = midnight_us + mover.back_us + shift_us
        if chance < 0.25:
            x_m, y_m = _outing(world, phone, counter + 2)
    else:
        start_us = midnight_us + mover.back_us + _SHIFT_US + _OUT_US + shift_us
    return x_m, y_m, start_us


@law
def _trip_us(mover: Any, x_m: int, y_m: int, to_x_m: int, to_y_m: int) -> int:
    """Return how long a trip takes: its length at the phone's speed, two hours at most."""
    length_m = np.sqrt(float((to_x_m - x_m) ** 2 + (to_y_m - y_m) ** 2))
    return min(int(length_m / mover.speed_m_per_s) * SECOND_US, _LONGEST_TRIP_US)


@law
def _leg(world: Map, phone: int, t_us: int) -> tuple[int, int, int, int, int, int, int]:
    """Return the trip that *phone* is on or has last ended: from, to, start, end; next start."""
    mover = world.movers[phone]
    number = (t_us + mover.zone_us) // DAY_US * _STOPS + _STOPS - 1
    to_x_m, to_y_m, start_us = stop_at(world, phone, number)
    next_us = stop_at(world, phone, number + 1)[2]
    while start_us > t_us:
        next_us = start_us
        number -= 1
        to_x_m, to_y_m, start_us = stop_at(world, phone, number)
    x_m, y_m, _ = stop_at(world, phone, number - 1)
    end_us = start_us + _trip_us(mover, x_m, y_m, to_x_m, to_y_m)
    return x_m, y_m, to_x_m, to_y_m, start_us, end_us, next_us


@law
def position_at(world: Map, phone: int, t_us: int) -> tuple[int, int]:
    """Return where *phone* is at *t_us*: x and y in metres from the corner of the map."""
    x_m, y_m, to_x_m, to_y_m, start_us, end_us, _ = _leg(world, phone, t_us)
    if t_us >= end_us:
        return to_x_m, to_y_m
    done_us, length_us = t_us - start_us, end_us - start_us
    return (
        x_m + (to_x_m - x_m) * done_us // length_us,
        y_m + (to_y_m - y_m) * done_us // length_us,
    )


@law
def _leaves_us(from_m: int, to_m: int, now_m: int, cell_m: int, length_us: int) -> int:
    """Return how long after the start of a trip it leaves the cell of *now_m* on one axis."""
    way_m = to_m - from_m
    low_m = now_m // cell_m * cell_m
    if way_m > 0:
        return -(-(low_m + cell_m - from_m) * length_us // way_m)
    if way_m < 0:
        return (from_m - low_m) * length_us // -way_m + 1
    return 2**62


@law
def cell_at(world: Map, phone: int, t_us: int) -> tuple[int, int, int]:
    """Return the cell that *phone* is in at *t_us*, and until when at least."""
    x_m, y_m, to_x_m, to_y_m, start_us, end_us, next_us = _leg(world, phone, t_us)
    cell_m = world.cell_m
    if t_us >= end_us:
        return to_x_m // cell_m, to_y_m // cell_m, next_us
    now_x_m, now_y_m = position_at(world, phone, t_us)
    length_us = end_us - start_us
    leaves_us = min(
        _leaves_us(x_m, to_x_m, now_x_m, cell_m, length_us),
        _leaves_us(y_m, to_y_m, now_y_m, cell_m, length_us),
        length_us,
    )
    return now_x_m // cell_m, now_y_m // cell_m, start_us + leaves_us


@law
def map_covered_at(world: Map, phone: int, t_us: int) -> tuple[bool, int]:
    """Return whether *phone* is covered at *t_us*, and until when at least.

    Cells of one kind in a row count as one, sixteen at a time.
    """
    x, y, until_us = cell_at(world, phone, t_us)
    covered = world.covered[x, y]
    for _ in range(16):
        x, y, later_us = cell_at(world, phone, until_us)
        if world.covered[x, y] != covered:
            break
        until_us = later_us
    return bool(covered), until_us


@law
def at_home(world: Map, phone: int, t_us: int) -> tuple[bool, int]:
    """Return whether *phone* is at home at *t_us*, and until when at least."""
    _, _, to_x_m, to_y_m, _, end_us, next_us = _leg(world, phone, t_us)
    mover = world.movers[phone]
    home = to_x_m == mover.home_x_m and to_y_m == mover.home_y_m
    if t_us >= end_us:
        return home, next_us
    return False, end_us


@law
def covered_us(world: Map, phones: IntArray, start_us: int, end_us: int) -> int:
    """Return for how long *phones* are covered between start and end, all together."""
    total_us = 0
    for phone in phones:
        t_us = start_us
        while t_us < end_us:
            covered, until_us = map_covered_at(world, phone, t_us)
            until_us = min(until_us, end_us)
            if covered:
                total_us += until_us - t_us
            t_us = until_us
    return total_us
