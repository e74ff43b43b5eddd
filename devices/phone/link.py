"""Which radio a phone has at a time, at which rates: WiFi at home, cellular outside, or none."""

from droidloop.network.coverage import renewal_at
from droidloop.network.movement import map_covered_at
from droidloop.network.radio import CELLULAR, NO_RADIO, WIFI
from droidloop.network.trace import value_at
from droidloop.platform.law import law

from .faults import Ill, fault_at
from .presence import OFF, home_at, presence_at
from .world import World

_CUT_OFF = int(Ill.CUT_OFF)


@law
def cellular_at(world: World, phone: int, t_us: int) -> tuple[int, int, int]:
    """Return the down and up rates in bytes/s (0: not covered), and until when at least."""
    traits = world.traits[phone]
    region = world.regions[traits.region]
    if len(world.map.movers) > 0:
        covered, until_us = map_covered_at(world.map, phone, t_us)
    else:
        covered, until_us = renewal_at(
            world.keys.coverage, phone, t_us, region.covered_us, region.gap_us
        )
    if not covered:
        return 0, 0, until_us
    clear, clear_until_us = renewal_at(
        world.keys.fading, phone, t_us, region.clear_us, region.fade_us
    )
    until_us = min(until_us, clear_until_us)
    if not clear:
        return 0, 0, until_us
    down, up = traits.cell_down_rate, traits.cell_up_rate
    if traits.rate_series >= 0:
        series = world.series[traits.rate_series]
        rate, rate_until_us = value_at(series, world.knots_us, world.knots, t_us, traits.offset_us)
        down, up, until_us = rate, rate * up // max(down, 1), min(until_us, rate_until_us)
        if traits.up_series >= 0:
            series = world.series[traits.up_series]
            up, rate_until_us = value_at(
                series, world.knots_us, world.knots, t_us, traits.offset_us
            )
            until_us = min(until_us, rate_until_us)
    return down * region.rate_percent // 100, up * region.rate_percent // 100, until_us


@law
def link_at(world: World, phone: int, t_us: int, unmetered: bool) -> tuple[int, int, int, int]:
    """Return (CELLULAR, WIFI or NO_RADIO; down rate; up rate; until when at least).

    With *unmetered*, a cellular link counts as none.
    """
    traits = world.traits[phone]
    presence, until_us = presence_at(world, phone, t_us)
    if presence <= OFF:
        return NO_RADIO, 0, 0, until_us
    if traits.faults != 0:
        cut_off, change_us = fault_at(
            world.faults, world.windows, traits.faults, phone, _CUT_OFF, t_us
        )
        until_us = min(until_us, change_us)
        if cut_off:
            return NO_RADIO, 0, 0, until_us
    if traits.wifi >= 0:
        home, home_until_us = home_at(world, phone, t_us)
        until_us = min(until_us, home_until_us)
        if home:
            return WIFI, traits.wifi_down_rate, traits.wifi_up_rate, until_us
    if unmetered:
        return NO_RADIO, 0, 0, until_us
    down, up, cell_until_us = cellular_at(world, phone, t_us)
    radio = CELLULAR if down > 0 else NO_RADIO
    return radio, down, up, min(until_us, cell_until_us)
