"""When a phone is on its charger: recorded windows played back, or a habit.

The habit: plugged in at bedtime and until waking on 48 nights of 100; and besides, at any time of
day, one window in every three hours, as long as the hour's share says in the mean. The shares are
such that of all phones as many are on a charger in each hour of the day as of the 2,886 recorded
ones (FLASH; see ``devices.population.recorded`` for how they are counted): within 2 points, where
the record has its three days, Tuesday to Thursday. It knows no other days.
"""

import numpy as np

from droidloop.network.trace import value_at
from droidloop.platform.draws import uniform_at
from droidloop.platform.law import law, part
from droidloop.platform.units import DAY_US, HOUR_US

from .presence import DIGITS
from .world import World

SLOT_H = 3
"""Length of a slot. Slots begin at another minute on each phone, lest all plug in at once."""

_NIGHT_SHARE = 0.48
_SLOT_US = SLOT_H * HOUR_US
# Mean share of a slot on the charger, by the local hour of its middle.
# fmt: off
_DAY_SHARE = np.array(
    [0.06, 0.16, 0.22, 0.24, 0.20, 0.30, 0.39, 0.28, 0.26, 0.22, 0.20, 0.19,
     0.22, 0.19, 0.25, 0.26, 0.32, 0.28, 0.30, 0.30, 0.28, 0.36, 0.41, 0.09]
)
# fmt: on


@law
def _window(world: World, phone: int, slot: int) -> tuple[int, int]:
    """Return start and end of the window of a slot."""
    traits = world.traits[phone]
    slot_us = slot * _SLOT_US + traits.charge_shift_us - traits.zone_us
    hour = (slot_us + traits.zone_us + _SLOT_US // 2) // HOUR_US % 24
    # one draw says both: how long the window is, and with its last digits where it lies
    chance = uniform_at(world.keys.charging, phone, 2 * slot + 1)
    length_us = int(min(2.0 * _DAY_SHARE[hour] * chance, 1.0) * _SLOT_US)
    start_us = slot_us + int((_SLOT_US - length_us) * (chance * DIGITS % 1.0))
    return start_us, start_us + length_us


@law
def _windows_at(world: World, phone: int, t_us: int) -> tuple[bool, int]:
    """Return whether *t_us* lies in the window of its slot, and until when that is so."""
    traits = world.traits[phone]
    slot = (t_us + traits.zone_us - traits.charge_shift_us) // _SLOT_US
    start_us, end_us = _window(world, phone, slot)
    if t_us < start_us:
        return False, start_us
    if t_us < end_us:
        return True, end_us
    return False, _window(world, phone, slot + 1)[0]


@part
def charger_at(world: World, phone: int, t_us: int) -> tuple[int, int]:
    """Return the power that the charger offers at *t_us* in microwatts, and until when at least."""
    traits = world.traits[phone]
    if traits.ideal:
        return traits.charge_uw, 2**62
    if traits.charge_series >= 0:
        plugged, until_us = value_at(
            world.series[traits.charge_series],
            world.knots_us,
            world.knots,
            t_us,
            traits.charge_offset_us,
        )
        return (traits.charge_uw if plugged else 0), until_us
    since_us = t_us + traits.zone_us - traits.bed_us
    night = since_us // DAY_US
    since_us -= night * DAY_US
    asleep = since_us < traits.sleep_us
    if asleep and uniform_at(world.keys.charging, phone, 2 * night) < _NIGHT_SHARE:
        return traits.charge_uw, t_us + traits.sleep_us - since_us
    plugged_in, until_us = _windows_at(world, phone, t_us)
    return (traits.charge_uw if plugged_in else 0), min(until_us, t_us + DAY_US - since_us)
