"""Plans of faults: when each is on, and which phones it may hit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from droidloop.devices.phone.faults import FAULT_DTYPE, Ill
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws, uniform_at
from droidloop.platform.errors import ScenarioError
from droidloop.platform.units import DAY_US

AHEAD_US = 60 * DAY_US
"""How far ahead faults are drawn."""


@dataclass(frozen=True)
class FaultSpec:
    """One fault of a plan; see ``[[faults]]`` of a scenario for the units.

    Attributes:
        name: its kind, for the ledger.
        ill: what it does to phones.
        at_us: when it begins, each time; none: drawn.
        every_us: from an end to the next beginning in the mean, where it is drawn.
        lasts_us: how long it is on.
        share: of the phones below, drawn each time.
        phones: which it may hit; none: all.
        region: of these, those in it; None: all.
        up_us, down_us: off and on by turns while it lasts; 0: on all the time.
        amount_us: how much of it, where there is a measure.
        how: in which way, where there are several.
    """

    name: str
    ill: Ill
    at_us: tuple[int, ...] = ()
    every_us: int = 0
    lasts_us: int = 1
    share: float = 1.0
    phones: tuple[int, ...] = ()
    region: str | None = None
    up_us: int = 0
    down_us: int = 0
    amount_us: int = 0
    how: str = ""


def _no_entries() -> Any:
    return np.zeros(0, FAULT_DTYPE)


def _no_windows() -> Any:
    return np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class Plan:
    """All faults of a run: their *specs*, *entries* as laws read them, and *windows*.

    ``windows`` has start and end of each window, shape (windows, 2), those of an entry in order.
    """

    specs: Sequence[FaultSpec] = ()
    entries: Any = field(default_factory=_no_entries)
    windows: IntArray = field(default_factory=_no_windows)

    def of(self, k: int) -> IntArray:
        """Return the windows of entry *k*, shape (windows, 2)."""
        return self.windows[self.entries["low"][k] : self.entries["high"][k]]

    def on(self, name: str, t_us: int) -> list[int]:
        """Return the entries of the kind *name* that are on at *t_us*."""
        mine = [k for k, spec in enumerate(self.specs) if spec.name == name]
        return [k for k in mine if ((self.of(k)[:, 0] <= t_us) & (t_us < self.of(k)[:, 1])).any()]

    def hit(self, k: int, t_us: int, phones: Sequence[int]) -> list[int]:
        """Return those of *phones* that entry *k* hits in its window at *t_us*."""
        spec, first = self.specs[k], int(self.entries["low"][k])
        window = first + int(np.searchsorted(self.of(k)[:, 1], t_us, side="right"))
        some = [one for one in phones if not spec.phones or one in spec.phones]
        key, share = self.entries["key"][k], float(self.entries["share"][k])
        return [one for one in some if uniform_at(key, one, window) < share]

    def masks(self, regions: Sequence[str], region: IntArray) -> IntArray:
        """Return the entries that may hit each phone, as bits; *region* is by phone.

        Raises:
            ScenarioError: an entry names a phone or a region that there is not.
        """
        found = np.zeros(len(region), np.int64)
        for k, spec in enumerate(self.specs):
            mine = np.ones(len(region), np.bool_)
            if spec.phones:
                if max(spec.phones) >= len(region):
                    raise ScenarioError(
                        f"faults: there is no phone {max(spec.phones)}; choose from 0 to "
                        f"{len(region) - 1}"
                    )
                mine = np.isin(np.arange(len(region)), spec.phones)
            if spec.region is not None:
                if spec.region not in regions:
                    raise ScenarioError(
                        f"faults: region = {spec.region!r} is not in population.regions; "
                        f"choose from {', '.join(regions)}"
                    )
                mine &= region == list(regions).index(spec.region)
            found |= mine.astype(np.int64) << k
        return found


def plan_of(specs: Sequence[FaultSpec], draws: Draws) -> Plan:
    """Return the plan of *specs*; those of one do not depend on the others."""
    entries, parts, low = np.zeros(len(specs), FAULT_DTYPE), [_no_windows()], 0
    for k, spec in enumerate(specs):
        mine = draws.child(f"{spec.name}/{k}")
        windows = _windows(spec, mine)
        for name in ("ill", "share", "up_us", "down_us", "amount_us"):
            entries[name][k] = getattr(spec, name)
        entries["key"][k] = mine.child("phones").key
        entries["low"][k], entries["high"][k] = low, low + len(windows)
        low += len(windows)
        parts.append(windows)
    return Plan(tuple(specs), entries, np.concatenate(parts))


def _windows(spec: FaultSpec, draws: Draws) -> IntArray:
    """Return when the fault is on, from the first to the last."""
    if spec.at_us:
        starts = np.array(sorted(spec.at_us), np.int64)
        return np.stack([starts, starts + spec.lasts_us], axis=1)
    count = int(AHEAD_US // (spec.every_us + spec.lasts_us)) * 2 + 16
    gaps = 1 + draws.exponential(0, np.arange(count), spec.every_us).astype(np.int64)
    ends = np.cumsum(gaps + spec.lasts_us)
    windows = np.stack([ends - spec.lasts_us, ends], axis=1)
    return windows[windows[:, 0] < AHEAD_US]
