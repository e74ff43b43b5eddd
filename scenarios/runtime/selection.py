"""Who takes part: phones that are on, covered, charged enough and have the RAM; then a choice."""

import math

import numpy as np

from droidloop.devices.phone.battery import advance
from droidloop.devices.phone.charging import charger_at
from droidloop.devices.phone.link import link_at
from droidloop.devices.phone.presence import IDLE, OFF, presence_at
from droidloop.devices.phone.world import World
from droidloop.network.radio import NO_RADIO
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.draws import BitArray, Draws, Key, bits_at
from droidloop.platform.jobs import Need
from droidloop.platform.law import law
from droidloop.platform.workers import in_threads

_IDLE, _CHARGING, _UNMETERED = int(Need.IDLE), int(Need.CHARGING), int(Need.UNMETERED)
_DIRECT = int(Need.DIRECT)


@law
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
    if not needs & _DIRECT:
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


@law
def _ask(
    world: World,
    phones: IntArray,
    low: int,
    high: int,
    t_us: int,
    needs: int,
    ram_bytes: IntArray,
    min_battery: float,
    able: BoolArray,
) -> None:
    for k in range(low, high):
        phone = phones[k]
        able[k] = eligible_at(world, phone, t_us, needs, ram_bytes[k], min_battery)


@law
def _take_below(
    key: Key, counter: int, low: int, high: int, limit: Key, phones: IntArray, keys: BitArray
) -> int:
    """Return how many keys do not pass *limit*; note the first of them, as far as there is room."""
    count = 0
    for phone in range(low, high):
        bits = bits_at(key, phone, counter)
        if bits <= limit:
            if count < phones.size:
                phones[count], keys[count] = phone, bits
            count += 1
    return count


def _below(
    key: Key, counter: int, low: int, high: int, limit: Key, room: int
) -> tuple[IntArray, BitArray]:
    """Return the phones of ``range(low, high)`` whose keys do not pass *limit*, and the keys."""
    phones, keys = np.empty(room, np.int64), np.empty(room, np.uint64)
    count = _take_below(key, counter, low, high, limit, phones, keys)
    if count > room:  # rare: more than were to be expected
        return _below(key, counter, low, high, limit, count)
    return phones[:count], keys[:count]


def _smallest(draws: Draws, counter: int, n: int, about: int, threads: int | None) -> IntArray:
    """Return *about* as many of *n* phones with the smallest keys, in their order; ties by number.

    Keys are uniform, so a bound on them takes what a sort of all would, in one pass.
    """
    limit, key = np.uint64(min(2**64 - 1, about * 2**64 // n)), draws.key
    found: dict[int, tuple[IntArray, BitArray]] = {}

    def look(low: int, high: int) -> None:
        mean = about * (high - low) // n
        room = min(high - low, mean + 4 * math.isqrt(mean) + 16)
        found[low] = _below(key, counter, low, high, limit, room)

    in_threads(look, n, threads)
    parts = [found[low] for low in sorted(found)]
    phones = np.concatenate([numbers for numbers, _ in parts])
    return phones[np.argsort(np.concatenate([keys for _, keys in parts]), kind="stable")]


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
    threads: int | None = None,
) -> IntArray:
    """Return at most *clients* eligible phones, chosen at random, sorted by number.

    *ram_bytes* is what the job needs, on every phone or on each.

    Phones are asked in the order of their keys until enough are found, which gives the same choice
    as asking everybody and drawing among those who can.
    """
    n = len(world.traits)
    wanted = n if clients is None else min(clients, n)
    ram = np.broadcast_to(np.asarray(ram_bytes, np.int64), n)

    def able(phones: IntArray) -> IntArray:
        mask, mine = np.empty(len(phones), np.bool_), np.ascontiguousarray(ram[phones])
        in_threads(
            lambda low, high: _ask(
                world, phones, low, high, t_us, int(needs), mine, min_battery, mask
            ),
            len(phones),
            threads,
        )
        return phones[mask]

    if wanted == n:
        return able(np.arange(n))
    chosen: list[IntArray] = []
    asked, about = 0, 2 * wanted + 64
    while wanted > 0:
        order = _smallest(draws, counter, n, about, threads)
        while wanted > 0 and asked < len(order):
            found = able(order[asked : asked + max(wanted + wanted // 8, 64)])
            asked += max(wanted + wanted // 8, 64)
            chosen.append(found[:wanted])
            wanted -= len(chosen[-1])
        if len(order) == n:
            break
        asked = min(asked, len(order))
        about *= 4
    return np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))
