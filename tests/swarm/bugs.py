"""Bugs to be found: one for each invariant, each as small as those that people make."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from droidloop.devices.fleets.fleet import ExactFleet
from droidloop.models.federated import fedmf, uploads
from droidloop.platform.jobs import Jobs, Kind, Outcome
from droidloop.platform.ledger import Ledger
from droidloop.platform.messages import Messages
from droidloop.scenarios.delivery.stages import Stages
from droidloop.scenarios.protocols.turn_loop import TurnLoop
from droidloop.scenarios.run.churn import Churn
from droidloop.scenarios.runtime.recorder import Recorder

Plant = Callable[[pytest.MonkeyPatch], None]


def replaced_batteries_are_not_booked(patch: pytest.MonkeyPatch) -> None:
    """What the battery of another phone brings is left out of the accounts."""
    replace = Churn._replace

    def forgetful(self: Churn, phones: Any, profiles: Any) -> None:
        replace(self, phones, profiles)
        self.brought_uj[phones] = 0

    patch.setattr(Churn, "_replace", forgetful)


def bytes_of_lost_jobs_are_dropped(patch: pytest.MonkeyPatch) -> None:
    """A job that was not done has fetched nothing, says the ledger; the phone knows better."""
    write = Ledger.write

    def tidy(self: Ledger, table: str, rows: Any) -> None:
        if table == "jobs":
            rows = rows.copy()
            rows["downloaded_bytes"][rows["outcome"] != Outcome.DONE] = 0
        write(self, table, rows)

    patch.setattr(Ledger, "write", tidy)


def jobs_of_who_left_are_not_written(patch: pytest.MonkeyPatch) -> None:
    """Jobs of phones that left are left out of the ledger."""
    write = Ledger.write

    def short(self: Ledger, table: str, rows: Any) -> None:
        write(self, table, rows[rows["outcome"] != Outcome.LOST_LEFT] if table == "jobs" else rows)

    patch.setattr(Ledger, "write", short)


def cut_off_phones_are_told_twice(patch: pytest.MonkeyPatch) -> None:
    """A phone that was cut off is in the ledger as cut off, and as done."""
    write = Ledger.write

    def twice(self: Ledger, table: str, rows: Any) -> None:
        write(self, table, rows)
        if table == "jobs":
            again = rows[rows["outcome"] == Outcome.CUT_OFF].copy()
            again["outcome"] = Outcome.DONE
            write(self, table, again)

    patch.setattr(Ledger, "write", twice)


def stages_are_overlooked(patch: pytest.MonkeyPatch) -> None:
    """A release is offered to everybody from its first stage on."""
    patch.setattr(Stages, "within", lambda self, stage: np.ones(len(self.order), np.bool_))


def a_vector_rides_along(patch: pytest.MonkeyPatch) -> None:
    """The first row of an upload is the user's own vector."""
    made = uploads.messages_of

    def leaky(rule: Any, cohort: Any, data: Any, base: Any, kind: Any, named: Any) -> Messages:
        messages = made(rule, cohort, data, base, kind, named)
        rows, own = messages.arrays.get("item"), cohort.private.get("user")
        if rows is not None and own is not None and rows.shape[-1:] == own.shape[-1:] and len(rows):
            rows[0] = own[0]
        return messages

    patch.setattr(fedmf, "messages_of", leaky)


def orders_are_planned_for_yesterday(patch: pytest.MonkeyPatch) -> None:
    """Lists are planned a microsecond before they are asked for."""
    plan = Recorder.plan

    def early(self: Recorder, phones: Any, kind: Kind, **columns: Any) -> Jobs:
        jobs = plan(self, phones, kind, **columns)
        if kind == Kind.INFER:
            jobs.rows["plan_us"] -= 1
        return jobs

    patch.setattr(Recorder, "plan", early)


def a_turn_of_unlearning_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """How many turns of unlearning there were is not part of the state."""
    patch.setattr(TurnLoop, "STATE", tuple(one for one in TurnLoop.STATE if one != "_unlearned"))


def exact_play_waits_for_one_more(patch: pytest.MonkeyPatch) -> None:
    """Over-selecting rounds wait for one phone more where phones are played one by one."""
    arrivals = ExactFleet.arrivals

    def patient(self: ExactFleet, batches: Any, wanted: int) -> Any:
        return arrivals(self, batches, wanted + 1)

    patch.setattr(ExactFleet, "arrivals", patient)


BUGS: dict[str, tuple[Plant, str]] = {
    "energy": (replaced_batteries_are_not_booked, "energy"),
    "bytes": (bytes_of_lost_jobs_are_dropped, "bytes"),
    "jobs": (jobs_of_who_left_are_not_written, "jobs"),
    "outcome": (cut_off_phones_are_told_twice, "outcome"),
    "gate": (stages_are_overlooked, "gate"),
    "private": (a_vector_rides_along, "private"),
    "time": (orders_are_planned_for_yesterday, "time"),
    "resume": (a_turn_of_unlearning_is_forgotten, "resume"),
    "exact": (exact_play_waits_for_one_more, "exact"),
}
"""By the invariant that each breaks; the second is what must be found."""
