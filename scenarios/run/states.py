"""What phones would be like at a time if nobody asked them for anything: functions of time."""

from dataclasses import dataclass

import numpy as np

from droidloop.devices.phone.charging import charger_at
from droidloop.devices.phone.link import link_at
from droidloop.devices.phone.presence import OFF, presence_at
from droidloop.devices.phone.world import World
from droidloop.network.radio import NO_RADIO
from droidloop.platform.arrays import BoolArray
from droidloop.platform.law import law


@dataclass(frozen=True)
class States:
    """Which phones are on, on and covered, and on a charger (which those that are off can be)."""

    on: BoolArray
    covered: BoolArray
    charging: BoolArray


def states_at(world: World, t_us: int) -> States:
    """Return the states of all phones at *t_us*; what their batteries hold does not count."""
    states = States(*(np.zeros(len(world.traits), np.bool_) for _ in range(3)))
    _note(world, t_us, states.on, states.covered, states.charging)
    return states


@law
def _note(world: World, t_us: int, on: BoolArray, covered: BoolArray, charging: BoolArray) -> None:
    for phone in range(on.size):
        presence, _ = presence_at(world, phone, t_us)
        on[phone] = presence > OFF
        if on[phone]:
            radio, _, _, _ = link_at(world, phone, t_us, False)
            covered[phone] = radio != NO_RADIO
        charger_uw, _ = charger_at(world, phone, t_us)
        charging[phone] = charger_uw > 0
