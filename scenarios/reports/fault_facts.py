"""What went wrong, when and for how long: from the ledger alone."""

from typing import Any

import numpy as np

from droidloop.platform.ledger import Rows, texts
from droidloop.platform.units import HOUR_US

Window = tuple[str, int, int]
"""The kind of a fault, and the times at which it began and ended."""


def windows_of(events: Rows, end_us: int) -> list[Window]:
    """Return the faults in *events*, by their begins; those that had no end last until *end_us*."""
    rows = events[events["kind"] == b"fault"]
    rows = rows[np.lexsort((rows["value"], rows["t_us"]))]  # of one instant the ends first
    begun: dict[int, tuple[str, int]] = {}
    found: list[Window] = []
    for entry, name, on, t_us in zip(
        rows["round"].tolist(),
        texts(rows["name"]),
        rows["value"].tolist(),
        rows["t_us"].tolist(),
        strict=True,
    ):
        if on:
            begun[entry] = name, t_us
        else:
            found.append((*begun.pop(entry), t_us))
    found += [(name, since_us, max(end_us, since_us)) for name, since_us in begun.values()]
    return sorted(found, key=lambda one: (one[1], one[0], one[2]))


def faults_of(events: Rows, end_us: int) -> dict[str, dict[str, Any]] | None:
    """Return how often each kind of fault was on and for how many hours; None: nothing was."""
    found: dict[str, dict[str, Any]] = {}
    for name, since_us, until_us in windows_of(events, end_us):
        one = found.setdefault(name, {"times": 0, "hours": 0.0})
        one["times"] += 1
        one["hours"] += (until_us - since_us) / HOUR_US
    return dict(sorted(found.items())) or None


def fault_lines(answer: dict[str, Any]) -> list[str]:
    """Return them in words, as far as the summary *answer* has them."""
    if (faults := answer.get("faults")) is None:
        return []
    words = (f"{name} {one['times']} times, {one['hours']:.3g} h" for name, one in faults.items())
    return [f"faults: {'; '.join(words)}"]
