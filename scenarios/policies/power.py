"""Participation of the phones that can best spare the energy."""

import numpy as np

from droidloop.devices.phone.charging import charger_at
from droidloop.devices.phone.world import World
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import law
from droidloop.platform.registry import Method
from droidloop.platform.section import Section
from droidloop.scenarios.runtime.asking import Asking, Policy


class PowerSection(Section):
    """The phones that can best spare the energy: on a charger first, then by charge."""


def build(section: PowerSection) -> Policy:
    """Return the policy."""
    return choose


def choose(asking: Asking) -> IntArray:
    """Return the phones that are asked; see ``Policy``."""
    context = asking.context
    world, now_us = context.population.world, context.now_us
    return fullest(world, asking.able(), asking.clients, now_us, asking.draws, asking.number)


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


@law
def _plugged(world: World, phones: IntArray, t_us: int, plugged: BoolArray) -> None:
    for k in range(len(phones)):
        charger_uw, _ = charger_at(world, phones[k], t_us)
        plugged[k] = charger_uw > 0


METHOD = Method(kind="policy", name="power", section=PowerSection, build=build)
