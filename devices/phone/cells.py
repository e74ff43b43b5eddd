"""Cells whose capacity phones share: who is in which one, and what a fair share is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws


@dataclass(frozen=True)
class CellSpec:
    """Cells of about *phones* phones; all cellular transfers of a cell share its rates."""

    phones: int
    down_mbps: float
    up_mbps: float


@dataclass(frozen=True)
class Cells:
    """The cell of each phone, where it stays, and what each cell carries in bytes per second."""

    of: IntArray
    down_rate: int
    up_rate: int


def assign(spec: CellSpec, phones: int, draws: Draws) -> Cells:
    """Return *phones* spread over as few cells as *spec* takes, by chance."""
    count = -(-phones // spec.phones)
    of = draws.integers(np.arange(phones), 0, count)
    return Cells(of, round(spec.down_mbps * 125_000), round(spec.up_mbps * 125_000))


def fair_shares(demands: Mapping[int, int], capacity: int) -> dict[int, int]:
    """Return the max-min fair rates of *demands* (rates that links could carry) in *capacity*.

    Who wants less than an equal share gets it; the others share the rest equally (Bertsekas and
    Gallager, Data Networks, 1992, 6.5.2). In whole bytes per second: the sum never passes
    *capacity*.
    """
    shares, left = {}, capacity
    for rank, (key, demand) in enumerate(sorted(demands.items(), key=lambda one: (one[1], one[0]))):
        shares[key] = min(demand, left // (len(demands) - rank))
        left -= shares[key]
    return shares
