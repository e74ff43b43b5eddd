"""Watches a run at every event; counts events, and ends the run at one of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import simpy

from droidloop.platform.jobs import Jobs, Outcome
from droidloop.platform.messages import Messages
from droidloop.scenarios.runtime.channel import Channel
from droidloop.scenarios.runtime.recorder import Recorder

COPIES = frozenset({"user_embedding"})
"""What rules say of themselves that they send of a user's vector: FedFast and PerFedRec."""


class BrokenError(AssertionError):
    """An invariant does not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(invariant, what)  # what it is made of: SimPy makes another of its kind
        self.invariant = invariant

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.args[1]}"


class KilledError(Exception):
    """Stands for the end of the process."""


def require(holds: bool, invariant: str, what: str) -> None:
    """Raise BrokenError unless *holds*."""
    if not holds:
        raise BrokenError(invariant, what)


@dataclass
class Watch:
    """What is seen of a run.

    Attributes:
        events: that were handled.
        kill_at: the number of the event before which the run is ended; None: it is not.
        jobs: numbers of those that were planned, and of those that have ended.
    """

    events: int = 0
    kill_at: int | None = None
    ended: set[int] = field(default_factory=set)
    now_us: int = 0

    def step(self, environment: simpy.Environment) -> None:
        """Look at the time before and after an event."""
        if self.kill_at is not None and self.events >= self.kill_at:
            raise KilledError
        self.events += 1
        now_us = int(environment.now)
        require(now_us >= self.now_us, "time", f"{now_us} us after {self.now_us} us")
        self.now_us = now_us

    def planned(self, recorder: Recorder, jobs: Jobs) -> None:
        """Look at jobs that are planned: for now, and due later."""
        now_us = recorder.engine.now_us
        require(bool((jobs["plan_us"] == now_us).all()), "time", f"planned at {now_us} us for then")
        late = jobs["deadline_us"] < now_us
        require(not late.any(), "time", f"a deadline before {now_us} us")

    def over(self, jobs: Jobs, now_us: int) -> None:
        """Look at jobs that have ended: once, by now, in some way."""
        numbers = jobs["job"].tolist()
        twice = self.ended.intersection(numbers)
        require(not twice, "outcome", f"job {min(twice, default=-1)} has ended twice")
        self.ended.update(numbers)
        known = jobs["outcome"] != Outcome.PLANNED
        require(bool(known.all()), "outcome", "a job has ended without an outcome")
        require(bool((jobs["finish_us"] <= now_us).all()), "time", "a job has ended in the future")

    def seen(self, channel: Channel, part: Messages) -> None:
        """Look for what is private in messages, by name and by content."""
        learning = channel._learning
        private = learning.recommender.private
        named = private & (part.arrays.keys() | part.rows.keys())
        require(not named, "private", f"{sorted(named)} in a message")
        senders = np.unique(part.sender[part.sender >= 0])
        if not len(senders):
            return
        for name in private & learning.store.columns.keys():
            column = learning.store.columns[name][senders]
            own = column.reshape(-1, column.shape[-1]) if column.ndim > 1 else column[:, None]
            mine = {row.tobytes() for row in own if row.any() and row.size > 1}
            for there, array in part.arrays.items():
                if there in COPIES or array.dtype != column.dtype or array.size % own.shape[-1]:
                    continue
                rows = array.reshape(-1, own.shape[-1])
                told = any(row.tobytes() in mine for row in rows)
                require(not told, "private", f"a row of {name!r} within {there!r}")


@contextmanager
def watched(watch: Watch) -> Iterator[Watch]:
    """Have *watch* see all that runs in this process during the block."""
    with pytest.MonkeyPatch.context() as patch:
        step, plan, ended = simpy.Environment.step, Recorder.plan, Recorder._ended
        seen = Channel.seen

        def stepped(self: simpy.Environment) -> None:
            watch.step(self)
            step(self)

        def planned(self: Recorder, *arguments: Any, **columns: Any) -> Jobs:
            jobs = plan(self, *arguments, **columns)
            watch.planned(self, jobs)
            return jobs

        def over(self: Recorder, one: Any) -> None:
            watch.over(one.jobs, self.engine.now_us)
            ended(self, one)

        def looked(self: Channel, part: Messages, *arguments: Any) -> None:
            watch.seen(self, part)
            seen(self, part, *arguments)

        patch.setattr(simpy.Environment, "step", stepped)
        patch.setattr(Recorder, "plan", planned)
        patch.setattr(Recorder, "_ended", over)
        patch.setattr(Channel, "seen", looked)
        yield watch
