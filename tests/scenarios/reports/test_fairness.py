"""Fairness: the largest gap between groups, and who does the work, from rows of the ledger."""

import numpy as np
import pytest

from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import Rows, read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.fairness import busiest_share, fairness_lines, gaps
from droidloop.scenarios.reports.measured import Measured
from droidloop.scenarios.reports.summary import records, summarise

HR = Measured("hr_at_10", "HR@10", "sampled")
Runs = dict[str, RunDirectory]


@pytest.fixture(scope="module")
def tables(runs: Runs) -> dict[str, Rows]:
    return {name: read(runs["cohort"].path, name).copy() for name in ("jobs", "metrics", "devices")}


def told(metrics: Rows, devices: Rows, value: np.ndarray) -> Rows:
    """Return one row of the trained model a phone, with that *value* each."""
    mine: Rows = metrics[
        (metrics["model"] == b"trained")
        & (metrics["name"] == b"hr_at_10")
        & (metrics["ranking"] == b"sampled")
        & (metrics["part"] == b"test")
    ].copy()
    mine["value"] = value[np.searchsorted(devices["phone"], mine["phone"])]
    return mine


def test_the_gap_is_between_the_best_and_the_worst_group(tables: dict[str, Rows]) -> None:
    devices = tables["devices"]
    remote = devices["region"] == b"remote"
    rows = told(tables["metrics"], devices, np.where(remote, 0.25, 0.75))
    [gap] = [one for one in gaps(rows, devices, HR) if one.by == "region"]
    assert (gap.better, gap.worse) == ("urban", "remote")
    assert gap.value == pytest.approx(0.5)
    worse = Measured("hr_at_10", "HR@10", "sampled", better="lower")
    [gap] = [one for one in gaps(rows, devices, worse) if one.by == "region"]
    assert (gap.better, gap.worse) == ("remote", "urban")
    assert gap.value == pytest.approx(0.5)


def test_activity_is_thirds_by_events(tables: dict[str, Rows]) -> None:
    devices = tables["devices"]
    assert devices["events"].sum() > 0
    order = np.argsort(np.argsort(devices["events"], kind="stable"))
    rows = told(tables["metrics"], devices, (order >= 2 * len(devices) // 3).astype(float))
    [gap] = [one for one in gaps(rows, devices, HR) if one.by == "activity"]
    assert gap.better == "many events"
    assert gap.value == pytest.approx(1.0)
    devices = devices.copy()
    devices["events"] = 0  # an older run does not say
    assert "activity" not in [one.by for one in gaps(rows, devices, HR)]


def test_small_groups_are_not_compared(tables: dict[str, Rows]) -> None:
    devices = tables["devices"].copy()
    devices["region"], devices["profile"] = b"urban", b"one"
    devices["region"][:9] = b"remote"
    rows = told(tables["metrics"], devices, np.arange(60.0))
    assert [one.by for one in gaps(rows, devices, HR)] == ["activity"]


def test_the_busiest_share_of_equal_work_is_their_share_of_phones(tables: dict[str, Rows]) -> None:
    jobs = np.repeat(tables["jobs"][tables["jobs"]["kind"] == Kind.TRAIN][:1], 10)
    jobs["phone"], jobs["cpu_uj"] = np.arange(10), 100
    for name in ("promotion_uj", "radio_uj", "tail_uj"):
        jobs[name] = 0
    assert busiest_share(jobs, 10) == pytest.approx(0.3)
    jobs["cpu_uj"][:3] = [700, 800, 900]
    assert busiest_share(jobs, 10) == pytest.approx(2400 / 3100)
    assert busiest_share(jobs[:0], 10) is None


def test_a_summary_has_them_as_numbers_and_in_words(runs: Runs) -> None:
    answer = summarise(runs["cohort"])
    found = {one["figure"]: one["value"] for one in records(answer) if one["users"] == "all"}
    assert 0.3 <= found["fairness.busiest_30_work"] <= 1.0
    assert found["fairness.region_gap"] >= 0.0
    lines = list(fairness_lines(answer))
    assert lines[-1].startswith("the busiest 30% of the phones did")
    assert any("largest gap in HR@10 by region" in line for line in lines)
