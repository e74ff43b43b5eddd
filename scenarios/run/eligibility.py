"""How many phones a scenario could ask at each hour of the day, by its own policy."""

import numpy as np

from droidloop.platform.arrays import FloatArray
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Need
from droidloop.platform.units import DAY_US, HOUR_US
from droidloop.scenarios.runtime.context import PROCESS_BYTES
from droidloop.scenarios.runtime.selection import select
from droidloop.scenarios.schema.schema import Scenario

from .people import people

DAYS = 7
_BAR = 40


def eligible_shares(scenario: Scenario) -> FloatArray:
    """Return the share of phones that can be asked, half past each hour, (days, 24).

    Hours are those since the run's start, on phones that nobody has asked for anything so far: what
    the jobs themselves take comes on top.
    """
    world = people(
        scenario.data, scenario.population, scenario.seed, scenario.churn, scenario.faults
    ).population.world
    draws = Draws(scenario.seed, "eligibility")
    counts = [
        len(
            select(
                world,
                hour * HOUR_US + HOUR_US // 2,
                draws,
                hour,
                clients=None,
                needs=scenario.protocol.needs,
                ram_bytes=PROCESS_BYTES,
                min_battery=scenario.protocol.min_battery,
            )
        )
        for hour in range(DAYS * DAY_US // HOUR_US)
    ]
    return np.reshape(counts, (DAYS, 24)) / len(world.traits)


def eligibility_lines(scenario: Scenario) -> list[str]:
    """Return the shares by local hour of the day, as lines for people: mean, least and most."""
    shares = eligible_shares(scenario)
    needs = scenario.protocol.needs
    words = [str(need.name).lower() for need in Need if needs & need] or ["on and covered"]
    start = scenario.population.start_hour
    lines = [
        f"{scenario.name}: phones that can be asked ({', '.join(words)}, battery from "
        f"{scenario.protocol.min_battery:.0%}), half past each hour, {DAYS} days",
        "local time   mean  least   most",
    ]
    for hour in np.argsort((np.arange(24) + start) % 24, kind="stable"):
        mine = shares[:, hour]
        minutes = round((hour + start) % 24 * 60) + 30
        lines.append(
            f"{minutes // 60 % 24:7}:{minutes % 60:02} {mine.mean():6.1%} {mine.min():6.1%} "
            f"{mine.max():6.1%}  {'#' * round(_BAR * mine.mean())}".rstrip()
        )
    return lines
