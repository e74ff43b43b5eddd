"""Jobs: plan, outcome and ledger schema in one table."""

import numpy as np
import pytest

from droidloop.platform.jobs import ENERGY_PARTS, JOB_DTYPE, Jobs, Kind, Need, Outcome
from droidloop.platform.units import NEVER_US


def test_a_plan_numbers_its_jobs_and_leaves_the_rest_open() -> None:
    jobs = Jobs.plan(
        np.array([5, 3, 5]), kind=Kind.DELIVER, plan_us=9, first=40, down_bytes=[1, 2, 3]
    )
    assert jobs["job"].tolist() == [40, 41, 42]
    assert jobs["phone"].tolist() == [5, 3, 5]
    assert jobs["down_bytes"].tolist() == [1, 2, 3]
    assert set(jobs["plan_us"].tolist()) == {9}
    assert set(jobs["deadline_us"].tolist()) == {NEVER_US}
    assert set(jobs["outcome"].tolist()) == {Outcome.PLANNED}
    for name in ("start_us", "down_end_us", "compute_end_us", "finish_us"):
        assert set(jobs[name].tolist()) == {-1}
    assert not jobs.done.any()


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(ValueError, match="down_byte"):
        Jobs.plan(np.arange(2), kind=Kind.TRAIN, plan_us=0, first=0, down_byte=1)


def test_taken_jobs_are_a_copy() -> None:
    jobs = Jobs.plan(np.arange(4), kind=Kind.TRAIN, plan_us=0, first=0)
    some = jobs.take(jobs["phone"] > 1)
    some.rows["outcome"] = Outcome.DONE
    assert some["phone"].tolist() == [2, 3]
    assert some.done.all()
    assert not jobs.done.any()


def test_every_outcome_is_of_one_sort() -> None:
    sorts = {
        outcome: (
            outcome in (Outcome.PLANNED, Outcome.DONE, Outcome.LATE, Outcome.CUT_OFF),
            outcome.refused,
            outcome.lost,
            outcome.failed,
        )
        for outcome in Outcome
    }
    assert all(sum(sort) == 1 for sort in sorts.values())
    for prefix, place in (("REFUSED", 1), (("LOST", "INTERRUPTED"), 2), ("FAILED", 3)):
        named = [outcome for outcome in Outcome if outcome.name.startswith(prefix)]
        assert named == [outcome for outcome, sort in sorts.items() if sort[place]]


def test_codes_are_part_of_the_schema_and_stay() -> None:
    """A ledger written today is read tomorrow: codes are never renumbered."""
    assert {kind.name: kind.value for kind in Kind} == {
        "TRAIN": 1,
        "DELIVER": 2,
        "INFER": 3,
        "EXCHANGE": 4,
        "TUNE": 5,
        "FIT": 6,
        "RETURN": 7,
        "UNLEARN": 8,
    }
    assert [int(outcome) for outcome in Outcome] == [
        *(0, 1, 2, 3),
        *(10, 11, 12, 13, 14),
        *(20, 21, 22, 23),
        *(24, 25, 26),
        *(30, 31, 32, 33, 34, 35, 36),
    ]
    assert [int(need) for need in Need] == [1, 2, 4, 8]


def test_codes_and_flags_fit_their_columns() -> None:
    for enum, name in ((Outcome, "outcome"), (Kind, "kind"), (Need, "needs")):
        assert sum(map(int, enum)) if enum is Need else max(map(int, enum)) <= 127
        assert JOB_DTYPE[name] == np.int8


def test_times_sizes_and_energies_are_integers_of_64_bits() -> None:
    for name in JOB_DTYPE.names or ():
        if name.endswith(("_us", "_bytes", "_uj")):
            assert JOB_DTYPE[name] == np.int64, name
    assert set(ENERGY_PARTS) < set(JOB_DTYPE.names or ())
