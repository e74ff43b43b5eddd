"""What a map covers: a share of places, and the share of time that follows from its phones."""

import numpy as np

from droidloop.network.map import OPTUS, area_share, build_map, time_share
from droidloop.network.movement import Map
from droidloop.platform.draws import Draws
from droidloop.platform.units import DAY_US

PHONES = 300
DAYS = 7


def optus_lines(seed: int = 1) -> list[str]:
    """Return both shares of the Optus preset in words, for all and for its remote part."""
    world = build_map(OPTUS, PHONES, Draws(seed, "coverage"))
    everybody = np.arange(PHONES)
    remote = np.flatnonzero(world.movers["remote"])
    end_us = DAYS * DAY_US
    lines = [
        f"map optus: {area_share(world):.1%} of places are covered, "
        f"{area_share(world, remote=True):.1%} of the remote ones",
        f"{PHONES} phones on it are covered for {time_share(world, everybody, 0, end_us):.1%} of "
        f"{DAYS} days",
    ]
    if len(remote):
        share = time_share(world, remote, 0, end_us)
        lines.append(f"the {len(remote)} of them who live in remote parts: {share:.1%}")
    return lines


def shares_ppm(world: Map, end_us: int) -> dict[str, int]:
    """Return what a run's map covers of places and of its phones' time up to *end_us*, in 1e-6.

    Of all, and of what is remote: places, and the time of the phones that live there. Empty where
    there is no map.
    """
    if not len(world.movers) or end_us <= 0:
        return {}
    everybody, remote = np.arange(len(world.movers)), np.flatnonzero(world.movers["remote"])
    shares = {
        "places_ppm": area_share(world),
        "remote_places_ppm": area_share(world, remote=True),
        "time_ppm": time_share(world, everybody, 0, end_us),
    }
    if len(remote):
        shares["remote_time_ppm"] = time_share(world, remote, 0, end_us)
    return {name: round(1e6 * share) for name, share in shares.items()}
