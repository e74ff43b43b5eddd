"""Runs side by side: what each way of learning gave, and what it cost, over seeds.

Runs whose scenarios differ in nothing but the seed are one row, with a 95 % confidence interval
of the mean (Student's t over runs). All of it is computed from their ledgers.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.errors import UsageError
from droidloop.platform.jobs import LEARNING
from droidloop.platform.ledger import Rows, read
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import HOUR_US, joules

T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
"""The 97.5th percentile of Student's t with 1, 2, ... degrees of freedom; 1.96 beyond."""

_WORK = ("promotion_uj", "radio_uj", "tail_uj", "cpu_uj")
FIGURES = ("hr", "ndcg", "round", "hours", "mb", "joules")


@dataclass(frozen=True)
class Course:
    """How a run's quality on the validation items rose, and what had been spent by then.

    One entry a validation: the round, hours of virtual time, and bytes (megabytes) and energy
    (joules) of learning, a phone in the mean.
    """

    quality: FloatArray
    round: FloatArray
    hours: FloatArray
    mb: FloatArray
    joules: FloatArray


@dataclass(frozen=True)
class Result:
    """One run: figures of the best round for all phones and by class, and the way there."""

    seed: int
    overall: dict[str, float]
    classes: dict[str, dict[str, float]]
    course: Course


@dataclass(frozen=True)
class Group:
    """The runs of one scenario, seeds apart."""

    label: str
    results: list[Result]

    def spread(self, figure: str, phone_class: str | None = None) -> tuple[float, float]:
        """Return the mean of *figure* over runs and half the width of its interval."""
        values = [
            (result.overall if phone_class is None else result.classes[phone_class])[figure]
            for result in self.results
        ]
        return interval(values)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of *values* and half the width of its 95 % interval; NaN for one value."""
    n = len(values)
    mean = float(np.mean(values))
    if n < 2:
        return mean, float("nan")
    t = T_975[n - 2] if n - 2 < len(T_975) else 1.96
    return mean, t * float(np.std(values, ddof=1)) / n**0.5


def groups_of(folders: Sequence[Path]) -> list[Group]:
    """Return the runs in *folders* by scenario, in the order in which they are given.

    Raises:
        UsageError: a run is not complete, or is given twice.
    """
    found: dict[str, Group] = {}
    for folder in folders:
        run = RunDirectory.open(folder)
        manifest = run.manifest()
        if manifest["state"] != "complete":
            raise UsageError(f"{folder}: this run is not complete; run it again")
        scenario = {name: v for name, v in manifest["scenario"].items() if name != "seed"}
        key = json.dumps(scenario, sort_keys=True)
        group = found.setdefault(key, Group(label_of(scenario), []))
        if any(one.seed == manifest["seed"] for one in group.results):
            raise UsageError(f"{folder}: seed {manifest['seed']} of this scenario is given twice")
        group.results.append(result_of(run, manifest))
    return list(found.values())


def result_of(run: RunDirectory, manifest: dict[str, Any]) -> Result:
    """Return what the ledger of *run* says."""
    jobs, metrics, devices, events = (
        read(run.path, name) for name in ("jobs", "metrics", "devices", "events")
    )
    taught = jobs[np.isin(jobs["kind"], list(LEARNING))]
    valid = events[(events["kind"] == b"valid") & (events["name"] == b"hit_rate_ppm")]
    if not len(valid):
        raise UsageError(f"{run.path}: has no validated ranking (rule mpda has AUC); leave it out")
    course = course_of(taught, valid, len(devices))
    best = int(np.argmax(course.quality))
    k = manifest["scenario"]["evaluation"]["k"]
    end_us = int(valid["t_us"][best])
    spent = taught[taught["finish_us"] <= end_us]
    test = metrics[
        (metrics["model"] == b"trained")
        & (metrics["ranking"] == b"sampled")
        & (metrics["part"] == b"test")
    ]
    when = {"round": course.round[best] + 1, "hours": course.hours[best]}
    everybody = devices["phone"]
    classes = {
        name: _figures(test, spent, everybody[devices["profile"] == name.encode()], k) | when
        for name in sorted(np.unique(devices["profile"]).astype(str))
    }
    overall = _figures(test, spent, everybody, k) | when
    return Result(manifest["seed"], overall, classes, course)


def course_of(jobs: Rows, valid: Rows, phones: int) -> Course:
    """Return the course of a run with these learning *jobs* and validation events."""
    order = np.argsort(jobs["finish_us"], kind="stable")
    times = jobs["finish_us"][order]
    moved = np.cumsum((jobs["downloaded_bytes"] + jobs["uploaded_bytes"])[order])
    energy = np.cumsum(_work_uj(jobs)[order])
    until = np.searchsorted(times, valid["t_us"], side="right")
    return Course(
        quality=valid["value"] / 1e6,
        round=valid["round"].astype(np.float64),
        hours=valid["t_us"] / HOUR_US,
        mb=_at(moved, until) / 1e6 / phones,
        joules=joules(1) * _at(energy, until) / phones,
    )


def _at(sums: Any, until: Any) -> FloatArray:
    """Return the first ``until`` values' sum for each entry, from cumulative *sums*."""
    return np.asarray(np.concatenate([[0.0], sums])[until], np.float64)


def _figures(test: Rows, spent: Rows, phones: Any, k: int) -> dict[str, float]:
    mine, work = test[np.isin(test["phone"], phones)], spent[np.isin(spent["phone"], phones)]
    count = max(len(phones), 1)
    moved = int(work["downloaded_bytes"].sum() + work["uploaded_bytes"].sum())
    return {
        "hr": _mean(mine, f"hr_at_{k}"),
        "ndcg": _mean(mine, f"ndcg_at_{k}"),
        "mb": moved / 1e6 / count,
        "joules": joules(int(_work_uj(work).sum())) / count,
    }


def _work_uj(jobs: Rows) -> IntArray:
    """Return the energy of each of *jobs* without the phone's own life."""
    return np.asarray(np.sum([jobs[name] for name in _WORK], axis=0), np.int64)


def _mean(metrics: Rows, name: str) -> float:
    values = metrics["value"][metrics["name"] == name.encode()]
    return float(values.mean()) if len(values) else float("nan")


def label_of(scenario: dict[str, Any]) -> str:
    """Return what a table calls the runs of *scenario*: its name, its rule, who talks to whom."""
    protocol = scenario["protocol"]
    over = f" over {protocol['topology']['kind']}" if "topology" in protocol else ""
    return f"{scenario['name']}: {scenario['training']['rule']}, {protocol['kind']}{over}"
