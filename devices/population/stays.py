"""When phones are there: stays, each from a coming to a going, and how a phone goes.

Drawn from rates, read from a file, and changed by what a scenario has happen at a certain time.
What a law asks of them are the times of the present stay, in a phone's traits; the later ones
become traits when they begin.
"""

import csv
import io
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError, ScenarioError
from droidloop.platform.reading import bounded
from droidloop.platform.section import FOREVER_DAYS
from droidloop.platform.units import DAY_US, HOUR_US, NEVER_US

from .day_rates import DayRates

AHEAD_US = 60 * DAY_US
"""How far ahead stays are drawn from rates: a phone that is there then stays."""
MAX_FILE_BYTES = 1 << 28
_PURPOSES = 8
"""Counters of the draws of one stay."""
_COLUMNS = ("phone", "from_h", "until_h", "how", "profile")


class Going(IntEnum):
    """How a phone goes: without a word, having said so, or with the wish to be forgotten."""

    SILENT = 0
    ANNOUNCED = 1
    FORGET = 2


STAY_DTYPE = np.dtype(
    [
        ("phone", np.int64),
        ("join_us", np.int64),
        ("leave_us", np.int64),  # NEVER_US: it stays
        ("told_us", np.int64),  # when it says that it will go; NEVER_US: it does not
        ("going", np.int8),  # a ``Going``
        ("profile", np.int16),  # of the phone that comes; -1: the one that went
    ]
)
Stays = np.ndarray[Any, np.dtype[np.void]]
"""Of ``STAY_DTYPE``, by phone and time; those of a phone do not touch."""


@dataclass(frozen=True)
class Departure:
    """Phones that go at a time, whatever else was to come for them.

    Attributes:
        leave_us: when; nothing happens to a phone that is not there then.
        phones: which; if none is named, that *share* of all, drawn.
        share: see *phones*.
        going: how.
        return_us: when they come back; NEVER_US: they do not.
        profile: the class of the phones that come back; None: the same phones.
    """

    leave_us: int
    phones: tuple[int, ...] = ()
    share: float = 0.0
    going: Going = Going.SILENT
    return_us: int = NEVER_US
    profile: str | None = None


@dataclass(frozen=True)
class ChurnSpec:
    """Who comes, goes, and comes back; see ``[churn]`` of a scenario for the units.

    Attributes:
        arrivals_days: phones come evenly over so many days.
        lifetime_days: the mean of a stay; None: to the end.
        announced_share: of those that go, who say so.
        forget_share: of those that go, who ask to be forgotten.
        return_share: of the others, who come back.
        absence_days: the mean of the time until then.
        replaced_share: of those that come back, who do so with a phone of another class.
        notice_us: how long before a phone says that it will go.
        file: stays of some phones, instead of those from rates.
        empty_share: of deaths of a battery, those after which the phone is gone for good.
        departures: what happens besides.
        leaving: in which hours of a day phones go.
        coming: in which they come, and come back.
    """

    arrivals_days: float = 0.0
    lifetime_days: float | None = None
    announced_share: float = 0.0
    forget_share: float = 0.0
    return_share: float = 0.0
    absence_days: float = 1.0
    replaced_share: float = 0.0
    notice_us: int = HOUR_US
    file: Path | None = None
    empty_share: float = 0.0
    departures: tuple[Departure, ...] = field(default=())
    leaving: DayRates = field(default_factory=DayRates)
    coming: DayRates = field(default_factory=DayRates)


