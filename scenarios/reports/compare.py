"""Runs side by side: what each way of learning gave, and what it cost, over seeds.

Runs whose scenarios differ in nothing but the seed are one row, with a 95 % confidence interval
of the mean (Student's t): of a metric over users, of a cost over runs. A user of data that were
read is one value, the mean over the seeds; made up users of two seeds are two. All of it is
computed from the ledgers of the runs.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.errors import UsageError
from droidloop.platform.intervals import interval
from droidloop.platform.jobs import LEARNING
from droidloop.platform.ledger import Rows, read, texts
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import HOUR_US, joules

from .measured import Measured, metrics_of
from .varied import keys_of, labels_of

_WORK = ("promotion_uj", "radio_uj", "tail_uj", "cpu_uj")
COSTS = {"round": "best round", "hours": "hours", "mb": "MB a phone", "joules": "J a phone"}
"""What learning had cost by the best round, and how tables call it."""
_OLDER = "hit_rate"

User = str | int
"""A name in the data that were read, or the number of a phone."""


@dataclass(frozen=True)
class Course:
    """How a run's quality on the validation items rose, and what had been spent by then.

    One entry a validation: values by metric, NaN where there is none; the round, hours of virtual
    time, and bytes (megabytes) and energy (joules) of learning, a phone in the mean.
    """

    quality: dict[str, FloatArray]
    round: FloatArray
    hours: FloatArray
    mb: FloatArray
    joules: FloatArray


@dataclass(frozen=True)
class Result:
    """One run: figures of the best round for all phones and by class, and the way there.

    ``by_user`` has for each metric the value of each user on the test part, ``profiles`` the class
    of each user's phone. A user has the name of the data, or the number of the phone.
    """

    seed: int
    overall: dict[str, float]
    classes: dict[str, dict[str, float]]
    course: Course
    by_user: dict[str, dict[User, float]]
    profiles: dict[User, str]

    def values(self, figure: str, users: str = "all") -> dict[User, float]:
        """Return the value of each user on phones of that class; nothing where none has one."""
        every = self.by_user.get(figure, {})
        return {u: v for u, v in every.items() if users in ("all", self.profiles.get(u))}


@dataclass(frozen=True)
class Group:
    """The runs of one scenario, seeds apart; the metric that chose rounds is the first."""

    label: str
    scenario: dict[str, Any]
    metrics: list[Measured]
    results: list[Result]

    def interval(self, figure: str, users: str = "all") -> tuple[float, float]:
        """Return the mean of *figure* and half the width of its interval; NaN where none has it.

        Of all phones, or of the class *users*.
        """
        return interval(self.values(figure, users))

    def values(self, figure: str, users: str = "all") -> list[float]:
        """Return what that interval is of: a value each user, or each run where users have none."""
        if each := pooled((one.seed, one.values(figure, users)) for one in self.results):
            return each
        found = [
            (one.overall if users == "all" else one.classes.get(users, {})).get(figure, np.nan)
            for one in self.results
        ]
        return [value for value in found if not np.isnan(value)]


def pooled(runs: Iterable[tuple[int, Mapping[User, float]]]) -> list[float]:
    """Return the mean over *runs*, seed and values, of each user; see the head of this file."""
    found: dict[User | tuple[int, User], list[float]] = {}
    for seed, values in runs:
        for user, value in values.items():
            found.setdefault(user if isinstance(user, str) else (seed, user), []).append(value)
    return [sum(values) / len(values) for values in found.values()]


def groups_of(folders: Sequence[Path], called: Mapping[Path, str] | None = None) -> list[Group]:
    """Return the runs in *folders* by scenario, in the order in which they are given.

    *called* are labels of folders that have one; the others are told by what differs.

    Raises:
        UsageError: a run is not complete, or is given twice.
    """
    scenarios: dict[str, dict[str, Any]] = {}
    metrics: dict[str, list[Measured]] = {}
    results: dict[str, list[Result]] = {}
    names: dict[str, str] = {}
    for run in map(RunDirectory.open_whole, folders):
        with run.understood():
            key = _sort_in(run, scenarios, metrics, results)
        names[key] = (called or {}).get(run.path, "")
    labels = [
        names[key] or label
        for key, label in zip(scenarios, labels_of(list(scenarios.values())), strict=True)
    ]
    return [
        Group(label, scenarios[key], metrics[key], results[key])
        for label, key in zip(labels, scenarios, strict=True)
    ]


def _sort_in(
    run: RunDirectory,
    scenarios: dict[str, dict[str, Any]],
    metrics: dict[str, list[Measured]],
    results: dict[str, list[Result]],
) -> str:
    """Put *run* among the *results* of its scenario; return its keys in one text, which sort it."""
    manifest = run.manifest()
    scenario = {name: v for name, v in manifest["scenario"].items() if name != "seed"}
    key = json.dumps([one for one in keys_of(scenario) if one[1] is not None], sort_keys=True)
    scenarios[key] = scenario
    metrics.setdefault(key, metrics_of(manifest))
    if any(one.seed == manifest["seed"] for one in results.setdefault(key, [])):
        raise UsageError(f"{run.path}: seed {manifest['seed']} of this scenario is given twice")
    results[key].append(result_of(run, manifest))
    return key


def result_of(run: RunDirectory, manifest: dict[str, Any]) -> Result:
    """Return what the ledger of *run* says.

    Raises:
        UsageError: it has no validation.
    """
    jobs, metrics, devices, events = (
        read(run.path, name) for name in ("jobs", "metrics", "devices", "events")
    )
    taught = jobs[np.isin(jobs["kind"], list(LEARNING))]
    measured = metrics_of(manifest)
    course = course_of(taught, events, len(devices), measured)
    quality = measured[0].sign * course.quality[measured[0].name]
    if np.isnan(quality).all():
        raise UsageError(f"{run.path}: no round of it was validated; leave it out")
    best = int(np.nanargmax(quality))
    when = {"round": course.round[best] + 1, "hours": course.hours[best]}
    spent = taught[taught["finish_us"] <= round(course.hours[best] * HOUR_US)]
    test = metrics[(metrics["model"] == b"trained") & (metrics["part"] == b"test")]
    values = {
        one.name: test[
            (test["name"] == one.name.encode()) & (test["ranking"] == one.ranking.encode())
        ]
        for one in measured
    }
    users = {"": devices["phone"]} | {
        name: devices["phone"][devices["profile"] == name.encode()]
        for name in texts(np.unique(devices["profile"]))
    }
    figures = {
        name: {one: _mean(rows, name, phones) for one, rows in values.items()}
        | _costs(spent, phones)
        | when
        for name, phones in users.items()
    }
    names = {
        phone: user or phone
        for phone, user in zip(devices["phone"].tolist(), texts(devices["user"]), strict=True)
    }
    by_user: dict[str, dict[User, float]] = {
        one.name: {
            names[phone]: value for phone, value in values[one.name][["phone", "value"]].tolist()
        }
        for one in measured
        if not one.whole
    }
    profiles = dict(zip(names.values(), texts(devices["profile"]), strict=True))
    return Result(manifest["seed"], figures.pop(""), figures, course, by_user, profiles)


def course_of(jobs: Rows, events: Rows, phones: int, metrics: Sequence[Measured]) -> Course:
    """Return the course of a run with these learning *jobs*, validation *events* and *metrics*."""
    valid = events[events["kind"] == b"valid"]
    moments, place = np.unique(valid[["t_us", "round"]], return_inverse=True)
    names = np.array([name.removesuffix("_ppm") for name in texts(valid["name"])], object)
    names[names == _OLDER] = metrics[0].name
    quality = {one.name: np.full(len(moments), np.nan) for one in metrics}
    for name, values in quality.items():
        values[place[names == name]] = valid["value"][names == name] / 1e6
    order = np.argsort(jobs["finish_us"], kind="stable")
    moved = np.cumsum((jobs["downloaded_bytes"] + jobs["uploaded_bytes"])[order])
    energy = np.cumsum(_work_uj(jobs)[order])
    until = np.searchsorted(jobs["finish_us"][order], moments["t_us"], side="right")
    return Course(
        quality=quality,
        round=moments["round"].astype(np.float64),
        hours=moments["t_us"] / HOUR_US,
        mb=_at(moved, until) / 1e6 / phones,
        joules=joules(1) * _at(energy, until) / phones,
    )


def _at(sums: Any, until: Any) -> FloatArray:
    """Return the first ``until`` values' sum for each entry, from cumulative *sums*."""
    return np.asarray(np.concatenate([[0.0], sums])[until], np.float64)


def _costs(spent: Rows, phones: IntArray) -> dict[str, float]:
    work, count = spent[np.isin(spent["phone"], phones)], max(len(phones), 1)
    moved = int(work["downloaded_bytes"].sum() + work["uploaded_bytes"].sum())
    return {"mb": moved / 1e6 / count, "joules": joules(int(_work_uj(work).sum())) / count}


def _work_uj(jobs: Rows) -> IntArray:
    """Return the energy of each of *jobs* without the phone's own life."""
    return np.asarray(np.sum([jobs[name] for name in _WORK], axis=0), np.int64)


def _mean(rows: Rows, users: str, phones: IntArray) -> float:
    """Return the mean over *phones*, or the value of them together; NaN where there is none."""
    together = rows["phone"] < 0
    mine = np.where(together, rows["users"] == users.encode(), np.isin(rows["phone"], phones))
    return float(rows["value"][mine].mean()) if mine.any() else float("nan")
