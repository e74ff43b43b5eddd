"""Runs side by side: one row a scenario, intervals over seeds, figures from the ledger alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.platform.errors import UsageError
from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.compare import groups_of, interval, label_of
from droidloop.scenarios.reports.summary import summarise
from tests.scenarios.conftest import Command


def test_an_interval_is_students(runs: dict[str, RunDirectory]) -> None:
    mean, half = interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(4.303 / 3**0.5)
    assert np.isnan(interval([5.0])[1])


def test_runs_that_differ_in_the_seed_alone_are_one_row(runs: dict[str, RunDirectory]) -> None:
    folders = [runs[name].path for name in ("cohort", "other", "exact")]
    groups = groups_of(folders)
    assert [[result.seed for result in group.results] for group in groups] == [[5, 6], [5]]
    with pytest.raises(UsageError, match="given twice"):
        groups_of([runs["cohort"].path, runs["again"].path])


def test_figures_are_those_of_the_summary_and_of_the_ledger(
    runs: dict[str, RunDirectory],
) -> None:
    run = runs["cohort"]
    [group] = groups_of([run.path])
    [result] = group.results
    summary = summarise(run)
    assert result.overall["hr"] == pytest.approx(summary["quality"]["hr_at_10"])
    for name, facts in summary["classes"].items():
        hit = facts["quality"].get("hr_at_10")
        if hit is not None:
            assert result.classes[name]["hr"] == pytest.approx(hit)
    jobs = read(run.path, "jobs")
    train = jobs[jobs["kind"] == Kind.TRAIN]
    moved = int(train["downloaded_bytes"].sum() + train["uploaded_bytes"].sum())
    course = result.course
    assert course.mb[-1] * 60 * 1e6 == pytest.approx(moved)
    assert (np.diff(course.mb) >= 0).all()
    assert (np.diff(course.joules) >= 0).all()
    assert len(course.quality) == 4


def test_compare_prints_a_table_draws_a_picture_and_speaks_json(
    command: Command, runs: dict[str, RunDirectory], tmp_path: Path
) -> None:
    folders = [runs["cohort"].path, runs["other"].path]
    picture = tmp_path / "compare.png"
    text = command("compare", *folders, "--picture", picture)
    assert text.exit_code == 0, text.output
    assert "small: fedmf, rounds" in text.output
    assert "±" in text.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    [group] = json.loads(command("compare", *folders, "--json").output)
    assert group["seeds"] == [5, 6]
    assert 0.0 <= group["hr"][0] <= 1.0


def test_a_folder_without_a_run_is_one_line(command: Command, tmp_path: Path) -> None:
    answer = command("compare", tmp_path)
    assert answer.exit_code == 2
    assert "no run there" in answer.output


def test_labels_tell_who_is_linked_with_whom() -> None:
    scenario: dict[str, Any] = {
        "name": "mine",
        "training": {"rule": "gossip-mf"},
        "protocol": {"kind": "gossip"},
    }
    assert label_of(scenario) == "mine: gossip-mf, gossip"
    scenario["protocol"]["topology"] = {"kind": "ring"}
    assert label_of(scenario) == "mine: gossip-mf, gossip over ring"
