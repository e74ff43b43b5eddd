"""Checks from a run's ledger alone that every phone always was on a version that had passed.

python -m tests.scenarios.run.gates RUN
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import Rows, read
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import DAY_US


def require_gates(path: Path, least_lists: int = 1) -> int:
    """Check the run in *path*; return how many changes of versions there were.

    A phone's version changes only by a delivery that it proved, which ended at that instant, or by
    an order to return to what it had proved before. Lists come from the version at work. Of each
    release no more phones are offered it than the stages that had opened by then allow, and none
    once it was stopped. At the end each phone is on the version that its last change says.
    """
    jobs, installs = read(path, "jobs"), read(path, "installs")
    ended = {
        (int(one["kind"]), int(one["phone"]), int(one["version"]), int(one["finish_us"]))
        for one in jobs[jobs["outcome"] == Outcome.DONE]
    }
    changes = 0
    order = np.argsort(installs["done_us"], kind="stable")
    history: dict[int, list[tuple[int, int]]] = {}
    others = replacements(path)
    proven: dict[int, set[int]] = {}
    for one in installs[order]:
        if one["event"] == b"refused":
            continue
        phone, version, done_us = int(one["phone"]), int(one["version"]), int(one["done_us"])
        past = history.setdefault(phone, [(-1, -1)])
        while others.get(phone) and others[phone][0] <= done_us:
            past.append((others[phone].pop(0), -1))
            proven[phone] = {-1}
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
    for phone, times in others.items():
        history.setdefault(phone, [(-1, -1)]).extend((t_us, -1) for t_us in times)
    for one in read(path, "devices"):
        assert history.get(int(one["phone"]), [(-1, -1)])[-1][1] == one["version"]
    _require_lists(jobs, history, least_lists)
    for version in np.unique(jobs["version"][jobs["kind"] == Kind.DELIVER]).tolist():
        _require_stages(path, jobs, version)
    return changes


def replacements(path: Path) -> dict[int, list[int]]:
    """Return when each phone was replaced by another one, which holds no version."""
    events = read(path, "events")
    mine = events[(events["kind"] == b"churn") & (events["name"] == b"replaced")]
    found: dict[int, list[int]] = {}
    for t_us, phone in np.sort(mine[["t_us", "phone"]], order="t_us").tolist():
        found.setdefault(phone, []).append(t_us)
    return found


def on_at(history: dict[int, list[tuple[int, int]]], phone: int, t_us: int) -> Iterator[int]:
    """Yield the versions on which *phone* may be at that instant: two where it just changed."""
    past = history.get(phone, [(-1, -1)])
    yield [version for done_us, version in past if done_us <= t_us][-1]
    yield [version for done_us, version in past if done_us < t_us or done_us < 0][-1]


def _require_lists(jobs: Rows, history: dict[int, list[tuple[int, int]]], least_lists: int) -> None:
    lists = jobs[(jobs["kind"] == Kind.INFER) & (jobs["start_us"] >= 0)]
    assert len(lists) >= least_lists
    for one in lists:
        assert one["version"] in on_at(history, int(one["phone"]), int(one["plan_us"]))


def _require_stages(path: Path, jobs: Rows, version: int) -> None:
    scenario = RunDirectory.open(path).manifest()["scenario"]["delivery"]
    events, phones = read(path, "events"), len(read(path, "devices"))
    mine = events[(events["kind"] == b"release") & (events["round"] == version - 1)]
    passed = mine[(mine["name"] == b"passed") & (mine["value"] == 1)]["t_us"]
    quotas = np.unique(
        [
            min(phones, max(int(np.ceil(share * phones)), scenario["least_phones"]))
            for share in scenario["stages"]
        ]
    )
    stopped = mine[(mine["name"] == b"passed") & (mine["value"] == 0)]["t_us"]
    offered = jobs[(jobs["kind"] == Kind.DELIVER) & (jobs["version"] == version)]
    if len(stopped):  # an offer that ends at once, the last try of its phone, may be the reason
        before, at_once = offered["plan_us"] < stopped[0], offered["finish_us"] == stopped[0]
        assert (before | at_once).all()
    for t_us in np.unique(offered["plan_us"]):
        quota = quotas[int((passed <= t_us).sum())]
        assert len(np.unique(offered["phone"][offered["plan_us"] <= t_us])) <= quota


def out_of_reach(path: Path, least_us: int) -> dict[int, int]:
    """Return phones that came back after *least_us*, and the version that they then took.

    Such a phone was offered a version and did not answer, nor did anything else that was asked of
    it come to its end until *least_us* later, when it took a version.
    """
    jobs, back = read(path, "jobs"), {}
    jobs = jobs[np.lexsort([jobs["plan_us"], jobs["phone"]])]
    for mine in np.split(jobs, np.flatnonzero(np.diff(jobs["phone"])) + 1):
        since = -1
        for one in mine[np.argsort(mine["plan_us"], kind="stable")]:
            if one["outcome"] != Outcome.DONE:
                lost = one["kind"] == Kind.DELIVER and one["downloaded_bytes"] == 0
                since = int(one["plan_us"]) if lost and since < 0 else since
                continue
            away = since >= 0 and int(one["start_us"]) - since >= least_us
            if away and one["kind"] == Kind.DELIVER:
                back[int(one["phone"])] = int(one["version"])
            since = -1
    return back


def main(path: Path) -> None:
    """Check the run in *path*, and say what was found."""
    print(f"{require_gates(path)} changes of versions, each by a version that had passed its gate")
    versions = dict(read(path, "devices")[["phone", "version"]].tolist())
    for days in (1, 5):
        back = out_of_reach(path, days * DAY_US)
        right = sum(versions[phone] == version for phone, version in back.items())
        print(f"{len(back)} phones came back after {days} days; {right} are on what they took then")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
