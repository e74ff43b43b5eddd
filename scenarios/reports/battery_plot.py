"""The batteries of some phones over days, as a picture: the physics alone, without a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.phone.battery import advance
from droidloop.devices.phone.charging import charger_at
from droidloop.devices.phone.presence import OFF, presence_at
from droidloop.devices.phone.voltage import voltage_mv
from droidloop.devices.population.population import Population
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US

from .canvas import blank, save

_CHARGER, _OFF = "#55a868", "#8c8c8c"


def draw_batteries(path: Path, population: Population, *, days: int = 2) -> None:
    """Draw the charge of each phone over *days*, as it is when no work is asked of it.

    The right axis says which voltage a level shows. The population itself stays as it is.
    """
    phones = len(population)
    times_us = np.arange(0, days * DAY_US + 1, 5 * MINUTE_US)
    figure = blank(1.0 * phones + 1.2)
    axes = figure.subplots(phones, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    figure.suptitle(
        f"batteries of {phones} phones over {days} days, without work (synthetic habits)",
        fontsize=12,
    )
    for phone, axis in enumerate(axes):
        end_us = int(times_us[-1])
        _bands(axis, charging_windows_us(population, phone, end_us), _CHARGER, 0.35)
        _bands(axis, off_windows_us(population, phone, end_us), _OFF, 0.3)
        axis.plot(times_us / HOUR_US, levels(population, phone, times_us), color="#4c72b0")
        traits = population.traits[phone]
        profile, region = population.profiles[traits["profile"]], traits["region"]
        title = f"phone {phone}: {profile}, {population.regions[region]}"
        axis.set_title(title, fontsize=8, loc="left", pad=2)
        axis.set_ylim(0, 110)
        axis.set_yticks([0, 50, 100])
        axis.grid(alpha=0.3)
        _volts(axis)
    axes[0].plot([], [], color="#4c72b0", label="charge, % of what the battery holds")
    axes[0].fill_between([], [], color=_CHARGER, alpha=0.35, linewidth=0, label="on its charger")
    axes[0].fill_between([], [], color=_OFF, alpha=0.3, linewidth=0, label="switched off")
    axes[0].legend(fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    axes[-1].set(xlabel="hours since the start (local midnight)", xlim=(0, 24 * days))
    axes[-1].set_xticks(range(0, 24 * days + 1, 6))
    figure.supylabel("% charged", fontsize=9)
    save(figure, path)


def _bands(axis: Any, windows_us: list[tuple[int, int]], colour: str, alpha: float) -> None:
    spans = [(start / HOUR_US, (end - start) / HOUR_US) for start, end in windows_us]
    axis.broken_barh(spans, (0, 110), color=colour, alpha=alpha, linewidth=0)


def _volts(axis: Any) -> None:
    """Write on the right which voltage batteries show at the levels that are ticked on the left."""
    right = axis.twinx()
    right.set_ylim(*axis.get_ylim())
    shown = [f"{mv / 1000:.2f} V" for mv in voltage_mv(np.array([0, 50, 100]), 100)]
    right.set_yticks([0, 50, 100], shown, fontsize=8, color="dimgrey")


def levels(population: Population, phone: int, times_us: IntArray) -> FloatArray:
    """Return how full the battery of *phone* is at each of *times_us*, in percent."""
    world = population.world._replace(state=population.state.copy())
    capacity_uj = population.traits[phone]["capacity_uj"]
    percent = np.zeros(len(times_us))
    for place, t_us in enumerate(times_us):
        advance(world, phone, int(t_us), 0, 0, 0, False)
        percent[place] = 100 * world.state[phone]["battery_uj"] / capacity_uj
    return percent


def charging_windows_us(population: Population, phone: int, end_us: int) -> list[tuple[int, int]]:
    """Return when *phone* is on its charger from 0 to *end_us*: starts and ends."""

    def charging(t_us: int) -> tuple[bool, int]:
        power_uw, until_us = charger_at(population.world, phone, t_us)
        return power_uw > 0, until_us

    return _windows_us(charging, end_us)


def off_windows_us(population: Population, phone: int, end_us: int) -> list[tuple[int, int]]:
    """Return when *phone* is switched off, or gone, from 0 to *end_us*: starts and ends."""

    def off(t_us: int) -> tuple[bool, int]:
        presence, until_us = presence_at(population.world, phone, t_us)
        return presence <= OFF, until_us

    return _windows_us(off, end_us)


def _windows_us(holds: Callable[[int], tuple[bool, int]], end_us: int) -> list[tuple[int, int]]:
    """Return from when until when *holds* (asked: does it, and until when) is true."""
    windows: list[tuple[int, int]] = []
    t_us = 0
    while t_us < end_us:
        true, until_us = holds(t_us)
        until_us = min(until_us, end_us)
        if true and windows and windows[-1][1] == t_us:
            windows[-1] = (windows[-1][0], until_us)
        elif true:
            windows.append((t_us, until_us))
        t_us = until_us
    return windows
