"""What must hold for a job to start on a phone, and until it ends."""

from typing import Any

from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.law import law
from droidloop.platform.units import NEVER_US

from .charging import charger_at
from .presence import IDLE, IN_USE, OFF, home_at, presence_at
from .world import World

_REFUSED_POLICY = int(Outcome.REFUSED_POLICY)
_LOST_COVERAGE = int(Outcome.LOST_COVERAGE)
_UNPLUGGED = int(Outcome.INTERRUPTED_UNPLUGGED)
_TAKEN_UP = int(Outcome.INTERRUPTED_IN_USE)
_OFF_WIFI = int(Outcome.INTERRUPTED_WIFI)
_DELIVER = int(Kind.DELIVER)
_NEED_IDLE, _NEED_CHARGING, _NEED_UNMETERED, _NEED_DIRECT = 1, 2, 4, 8


@law
def needs_unmetered(row: Any) -> bool:
    """Return whether the job takes WiFi alone."""
    return bool((row.needs & _NEED_UNMETERED) != 0)


@law
def needs_direct(row: Any) -> bool:
    """Return whether the job moves its bytes between two phones that have met."""
    return bool((row.needs & _NEED_DIRECT) != 0)


@law
def hindered_at(world: World, row: Any, t_us: int) -> tuple[int, int]:
    """Return what keeps the job from running at *t_us* (0: nothing), and until when at least."""
    phone = row.phone
    presence, until_us = presence_at(world, phone, t_us)
    if presence <= OFF:
        return _LOST_COVERAGE, until_us
    if row.needs & _NEED_IDLE and presence != IDLE:
        return _REFUSED_POLICY, until_us
    if row.needs & _NEED_CHARGING:
        charger_uw, charge_until_us = charger_at(world, phone, t_us)
        if charger_uw == 0:
            return _REFUSED_POLICY, charge_until_us
        until_us = min(until_us, charge_until_us)
    if row.needs & _NEED_UNMETERED:
        home, home_until_us = home_at(world, phone, t_us)
        if not home or world.traits[phone].wifi < 0:
            return _REFUSED_POLICY, home_until_us
        until_us = min(until_us, home_until_us)
    return 0, until_us


@law
def interrupted_at(world: World, row: Any, t_us: int) -> tuple[int, int]:
    """Return which need of a running job does not hold at *t_us* (0: all do), until when at least.

    An outcome: the plug was pulled, somebody uses the phone, it left its WiFi.
    """
    phone, until_us = row.phone, NEVER_US
    if row.needs & _NEED_IDLE:
        presence, until_us = presence_at(world, phone, t_us)
        if presence == IN_USE:
            return _TAKEN_UP, until_us
    if row.needs & _NEED_CHARGING:
        charger_uw, charge_until_us = charger_at(world, phone, t_us)
        if charger_uw == 0:
            return _UNPLUGGED, charge_until_us
        until_us = min(until_us, charge_until_us)
    if row.needs & _NEED_UNMETERED:
        home, home_until_us = home_at(world, phone, t_us)
        if not home:
            return _OFF_WIFI, home_until_us
        until_us = min(until_us, home_until_us)
    return 0, until_us


@law
def transfer_interrupted_at(world: World, row: Any, t_us: int) -> tuple[int, int]:
    """Return what ends a transfer at *t_us* (0: nothing), and until when at least nothing does.

    Deliveries wait and go on, as a system's downloads do; their needs are those of the start.
    """
    if row.kind == _DELIVER or row.needs == 0:
        return 0, NEVER_US
    return interrupted_at(world, row, t_us)
