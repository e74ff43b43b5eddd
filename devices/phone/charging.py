"""When a phone is on its charger: recorded windows played back, or a synthetic habit.

The habit: plugged in at bedtime on 85 nights of 100, unplugged at waking; and on 35 days of 100 a
top-up of forty minutes in the mean between 9:30 and 17:30.
"""

from droidloop.network.trace import value_at
from droidloop.platform.draws import exponential_at, uniform_at
from droidloop.platform.law import law
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US

from .world import World

_NIGHT_SHARE = 0.85
_TOP_UP_SHARE = 0.35
_TOP_UP_US = 40 * MINUTE_US


@law
def _window(world: World, phone: int, day: int, night: bool) -> tuple[int, int]:
    """Return start and end of the night's or the day's window; equal where there is none."""
    traits = world.traits[phone]
    key = world.keys.charging
    midnight_us = day * DAY_US - traits.zone_us
    counter = 4 * day + (0 if night else 2)
    chance = uniform_at(key, phone, counter)
    if night:
        start_us = midnight_us + traits.bed_us
        return start_us, start_us + (traits.sleep_us if chance < _NIGHT_SHARE else 0)
    # the draw that decides also places the window: what is left of it is uniform again
    place = chance / _TOP_UP_SHARE
    if place >= 1.0:
        return midnight_us, midnight_us
    start_us = midnight_us + 9 * HOUR_US + 30 * MINUTE_US + int(place * 8 * HOUR_US)
    length_us = int(exponential_at(key, phone, counter + 1, _TOP_UP_US))
    return start_us, start_us + min(length_us, 3 * HOUR_US)


@law
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
    day = (t_us + traits.zone_us) // DAY_US
    for step in range(3):
        start_us, end_us = _window(world, phone, day - 1 if step == 0 else day, step != 1)
        if t_us < start_us < end_us:
            return 0, start_us
        if start_us <= t_us < end_us:
            return traits.charge_uw, end_us
    return 0, (day + 1) * DAY_US - traits.zone_us
