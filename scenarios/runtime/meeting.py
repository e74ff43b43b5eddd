"""Which phones meet: pairs that are linked, near one another and free for one another."""

import numpy as np

from droidloop.network.movement import Map, position_at
from droidloop.network.topology import Topology
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.draws import BitArray, Draws
from droidloop.platform.law import law
from droidloop.platform.messages import SERVER


def meet(
    world: Map,
    topology: Topology,
    phones: IntArray,
    t_us: int,
    reach_m: int,
    draws: Draws,
    counter: int,
) -> IntArray:
    """Return whom each of *phones* meets at *t_us*, ``SERVER`` for those who meet nobody.

    Two meet if the topology links them and they are within *reach_m*; nobody meets two. Pairs are
    made in an order by chance.
    """
    order = draws.order(phones, counter)
    partner = np.full(topology.nodes, SERVER, np.int64)
    free = np.zeros(topology.nodes, np.bool_)
    free[phones] = True
    places = np.zeros((topology.nodes, 2), np.int64)
    _locate(world, phones, t_us, places)
    start = draws.child("first").bits(phones, counter)
    first = np.zeros(topology.nodes, np.uint64)
    first[phones] = start
    _pair(order, topology.offsets, topology.neighbours, places, reach_m, first, free, partner)
    return partner[phones]


def positions(world: Map, phones: IntArray, t_us: int) -> IntArray:
    """Return where *phones* are at *t_us*, (phones, 2) in metres."""
    places = np.zeros((int(phones.max(initial=-1)) + 1, 2), np.int64)
    _locate(world, phones, t_us, places)
    return places[phones]


@law
def _locate(world: Map, phones: IntArray, t_us: int, places: IntArray) -> None:
    for phone in phones:
        x_m, y_m = position_at(world, phone, t_us)
        places[phone, 0], places[phone, 1] = x_m, y_m


@law
def _pair(
    order: IntArray,
    offsets: IntArray,
    neighbours: IntArray,
    places: IntArray,
    reach_m: int,
    first: BitArray,
    free: BoolArray,
    partner: IntArray,
) -> None:
    for phone in order:
        degree = offsets[phone + 1] - offsets[phone]
        if not free[phone] or degree == 0:
            continue
        begin = int(first[phone] % np.uint64(degree))
        for k in range(degree):
            other = neighbours[offsets[phone] + (begin + k) % degree]
            far_m = places[other, 0] - places[phone, 0]
            wide_m = places[other, 1] - places[phone, 1]
            if free[other] and far_m * far_m + wide_m * wide_m <= reach_m * reach_m:
                partner[phone], partner[other] = other, phone
                free[phone] = free[other] = False
                break
