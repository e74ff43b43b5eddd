"""What a ledger alone has to say: energy, bytes and jobs are conserved, time runs one way."""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.jobs import ENERGY_PARTS, Kind, Outcome
from droidloop.platform.ledger import Rows, read
from tests.scenarios.run.gates import require_gates

from .watch import BrokenError, require


def require_all(folder: Path, content: dict[str, Any]) -> None:
    """Check every invariant of the run in *folder*, of a scenario that says *content*.

    Raises:
        BrokenError: one does not hold.
    """
    jobs, devices, events = (read(folder, name) for name in ("jobs", "devices", "events"))
    _jobs(jobs)
    _energy(jobs, devices)
    _bytes(jobs, devices)
    _time(jobs, devices, events)
    _gates(folder, jobs, events, content)


def _energy(jobs: Rows, devices: Rows) -> None:
    parts: Any = sum(jobs[name] for name in ENERGY_PARTS)
    require(np.array_equal(parts, jobs["energy_uj"]), "energy", "parts of a job are not the whole")
    spent: Any = sum(devices[name] for name in ENERGY_PARTS)
    held = devices["battery_before_uj"] + devices["accepted_uj"] - devices["battery_after_uj"]
    require(np.array_equal(held, spent), "energy", "batteries gave something else than was spent")
    full = (devices["battery_after_uj"] >= 0).all()
    require(bool(full), "energy", "a battery holds less than nothing")
    for name in (*ENERGY_PARTS, "accepted_uj"):
        require(not (jobs[name] < 0).any(), "energy", f"{name} of a job is negative")
        mine = np.bincount(jobs["phone"], jobs[name], len(devices))
        require(bool((mine <= devices[name]).all()), "energy", f"jobs took more {name} than phones")


def _bytes(jobs: Rows, devices: Rows) -> None:
    for way, planned in (("downloaded", "down_bytes"), ("uploaded", "up_bytes")):
        moved = jobs[f"{way}_bytes"]
        inside = (moved >= 0) & (moved <= jobs[planned])
        require(bool(inside.all()), "bytes", f"a job has {way} more than it was to")
        done = jobs["outcome"] == Outcome.DONE
        whole = np.array_equal(moved[done], jobs[planned][done])
        require(whole, "bytes", f"a job was done before it had {way} all")
        mine = np.zeros(len(devices), np.int64)
        np.add.at(mine, jobs["phone"], moved)
        same = np.array_equal(mine, devices[f"{way}_bytes"])
        require(same, "bytes", f"phones have {way} something else than their jobs")


def _jobs(jobs: Rows) -> None:
    numbers = np.sort(jobs["job"])
    require(not (np.diff(numbers) == 0).any(), "outcome", "a job has two outcomes")
    whole = np.array_equal(numbers, np.arange(len(jobs)))
    require(whole, "jobs", "a number is missing")
    known = np.isin(jobs["outcome"], [int(one) for one in Outcome if one is not Outcome.PLANNED])
    require(bool(known.all()), "outcome", "a job has no outcome")


def _time(jobs: Rows, devices: Rows, events: Rows) -> None:
    before = jobs["plan_us"]
    for name in ("start_us", "down_end_us", "compute_end_us", "finish_us"):
        there = jobs[name] >= 0
        require(not (jobs[name] < before)[there].any(), "time", f"{name} is too early")
        before = np.where(there, jobs[name], before)
    worked = jobs[jobs["battery_uj"] >= 0]  # others gave up while their phone was busy
    worked = worked[np.lexsort((worked["job"], worked["start_us"], worked["phone"]))]
    same = worked["phone"][1:] == worked["phone"][:-1]
    overlap = same & (worked["start_us"][1:] < worked["finish_us"][:-1])
    require(not overlap.any(), "time", "a phone has done two jobs at once")
    end_us = int(devices["t_us"].max())
    require(not (jobs["finish_us"] > end_us).any(), "time", "a job ended after the run")
    require(not (events["t_us"] > end_us).any(), "time", "something happened after the run")
    rounds = events[(events["kind"] == b"round") & (events["name"] == b"version")]
    rounds = rounds[np.argsort(rounds["round"], kind="stable")]
    require(bool((np.diff(rounds["t_us"]) >= 0).all()), "time", "t_us of rounds falls")
    # Unlearning returns to the model of an earlier version, and goes on from there.
    returned_us = events["t_us"][np.isin(events["kind"], [b"unlearning", b"forgotten"])]
    for k in np.flatnonzero(np.diff(rounds["value"]) < 0):
        between = (returned_us >= rounds["t_us"][k]) & (returned_us <= rounds["t_us"][k + 1])
        require(bool(between.any()), "time", "value of rounds falls")


def _gates(folder: Path, jobs: Rows, events: Rows, content: dict[str, Any]) -> None:
    installs = read(folder, "installs")
    if not len(installs):
        require(not (jobs["kind"] == Kind.INFER).any(), "gate", "a list without a version")
        return
    try:
        require_gates(folder, least_lists=0)
    except AssertionError as error:
        raise BrokenError("gate", str(error) or "see tests.scenarios.run.gates") from error
    releases = events[events["kind"] == b"release"]
    worst = releases[releases["name"] == b"failed_ppm"]
    most = 1e6 * content.get("delivery", {}).get("max_failed", 0.0109)
    for one in worst[worst["value"] > most + 1]:
        there = (releases["t_us"] == one["t_us"]) & (releases["round"] == one["round"])
        passed = releases["value"][there & (releases["name"] == b"passed")]
        require(not passed.any(), "gate", f"release {one['round'] + 1} passed with failures")
