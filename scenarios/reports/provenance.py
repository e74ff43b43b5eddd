"""Which parts of a run were made up, and have no data behind them."""

from collections.abc import Mapping
from typing import Any


def synthetic_parts(scenario: Mapping[str, Any]) -> list[str]:
    """Return what in a run of *scenario*, resolved, is synthetic; see docs/physics.md."""
    from droidloop.network.gaps import FITTED

    population = scenario["population"]
    parts = [] if scenario["data"]["path"] else ["interactions"]
    if population["ideal"]:
        return parts
    parts.append("people's days (off, idle, in use, at home)")
    if not population["charging_windows"]:
        parts.append("charging")
    fitted = population["regions"] and set(population["regions"]) <= set(FITTED)
    if population["map"] is not None:
        parts.append("the map and who moves on it")
    elif not fitted:
        parts.append("the gaps of regions")
    return parts
