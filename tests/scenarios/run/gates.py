"""Checks from a run's ledger alone that every phone always was on a version that had passed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import Rows, read
from droidloop.platform.rundir import RunDirectory


def require_gates(path: Path) -> int:
    """Check the run in *path*; return how many changes of versions there were.

    A phone's version changes only by a delivery that it proved, which ended at that instant, or by
    an order to return to what it had proved before. Lists come from the version at work. Of each
    release no more phones are offered it than the stages that had opened by then allow.
    """
    jobs, installs = read(path, "jobs"), read(path, "installs")
    ended = {
        (int(one["kind"]), int(one["phone"]), int(one["version"]), int(one["finish_us"]))
        for one in jobs[jobs["outcome"] == Outcome.DONE]
    }
    changes = 0
    order = np.argsort(installs["done_us"], kind="stable")
    history: dict[int, list[tuple[int, int]]] = {}
    proven: dict[int, set[int]] = {}
    for one in installs[order]:
        if one["event"] == b"refused":
            continue
        phone, version, done_us = int(one["phone"]), int(one["version"]), int(one["done_us"])
        past = history.setdefault(phone, [(-1, -1)])
        assert past[-1][1] == one["before"], f"phone {phone} was not on {one['before']}"
        if one["event"] == b"switched":
            assert (int(Kind.DELIVER), phone, version, done_us) in ended
            proven.setdefault(phone, {-1}).add(version)
        else:
            assert one["event"] == b"returned"
            assert (int(Kind.RETURN), phone, version, done_us) in ended
            assert version in proven[phone]
            assert one["why"] != b""
        past.append((done_us, version))
        changes += 1
    _require_lists(jobs, history)
    for version in np.unique(jobs["version"][jobs["kind"] == Kind.DELIVER]).tolist():
        _require_stages(path, jobs, version)
    return changes


def on_at(history: dict[int, list[tuple[int, int]]], phone: int, t_us: int) -> Iterator[int]:
    """Yield the versions on which *phone* may be at that instant: two where it just changed."""
    past = history.get(phone, [(-1, -1)])
    yield [version for done_us, version in past if done_us <= t_us][-1]
    yield [version for done_us, version in past if done_us < t_us or done_us < 0][-1]


def _require_lists(jobs: Rows, history: dict[int, list[tuple[int, int]]]) -> None:
    lists = jobs[(jobs["kind"] == Kind.INFER) & (jobs["start_us"] >= 0)]
    assert len(lists)
    for one in lists:
        assert one["version"] in on_at(history, int(one["phone"]), int(one["plan_us"]))


def _require_stages(path: Path, jobs: Rows, version: int) -> None:
    scenario = RunDirectory.open(path).manifest()["scenario"]["delivery"]
    events, phones = read(path, "events"), len(read(path, "devices"))
    mine = events[(events["kind"] == b"release") & (events["round"] == version - 1)]
    passed = mine[(mine["name"] == b"passed") & (mine["value"] == 1)]["t_us"]
    offered = jobs[(jobs["kind"] == Kind.DELIVER) & (jobs["version"] == version)]
    for t_us in np.unique(offered["plan_us"]):
        share = scenario["stages"][int((passed <= t_us).sum())]
        quota = min(phones, max(int(np.ceil(share * phones)), scenario["least_phones"]))
        assert len(np.unique(offered["phone"][offered["plan_us"] <= t_us])) <= quota