def stays_of(spec: ChurnSpec, phones: int, profiles: dict[str, float], draws: Draws) -> Stays:
    """Return the stays of *phones*; those of a phone do not depend on how many there are.

    *profiles* are the classes that a replacing phone can be of, with their weights.

    Raises:
        DataError: the file cannot be read, or what it says makes no sense.
        ScenarioError: a departure is of a phone or a class that does not exist.
    """
    if spec.file is None:
        stays = _from_rates(spec, phones, profiles, draws)
    else:
        stays = _from_file(spec.file, phones, list(profiles))
    for number, one in enumerate(spec.departures):
        stays = _departed(stays, one, phones, list(profiles), draws.child(f"departure/{number}"))
    told = stays["going"] != Going.SILENT
    stays["told_us"] = NEVER_US
    earliest = np.maximum(stays["leave_us"] - spec.notice_us, stays["join_us"])
    stays["told_us"][told] = earliest[told]
    return stays[np.lexsort((stays["join_us"], stays["phone"]))]


def last_deaths(share: float, phones: int, draws: Draws) -> IntArray:
    """Return after which death of its battery each of *phones* is gone for good; 0: after none.

    Each death is the last one by the chance *share*, so the number follows a geometric law.
    """
    if not share:
        return np.zeros(phones, np.int64)
    chance = draws.uniform(np.arange(phones), 0)
    with np.errstate(divide="ignore"):  # of a share of 1, the first death is
        number = 1 + np.floor(np.log1p(-chance) / np.log1p(-share))
    most = np.iinfo(np.int32).max
    return np.where(number < most, number, 0).astype(np.int64)


def first_of(stays: Stays) -> IntArray:
    """Return the row of the first stay of each phone; every phone has one."""
    return np.flatnonzero(np.diff(stays["phone"], prepend=-1))


def _made(phones: IntArray, join_us: Any, leave_us: Any = NEVER_US, profile: Any = -1) -> Stays:
    stays = np.zeros(len(phones), STAY_DTYPE)
    stays["phone"], stays["join_us"], stays["leave_us"] = phones, join_us, leave_us
    stays["profile"] = profile
    return stays


def _from_rates(spec: ChurnSpec, phones: int, profiles: dict[str, float], draws: Draws) -> Stays:
    present = np.arange(phones)
    join_us = np.zeros(phones, np.int64)
    if spec.arrivals_days:
        evenly_us = (draws.uniform(present, 9) * spec.arrivals_days * DAY_US).astype(np.int64)
        join_us = spec.coming.after(join_us, evenly_us)
    parts, number = [_made(present, join_us)], 0
    while spec.lifetime_days is not None and len(present):
        stays, first = parts[-1], 16 + number * _PURPOSES
        lifetime = draws.exponential(
            present, 10 if number == 0 else first, spec.lifetime_days * DAY_US
        )
        stays["leave_us"] = spec.leaving.after(stays["join_us"], 1 + lifetime.astype(np.int64))
        chance = draws.uniform(present, first + 1)
        stays["going"][chance < spec.forget_share + spec.announced_share] = Going.ANNOUNCED
        stays["going"][chance < spec.forget_share] = Going.FORGET
        back = draws.uniform(present, first + 2) < spec.return_share
        away = draws.exponential(present, first + 3, spec.absence_days * DAY_US).astype(np.int64)
        again_us = spec.coming.after(stays["leave_us"], 1 + away)
        back &= (stays["going"] != Going.FORGET) & (again_us < AHEAD_US)
        present, again_us = present[back], again_us[back]
        edges = np.cumsum(list(profiles.values()))
        classes = np.searchsorted(
            edges / edges[-1], draws.uniform(present, first + 4), side="right"
        )
        replaced = draws.uniform(present, first + 5) < spec.replaced_share
        parts.append(_made(present, again_us, profile=np.where(replaced, classes, -1)))
        number += 1
    return np.concatenate(parts)


