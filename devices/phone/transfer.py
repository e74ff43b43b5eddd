"""The law of a transfer: bytes over whatever link there is, resumed after gaps, up to a limit."""

from typing import Any

from droidloop.network.loss import goodput, handshake_us, rtt_at
from droidloop.network.radio import CELLULAR, NO_RADIO, active_uw, promotion_at
from droidloop.network.slow_start import next_round
from droidloop.platform.jobs import Outcome
from droidloop.platform.law import law
from droidloop.platform.units import between, reached

from .battery import advance
from .faults import early_us
from .link import link_at
from .needs import needs_direct, needs_unmetered, transfer_interrupted_at
from .presence import OFF, leaves_us, presence_at
from .world import World

DONE = int(Outcome.DONE)
LATE = int(Outcome.LATE)
LOST_LEFT = int(Outcome.LOST_LEFT)
LOST_DEAD = int(Outcome.LOST_DEAD)
_LOST_COVERAGE = int(Outcome.LOST_COVERAGE)


@law
def limit_at(world: World, row: Any) -> int:
    """Return the time at which a job ends whatever its phone does."""
    phone = row.phone
    traits = world.traits[phone]
    early = early_us(world.faults, world.windows, traits.faults, phone, row.plan_us)
    return int(min(row.deadline_us - early, leaves_us(traits, world.state[phone])))


@law
def cut_at(world: World, row: Any, otherwise: int) -> int:
    """Return why a job ends at its limit: its phone left, or else *otherwise*."""
    state = world.state[row.phone]
    left = state.t_us >= leaves_us(world.traits[row.phone], state)
    return LOST_LEFT if left else otherwise


@law
def rest(state: Any, radio: int) -> None:
    """Note the end of a radio's use: its tail begins."""
    if radio == CELLULAR:
        state.cell_end_us = state.t_us
    elif radio != NO_RADIO:
        state.wifi_end_us = state.t_us


@law
def connect(world: World, row: Any, radio: int, limit_us: int) -> int:
    """Promote *radio* and shake hands, up to the limit at most; return the round-trip time."""
    phone = row.phone
    state, traits = world.state[phone], world.traits[phone]
    cell = radio == CELLULAR
    number = traits.radio if cell else traits.wifi
    law = world.radios[number]
    promotion_us, promotion_uw = promotion_at(
        law, state.cell_end_us if cell else state.wifi_end_us, state.t_us
    )
    if cell:
        state.cell_end_us = -1
    else:
        state.wifi_end_us = -1
    end_us = min(state.t_us + promotion_us, limit_us)
    advance(world, phone, end_us, promotion_uw, 0, 0, True)
    rtt_us, shaken_us = law.rtt_us, law.rtt_us * law.handshakes
    if len(world.quality) > 0:
        quality, start_us = world.quality[number], state.t_us
        rtt_us = rtt_at(world.keys.trips, phone, start_us, quality)
        shaken_us = handshake_us(
            world.keys.losses, phone, start_us, rtt_us, law.handshakes, quality
        )
    if not state.dead:
        end_us = min(state.t_us + shaken_us, limit_us)
        advance(world, phone, end_us, 0, law.base_uw, 0, True)
    return int(rtt_us)


@law
def rate_of(world: World, phone: int, radio: int, rate: int, rtt_us: int) -> int:
    """Return what loss leaves of *rate*; recorded cellular rates have theirs in them already."""
    if len(world.quality) == 0:
        return rate
    traits = world.traits[phone]
    if radio == CELLULAR and traits.rate_series >= 0:
        return rate
    return int(
        goodput(rate, rtt_us, world.quality[traits.radio if radio == CELLULAR else traits.wifi])
    )


@law
def window_of(world: World, phone: int, radio: int) -> int:
    """Return the window of a new connection over *radio* in bytes; 0: no slow start."""
    traits = world.traits[phone]
    return int(world.radios[traits.radio if radio == CELLULAR else traits.wifi].window_bytes)


@law
def _meet(world: World, row: Any, nbytes: int, up: bool) -> tuple[int, int]:
    """Move *nbytes* over the direct link, set up once a job; return (moved, outcome)."""
    phone, link = row.phone, world.direct[0]
    state = world.state[phone]
    limit_us, moved = limit_at(world, row), 0
    if nbytes > 0 and not (up and row.down_bytes > 0):
        ready_us = min(state.t_us + link.setup_us, limit_us)
        advance(world, phone, ready_us, link.setup_uw, 0, 0, True)
    power_uw = link.sender_uw if up else link.receiver_uw
    while moved < nbytes and not state.dead:
        presence, until_us = presence_at(world, phone, state.t_us)
        if state.t_us >= limit_us:
            return moved, cut_at(world, row, LATE)
        if presence <= OFF:
            return moved, _LOST_COVERAGE
        cause, watched_us = transfer_interrupted_at(world, row, state.t_us)
        if cause:
            return moved, cause
        until_us = min(until_us, watched_us)
        start_us = state.t_us
        end_us = min(reached(link.rate, start_us, nbytes - moved), until_us, limit_us)
        end_us = advance(world, phone, end_us, 0, power_uw, 0, True)
        moved += min(between(link.rate, start_us, end_us), nbytes - moved)
    return moved, LOST_DEAD if state.dead else DONE


@law
def transfer(world: World, row: Any, nbytes: int, up: bool) -> tuple[int, int]:
    """Move *nbytes* over whatever link there is, resuming after gaps; return (moved, outcome)."""
    if needs_direct(row):
        return _meet(world, row, nbytes, up)
    phone = row.phone
    state, traits = world.state[phone], world.traits[phone]
    limit_us = limit_at(world, row)
    unmetered = needs_unmetered(row)
    moved, radio, rtt_us = 0, NO_RADIO, 0
    window, burst, round_us = 0, 0, 0
    while moved < nbytes:
        found, down_rate, up_rate, until_us = link_at(world, phone, state.t_us, unmetered)
        rate = up_rate if up else down_rate
        if rate == 0:
            found = NO_RADIO
        if state.t_us >= limit_us:
            rest(state, radio)
            return moved, cut_at(world, row, _LOST_COVERAGE if found == NO_RADIO else LATE)
        cause, watched_us = transfer_interrupted_at(world, row, state.t_us)
        if cause:
            rest(state, radio)
            return moved, cause
        until_us = min(until_us, watched_us)
        if found != radio:
            rest(state, radio)
            radio = found
            if found != NO_RADIO:
                rtt_us = connect(world, row, found, limit_us)
                window = burst = window_of(world, phone, found)
                round_us = state.t_us + rtt_us
        elif found == NO_RADIO:
            advance(world, phone, min(until_us, limit_us), 0, 0, 0, True)
        else:
            law = world.radios[traits.radio if found == CELLULAR else traits.wifi]
            start_us, until_us, left = state.t_us, min(until_us, limit_us), nbytes - moved
            rate = rate_of(world, phone, found, rate, rtt_us)
            window, burst, round_us = next_round(window, burst, round_us, rtt_us, start_us)
            if window > 0:  # the window is not open yet: a burst, then silence
                left, until_us = min(left, burst), min(until_us, round_us)
                rate = rate if burst > 0 else 0
            end_us = until_us if rate == 0 else min(reached(rate, start_us, left), until_us)
            end_us = advance(world, phone, end_us, 0, active_uw(law, rate, up), 0, True)
            sent = min(between(rate, start_us, end_us), left)
            moved, burst = moved + sent, burst - sent
        if state.dead:
            return moved, LOST_DEAD
    rest(state, radio)
    return moved, DONE
