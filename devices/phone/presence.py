"""Where a phone is and what its owner does, as functions of time: on, in use, at home, gone.

No public data set has it, so this is a synthetic diurnal process, and labelled so in every run:
one session of use an hour of waking, longest in the evening; away from home on five days of seven
and on some afternoons of the others.
"""

from typing import Any

import numpy as np

from droidloop.network.movement import at_home
from droidloop.platform.draws import uniform_at
from droidloop.platform.law import law, part
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US

from .faults import Ill, fault_at
from .world import World

GONE = 0
OFF = 1
IDLE = 2
IN_USE = 3
_FAULT_OFF = int(Ill.OFF)
DIGITS = 1 << 20
"""What is left of a uniform number beyond its first 20 digits is uniform again."""

# Mean share of an hour in use, by local hour: about 3.4 h a day.
# fmt: off
_USE_SHARE = np.array(
    [0.06, 0.02, 0.01, 0.01, 0.01, 0.03, 0.10, 0.16, 0.15, 0.13, 0.13, 0.15,
     0.18, 0.16, 0.14, 0.14, 0.16, 0.19, 0.21, 0.23, 0.26, 0.27, 0.22, 0.13]
)
# fmt: on


@part
def leaves_us(traits: Any, state: Any) -> int:
    """Return when a phone goes, as far as is known: as its stay ends, or at its last death."""
    leave_us, given_up_us = traits.leave_us, state.given_up_us
    return int(min(leave_us, given_up_us) if given_up_us > 0 else leave_us)


@law
def asleep_at(world: World, phone: int, t_us: int) -> tuple[bool, int]:
    """Return whether the owner sleeps at *t_us*, and until when at least."""
    traits = world.traits[phone]
    local_us = t_us + traits.zone_us
    since_us = (local_us - traits.bed_us) % DAY_US
    if since_us < traits.sleep_us:
        return True, t_us + traits.sleep_us - since_us
    return False, t_us + DAY_US - since_us


@law
def _session(world: World, phone: int, hour: int) -> tuple[int, int]:
    """Return start and end of the use in one of the phone's hours, were its owner awake."""
    traits = world.traits[phone]
    hour_us = hour * HOUR_US - traits.zone_us - traits.use_shift_us
    local_hour = (hour * HOUR_US - traits.use_shift_us + HOUR_US // 2) // HOUR_US % 24
    # one draw says both: how long it is used, and with its last digits when
    chance = uniform_at(world.keys.presence, phone, hour)
    length_us = int(_USE_SHARE[local_hour] * 2.0 * chance * HOUR_US)
    start_us = hour_us + int((HOUR_US - length_us) * (chance * DIGITS % 1.0))
    return start_us, start_us + length_us


@part
def presence_at(world: World, phone: int, t_us: int) -> tuple[int, int]:
    """Return GONE, OFF, IDLE or IN_USE at *t_us*, and until when at least."""
    traits = world.traits[phone]
    if t_us < traits.join_us:
        return GONE, traits.join_us
    until_us = leaves_us(traits, world.state[phone])
    if t_us >= until_us:
        return GONE, 2**62
    presence = IDLE
    if not traits.ideal:
        asleep, change_us = asleep_at(world, phone, t_us)
        if asleep:
            presence = OFF if traits.off_at_night else IDLE
        else:
            hour = (t_us + traits.zone_us + traits.use_shift_us) // HOUR_US
            start_us, end_us = _session(world, phone, hour)
            if t_us < start_us:
                change_us = min(change_us, start_us)
            elif t_us < end_us:
                presence, change_us = IN_USE, min(change_us, end_us)
            else:
                change_us = min(change_us, _session(world, phone, hour + 1)[0])
        until_us = min(until_us, change_us)
    if traits.faults != 0:
        off, change_us = fault_at(
            world.faults, world.windows, traits.faults, phone, _FAULT_OFF, t_us
        )
        if off:
            presence = OFF
        until_us = min(until_us, change_us)
    return presence, until_us


@law
def home_at(world: World, phone: int, t_us: int) -> tuple[bool, int]:
    """Return whether the phone is at home at *t_us*, and until when at least."""
    traits = world.traits[phone]
    if traits.ideal:
        return True, 2**62
    if len(world.map.movers) > 0:
        return at_home(world.map, phone, t_us)
    local_us = t_us + traits.zone_us
    day = local_us // DAY_US
    midnight_us = day * DAY_US - traits.zone_us
    chance = uniform_at(world.keys.home, phone, 2 * day)
    shift_us = int((uniform_at(world.keys.home, phone, 2 * day + 1) - 0.5) * 90 * MINUTE_US)
    if (day + phone) % 7 < 5:
        leave_us = midnight_us + traits.away_us + shift_us
        return_us = midnight_us + traits.home_us + shift_us
    elif chance < 0.6:
        leave_us = midnight_us + 13 * HOUR_US + shift_us
        return_us = leave_us + 3 * HOUR_US
    else:
        return True, midnight_us + DAY_US
    if t_us < leave_us:
        return True, leave_us
    if t_us < return_us:
        return False, return_us
    return True, midnight_us + DAY_US