def _departed(
    stays: Stays, one: Departure, phones: int, profiles: list[str], draws: Draws
) -> Stays:
    """Return *stays* after the departure *one*: what was to come for its phones does not."""
    if one.phones and max(one.phones) >= phones:
        raise ScenarioError(
            f"churn.events: there is no phone {max(one.phones)}; choose from 0 to {phones - 1}"
        )
    if one.profile is not None and one.profile not in profiles:
        raise ScenarioError(
            f"churn.events: profile = {one.profile!r} is not in population.profiles; "
            f"choose from {', '.join(profiles)}, or name it there (0 is a weight, too)"
        )
    named = np.array(sorted(set(one.phones)), np.int64)
    everybody = np.arange(phones)
    if not one.phones:
        named = draws.choose(everybody, round(one.share * phones), 0)
    present = (stays["join_us"] <= one.leave_us) & (stays["leave_us"] > one.leave_us)
    gone = stays["phone"][present & np.isin(stays["phone"], named)]
    stays = stays[~(np.isin(stays["phone"], gone) & (stays["join_us"] > one.leave_us))]
    going = np.isin(stays["phone"], gone) & (stays["leave_us"] > one.leave_us)
    stays["leave_us"][going], stays["going"][going] = one.leave_us, one.going
    if one.return_us == NEVER_US:
        return stays
    profile = -1 if one.profile is None else profiles.index(one.profile)
    return np.concatenate([stays, _made(stays["phone"][going], one.return_us, profile=profile)])


def _from_file(path: Path, phones: int, profiles: list[str]) -> Stays:
    """Return the stays that a CSV file lists, and one to the end of each phone that it leaves out.

    Columns: phone, from_h, until_h (may be empty: to the end), how, profile (both may be missing).
    """
    try:
        text = bounded(path, MAX_FILE_BYTES).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); churn.file is a CSV file") from error
    if not rows or not set(_COLUMNS[:3]) <= rows[0].keys():
        raise DataError(f"{path}: needs the columns {', '.join(_COLUMNS[:3])}, and a row")
    stays = np.concatenate([_row(path, k, row, phones, profiles) for k, row in enumerate(rows, 2)])
    stays = stays[np.lexsort((stays["join_us"], stays["phone"]))]
    same = stays["phone"][1:] == stays["phone"][:-1]
    if (same & (stays["join_us"][1:] <= stays["leave_us"][:-1])).any():
        phone = stays["phone"][1:][same & (stays["join_us"][1:] <= stays["leave_us"][:-1])][0]
        raise DataError(f"{path}: phone {phone} comes back before it has gone; mend its rows")
    others = np.setdiff1d(np.arange(phones), stays["phone"])
    return np.concatenate([stays, _made(others, 0)])


def _row(path: Path, line: int, row: dict[str, str], phones: int, profiles: list[str]) -> Stays:
    place = f"{path}: line {line}"
    try:
        phone, join_h = int(row["phone"]), float(row["from_h"])
        leave_h = float(row["until_h"] or "inf")
    except (TypeError, ValueError) as error:
        raise DataError(f"{place}: {error}; phone is a row number, times are hours") from error
    most_h = FOREVER_DAYS * 24
    stays = leave_h <= most_h or leave_h == float("inf")
    if not (0 <= phone < phones and 0 <= join_h < leave_h and join_h < most_h and stays):
        raise DataError(
            f"{place}: phone = {phone}, from_h = {join_h:g}, until_h = {leave_h:g}; phones are "
            f"0 to {phones - 1}, and a stay begins before it ends, within {most_h:g} hours"
        )
    how, profile = row.get("how") or "silent", row.get("profile") or ""
    if how.upper() not in Going.__members__:
        known = ", ".join(name.lower() for name in Going.__members__)
        raise DataError(f"{place}: how = {how!r}; choose from {known}")
    if profile and profile not in profiles:
        raise DataError(f"{place}: profile = {profile!r}; choose from {', '.join(profiles)}")
    leave_us = NEVER_US if leave_h == float("inf") else round(leave_h * HOUR_US)
    number = profiles.index(profile) if profile else -1
    stay = _made(np.array([phone]), round(join_h * HOUR_US), leave_us, number)
    stay["going"] = Going[how.upper()]
    return stay
