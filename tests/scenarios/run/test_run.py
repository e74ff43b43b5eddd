"""A run from end to end: the same bytes however it is played, nothing created, nothing lost."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from droidloop.models.packages.package import Package
from droidloop.models.updates.signing import signature_bytes
from droidloop.platform.jobs import ENERGY_PARTS, Kind, Outcome
from droidloop.platform.ledger import Rows, read, segments
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.tables import TABLES

Runs = dict[str, RunDirectory]


def digest(path: Path) -> dict[str, str]:
    return {
        str(segment.relative_to(path)): hashlib.sha256(segment.read_bytes()).hexdigest()
        for table in TABLES
        for segment in segments(path, table)
    }


@pytest.fixture(scope="module")
def jobs(runs: Runs) -> Rows:
    return read(runs["cohort"].path, "jobs")


@pytest.fixture(scope="module")
def devices(runs: Runs) -> Rows:
    return read(runs["cohort"].path, "devices")


@pytest.mark.parametrize("way", ["again", "exact", "replay"])
def test_every_way_of_playing_a_seed_gives_the_same_bytes(runs: Runs, way: str) -> None:
    expected = digest(runs["cohort"].path)
    assert {name.split("/")[0] for name in expected} == set(TABLES) - {"measures"}
    assert digest(runs[way].path) == expected


def test_another_seed_gives_another_ledger(runs: Runs) -> None:
    assert digest(runs["other"].path) != digest(runs["cohort"].path)


def test_the_parts_of_a_job_sum_to_its_energy(jobs: Rows) -> None:
    assert np.array_equal(sum(jobs[name] for name in ENERGY_PARTS), jobs["energy_uj"])


def test_what_a_battery_loses_was_spent_and_what_it_gains_was_accepted(devices: Rows) -> None:
    spent = sum(devices[name] for name in ENERGY_PARTS)
    after = devices["battery_before_uj"] - spent + devices["accepted_uj"]
    assert np.array_equal(after, devices["battery_after_uj"])


def test_jobs_and_phones_agree_on_what_jobs_cost(jobs: Rows, devices: Rows) -> None:
    for name in ("promotion_uj", "radio_uj", "cpu_uj"):
        assert jobs[name].sum() == devices[name].sum()


def test_bytes_on_links_are_bytes_of_jobs(jobs: Rows, devices: Rows) -> None:
    for name in ("downloaded_bytes", "uploaded_bytes"):
        by_phone = np.bincount(jobs["phone"], jobs[name], len(devices)).astype(np.int64)
        assert np.array_equal(by_phone, devices[name])


def test_a_job_that_is_done_moved_exactly_its_messages(jobs: Rows) -> None:
    done = jobs[jobs["outcome"] == Outcome.DONE]
    assert np.array_equal(done["downloaded_bytes"], done["down_bytes"])
    assert np.array_equal(done["uploaded_bytes"], done["up_bytes"])


def test_every_job_has_one_outcome_of_the_enum(jobs: Rows) -> None:
    assert {Outcome(code) for code in np.unique(jobs["outcome"])} >= {Outcome.DONE}
    assert Outcome.PLANNED not in jobs["outcome"]


def test_phones_leave_and_are_not_heard_of_again(runs: Runs, jobs: Rows) -> None:
    deliver = jobs[jobs["kind"] == Kind.DELIVER]
    assert Outcome.LOST_LEFT in deliver["outcome"]


def test_the_package_that_was_delivered_is_in_the_run_directory(runs: Runs, jobs: Rows) -> None:
    package = Package.load(runs["cohort"].path / "package")
    deliver = jobs[jobs["kind"] == Kind.DELIVER]
    signed = package.delivery_bytes("int8") + signature_bytes(package)
    assert set(deliver["down_bytes"]) == {signed}


def test_quality_is_kept_for_each_user_and_model(runs: Runs) -> None:
    metrics = read(runs["cohort"].path, "metrics")
    models = {b"trained", b"float32", b"int8", b"held"}
    models |= {b"popularity", b"itemknn", b"ease", b"ials", b"mf"}
    assert set(np.unique(metrics["model"])) == models
    hits = metrics[(metrics["model"] == b"trained") & (metrics["name"] == b"hr_at_10")]
    assert len(hits) == 2 * 60
    assert set(np.unique(hits["value"])) <= {0.0, 1.0}
