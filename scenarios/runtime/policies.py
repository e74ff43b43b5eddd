"""Which of the phones that can take part do: policies that need to look at all of them.

A random choice needs not, and is in ``selection.py``.
"""

import numpy as np

from droidloop.devices.phone.charging import charger_at
from droidloop.devices.phone.world import World
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import law


def fullest(
    world: World, able: IntArray, count: int, t_us: int, draws: Draws, counter: int
) -> IntArray:
    """Return the *count* of *able* that can best spare energy at *t_us*, sorted.

    Phones on a charger first, then by the charge that is left, as a share; ties by chance. Their
    accounts have been brought up to *t_us* by whoever asked whether they are able.
    """
    plugged = plugged_in(world, able, t_us)
    level = world.state["battery_uj"][able] / np.maximum(world.traits["capacity_uj"][able], 1)
    chance = draws.bits(able, counter)
    return np.sort(able[np.lexsort((chance, -level, ~plugged))[:count]])


def plugged_in(world: World, phones: IntArray, t_us: int) -> BoolArray:
    """Return which of *phones* are on a charger at *t_us*."""
    plugged = np.empty(len(phones), np.bool_)
    _plugged(world, phones, t_us, plugged)
    return plugged


def fairest(able: IntArray, asked: IntArray, count: int, draws: Draws, counter: int) -> IntArray:
    """Return the *count* of *able* that were *asked* least often so far, sorted; ties by chance.

    With it nobody is asked twice before everybody who could was asked once.
    """
    chance = draws.bits(able, counter)
    return np.sort(able[np.lexsort((chance, asked[able]))[:count]])


@law
def _plugged(world: World, phones: IntArray, t_us: int, plugged: BoolArray) -> None:
    for k in range(len(phones)):
        charger_uw, _ = charger_at(world, phones[k], t_us)
        plugged[k] = charger_uw > 0
