"""The battery's law: what a phone spends, what its charger gives, when it dies.

Energy is the difference of integer integrals, so any interval may be cut anywhere and the parts
add up to the whole. While a charger is plugged in it feeds the phone first (its own life, then
tail, promotion, radio, computation) and fills the battery with the rest: what is accepted counts,
not what is offered. A drain ends at empty; an empty phone is off until a charger has brought it to
its boot level, or, after its last death, gone for good.
"""

from typing import Any

from droidloop.network.radio import tail_at
from droidloop.platform.arrays import IntArray
from droidloop.platform.law import law, part
from droidloop.platform.units import between, reached
from droidloop.platform.workers import in_threads

from .charging import charger_at
from .presence import GONE, IN_USE, OFF, presence_at
from .world import World


@law
def _split(power_uw: int, charger_uw: int) -> tuple[int, int, int]:
    """Return what the charger feeds of a load, what the battery does, what the charger has left."""
    fed_uw = min(power_uw, charger_uw)
    return fed_uw, power_uw - fed_uw, charger_uw - fed_uw


@law
def _drain(o: int, t: int, p: int, r: int, c: int, start_us: int, end_us: int) -> int:
    return (
        between(o, start_us, end_us)
        + between(t, start_us, end_us)
        + between(p, start_us, end_us)
        + between(r, start_us, end_us)
        + between(c, start_us, end_us)
    )


@law
def _death_us(
    battery_uj: int, o: int, t: int, p: int, r: int, c: int, start_us: int, end_us: int
) -> int:
    """Return the first time at which the drain has used up the battery."""
    low_us, high_us = start_us, end_us
    while high_us - low_us > 1:
        middle_us = (low_us + high_us) // 2
        if _drain(o, t, p, r, c, start_us, middle_us) >= battery_uj:
            high_us = middle_us
        else:
            low_us = middle_us
    return high_us


@part
def _live(
    state: Any,
    capacity_uj: int,
    end_us: int,
    own_uw: int,
    tail_uw: int,
    promotion_uw: int,
    radio_uw: int,
    cpu_uw: int,
    charger_uw: int,
) -> int:
    """Integrate constant powers from ``state.t_us`` to *end_us* or to death; return the time."""
    start_us = state.t_us
    own_fed, own, left_uw = _split(own_uw, charger_uw)
    tail_fed, tail, left_uw = _split(tail_uw, left_uw)
    promotion_fed, promotion, left_uw = _split(promotion_uw, left_uw)
    radio_fed, radio, left_uw = _split(radio_uw, left_uw)
    cpu_fed, cpu, left_uw = _split(cpu_uw, left_uw)
    drained = _drain(own, tail, promotion, radio, cpu, start_us, end_us)
    died = drained > 0 and drained >= state.battery_uj
    last_us = end_us
    residual = 0
    if died:
        # the last microsecond's share cannot be told apart: it goes to the phone's own life
        end_us = _death_us(state.battery_uj, own, tail, promotion, radio, cpu, start_us, end_us)
        last_us = end_us - 1
        residual = state.battery_uj - _drain(own, tail, promotion, radio, cpu, start_us, last_us)
    accepted = 0
    if charger_uw > 0:
        fed_own = between(own_fed, start_us, end_us)
        fed_tail = between(tail_fed, start_us, end_us)
        fed_promotion = between(promotion_fed, start_us, end_us)
        fed_radio = between(radio_fed, start_us, end_us)
        fed_cpu = between(cpu_fed, start_us, end_us)
        state.own_uj += fed_own
        state.tail_uj += fed_tail
        state.promotion_uj += fed_promotion
        state.radio_uj += fed_radio
        state.cpu_uj += fed_cpu
        accepted = fed_own + fed_tail + fed_promotion + fed_radio + fed_cpu
    state.own_uj += between(own, start_us, last_us) + residual
    state.tail_uj += between(tail, start_us, last_us)
    state.promotion_uj += between(promotion, start_us, last_us)
    state.radio_uj += between(radio, start_us, last_us)
    state.cpu_uj += between(cpu, start_us, last_us)
    if died:
        state.battery_uj = 0
        state.dead = True
        state.deaths += 1
        state.process_until_us = 0
        state.cell_end_us = -1
        state.wifi_end_us = -1
    else:
        # one of the two is 0: nothing is left of a charger that cannot feed the load
        gain = min(between(left_uw, start_us, end_us), capacity_uj - state.battery_uj)
        accepted += gain
        state.battery_uj += gain - drained
    state.accepted_uj += accepted
    state.t_us = end_us
    return end_us


@part
def _charge_dead(state: Any, boot_uj: int, end_us: int, charger_uw: int) -> None:
    """Charge an empty phone up to *end_us*, or until it starts again."""
    if charger_uw > 0:
        start_again_us = reached(charger_uw, state.t_us, boot_uj - state.battery_uj)
        if start_again_us <= end_us:
            end_us = start_again_us
            state.dead = False
        gain = min(between(charger_uw, state.t_us, end_us), boot_uj - state.battery_uj)
        state.battery_uj += gain
        state.accepted_uj += gain
    state.t_us = end_us


@part
def advance(
    world: World,
    phone: int,
    end_us: int,
    promotion_uw: int,
    radio_uw: int,
    cpu_uw: int,
    working: bool,
) -> int:
    """Bring the accounts of *phone* from ``state.t_us`` to *end_us*, its job's powers added.

    Returns the time reached: *end_us*, or that of death where the phone is *working*, so that its
    job can be ended. A phone that does not work goes on to *end_us*, dead or charged again.
    """
    state = world.state[phone]
    traits = world.traits[phone]
    while state.t_us < end_us:
        now_us = state.t_us
        presence, present_us = presence_at(world, phone, now_us)
        charger_uw, until_us = charger_at(world, phone, now_us)
        if presence == GONE:
            charger_uw = 0
        until_us = min(until_us, present_us, end_us)
        if state.dead:
            _charge_dead(state, traits.boot_uj, until_us, charger_uw)
            continue
        cell_uw, cell_us = tail_at(world.radios[traits.radio], state.cell_end_us, now_us)
        until_us = min(until_us, cell_us)
        tail_uw = cell_uw
        if traits.wifi >= 0:
            wifi_uw, wifi_us = tail_at(world.radios[traits.wifi], state.wifi_end_us, now_us)
            tail_uw, until_us = tail_uw + wifi_uw, min(until_us, wifi_us)
        own_uw = 0
        if presence == IN_USE:
            own_uw = traits.use_uw
        elif presence > OFF:
            own_uw = traits.idle_uw
        reached_us = _live(
            state,
            traits.capacity_uj,
            until_us,
            own_uw,
            tail_uw,
            promotion_uw,
            radio_uw,
            cpu_uw,
            charger_uw,
        )
        if state.dead and state.deaths == traits.last_death:
            state.given_up_us = reached_us
        if state.dead and working:
            return reached_us
    return end_us


@law
def _settle(world: World, low: int, high: int, t_us: int) -> None:
    for phone in range(low, high):
        advance(world, phone, t_us, 0, 0, 0, False)


@law
def settle_some(world: World, phones: IntArray, t_us: int) -> None:
    """Bring the accounts of *phones* to *t_us*; those that are further stay there."""
    for phone in phones:
        advance(world, phone, t_us, 0, 0, 0, False)


def settle(world: World, t_us: int, threads: int | None = None) -> None:
    """Bring the accounts of every phone to *t_us*; phones that are further stay there."""
    in_threads(lambda low, high: _settle(world, low, high, t_us), len(world.state), threads)
