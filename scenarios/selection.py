"""Who takes part: phones that are on, covered, charged enough and have the RAM; then a choice."""

from typing import Any

import numpy as np
from numba import njit

from droidloop.devices.battery import advance
from droidloop.devices.charging import charger_at
from droidloop.devices.link import link_at
from droidloop.devices.presence import IDLE, OFF, presence_at
from droidloop.devices.world import World
from droidloop.network.radio import NO_RADIO
from droidloop.platform.draws import Draws, IntArray
from droidloop.platform.jobs import Need

_IDLE, _CHARGING, _UNMETERED = int(Need.IDLE), int(Need.CHARGING), int(Need.UNMETERED)


@njit(cache=True)
def eligible_at(
    world: World, phone: int, t_us: int, needs: int, ram_bytes: int, min_battery: float
) -> bool:
    """Return whether *phone* can be asked at *t_us*; brings its accounts up to then."""
    traits, state = world.traits[phone], world.state[phone]
    if state.busy_until_us > t_us:
        return False
    if ram_bytes > traits.ram_bytes - traits.system_ram_bytes:
        return False
    presence, _ = presence_at(world, phone, t_us)
    if presence <= OFF or (needs & _IDLE and presence != IDLE):
        return False
    radio, _, _, _ = link_at(world, phone, t_us, (needs & _UNMETERED) != 0)
    if radio == NO_RADIO:
        return False
    if needs & _CHARGING:
        charger_uw, _ = charger_at(world, phone, t_us)
        if charger_uw == 0:
            return False
    advance(world, phone, t_us, 0, 0, 0, False)
    if state.dead or state.battery_uj < traits.floor_uj:
        return False
    return bool(state.battery_uj >= min_battery * traits.capacity_uj)


@njit(cache=True)
def _first_eligible(
    world: World,
    order: IntArray,
    count: int,
    t_us: int,
    needs: int,
    ram_bytes: IntArray,
    min_battery: float,
) -> IntArray:
    """Return the first *count* of *order* that are eligible, asking no more than it takes."""
    chosen = np.empty(min(count, len(order)), np.int64)
    found = 0
    for phone in order:
        if found == len(chosen):
            break
        if eligible_at(world, phone, t_us, needs, ram_bytes[phone], min_battery):
            chosen[found] = phone
            found += 1
    return chosen[:found]


def select(
    world: World,
    t_us: int,
    draws: Draws,
    counter: int,
    *,
    clients: int | None,
    needs: Need,
    ram_bytes: int | IntArray,
    min_battery: float,
) -> IntArray:
    """Return at most *clients* eligible phones, chosen at random, sorted by number.

    *ram_bytes* is what the job needs, on every phone or on each.

    Phones are asked in the order of their keys until enough are found, which gives the same choice
    as asking everybody and drawing among those who can.
    """
    phones = np.arange(len(world.traits))
    wanted = len(phones) if clients is None else clients
    ram = np.ascontiguousarray(np.broadcast_to(np.asarray(ram_bytes, np.int64), len(phones)))
    rule: tuple[Any, ...] = (t_us, int(needs), ram, min_battery)
    if wanted >= len(phones):
        return _first_eligible(world, phones, wanted, *rule)
    keys = draws.bits(phones, counter)
    share = 4 * wanted
    while True:
        # the phones with the smallest keys, in order: enough of them, or else all
        few = np.argpartition(keys, share)[:share] if share < len(phones) else phones
        order = few[np.lexsort((few, keys[few]))]
        chosen = _first_eligible(world, order, wanted, *rule)
        if len(chosen) == wanted or len(few) == len(phones):
            return np.sort(chosen)
        share *= 4
