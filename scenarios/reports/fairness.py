"""Who is worse off, and who does the work: quality by group, and how evenly learning is shared."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.intervals import interval
from droidloop.platform.jobs import ENERGY_PARTS, LEARNING
from droidloop.platform.ledger import Rows, texts

from .measured import Measured

BUSIEST = 0.3
"""Of all phones, those that have spent most on learning."""
FEWEST = 10
"""Users of a group that is compared: the mean of fewer says little."""
ACTIVITY = ("few events", "some events", "many events")
"""Thirds of the users by how many events they have in training."""


@dataclass(frozen=True)
class Gap:
    """The largest difference of a metric between two groups of users, from the better one.

    ``half_width`` is half of its 95 % interval, of two groups that were chosen for being apart: it
    is too narrow where there are many groups.
    """

    by: str
    better: str
    worse: str
    value: float
    half_width: float


def gaps(metrics: Rows, devices: Rows, measured: Measured) -> list[Gap]:
    """Return the largest gaps among classes, regions and thirds by activity, where there are any.

    Of the trained model on the test part. A run that says nothing of its users' events has no gap
    by activity.
    """
    mine = (metrics["model"] == b"trained") & (metrics["part"] == b"test") & (metrics["phone"] >= 0)
    mine &= metrics["name"] == measured.name.encode()
    rows = metrics[mine & (metrics["ranking"] == measured.ranking.encode())]
    place = np.searchsorted(devices["phone"], rows["phone"])
    groups = {name: np.array(texts(devices[column])) for name, column in _COLUMNS.items()}
    if devices["events"].any():
        groups["activity"] = np.array(ACTIVITY)[_thirds(devices["events"], devices["phone"])]
    found = [
        _gap(by, names[place], rows["value"], measured.sign)
        for by, names in groups.items()
        if len(rows)
    ]
    return [one for one in found if one is not None]


_COLUMNS = {"class": "profile", "region": "region"}


def _thirds(events: IntArray, phones: IntArray) -> IntArray:
    """Return 0, 1 or 2 for each phone: a third of all, those with the fewest events first."""
    order = np.lexsort((phones, events))
    out = np.empty(len(events), np.int64)
    out[order] = np.arange(len(events)) * 3 // max(len(events), 1)
    return out


def _gap(by: str, names: Any, values: FloatArray, sign: int) -> Gap | None:
    found = {}
    for name in np.unique(names).tolist():
        mine = values[names == name]
        if len(mine) >= FEWEST:
            found[name] = interval(mine)
    if len(found) < 2:
        return None
    better = max(found, key=lambda name: sign * found[name][0])
    worse = min(found, key=lambda name: sign * found[name][0])
    half = float(np.hypot(found[better][1], found[worse][1]))
    return Gap(by, better, worse, sign * (found[better][0] - found[worse][0]), half)


def busiest_share(jobs: Rows, phones: int) -> float | None:
    """Return the share of the energy of all learning that the busiest phones have spent.

    ``BUSIEST`` of all *phones*; as much as that where all work alike. None: nobody has worked.
    """
    mine = jobs[np.isin(jobs["kind"], list(LEARNING))]
    spent = np.zeros(phones, np.int64)
    parts = [name for name in ENERGY_PARTS if name != "own_uj"]
    np.add.at(spent, mine["phone"], sum(mine[name] for name in parts))
    total = int(spent.sum())
    if not total:
        return None
    many = max(1, round(BUSIEST * phones))
    return int(np.sort(spent)[-many:].sum()) / total


def fairness_of(jobs: Rows, found: list[Gap], phones: int) -> dict[str, float]:
    """Return gaps and the share of the busiest as numbers, by name."""
    numbers = {f"{one.by}_gap": one.value for one in found}
    share = busiest_share(jobs, phones)
    return numbers if share is None else numbers | {"busiest_30_work": share}


def fairness_lines(answer: dict[str, Any]) -> Iterator[str]:
    """Yield what a summary says of fairness, as text."""
    label = answer["metrics"][0].label
    for one in answer["worst_off"]:
        yield (
            f"largest gap in {label} by {one.by}: {one.value:.3f} ± {one.half_width:.3f}, "
            f"{one.better} above {one.worse}"
        )
    share = answer["fairness"].get("busiest_30_work")
    if share is not None:
        yield f"the busiest {BUSIEST:.0%} of the phones did {share:.0%} of the work of learning"
