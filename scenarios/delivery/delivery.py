"""One version on its way: stage by stage to all phones, tried, gone on with or taken back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from droidloop.models.learning.learning import Fit
from droidloop.models.updates.slots import NONE, Event, Step
from droidloop.platform.arrays import Array, BoolArray, IntArray
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Jobs, Kind, Outcome
from droidloop.platform.state import Stateful
from droidloop.platform.units import DAY_US, SECOND_US
from droidloop.scenarios.runtime.context import PROCESS_BYTES
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.schema.delivery_section import DeliverySection
from droidloop.scenarios.schema.turns import needs_of

from .installed import Installed
from .offering import Offering
from .package_work import DeliveryWorks
from .shipment import Held
from .stages import Stages
from .trial import Trial

Holders = Callable[[], tuple[IntArray, Held]]
"""Returns the phones that hold a version now and expect none, sorted, and what each holds."""

RETURN_US = 7 * DAY_US
"""How long phones that are not there are waited for to return: Apple's phased releases take as long
to reach all (App Store Connect, release a version update in phases)."""


class Phase(IntEnum):
    """What a release is doing. Codes are part of checkpoints."""

    DELIVER = 0
    GAP = 1
    TRIAL = 2
    LISTS = 3
    BACK = 4
    OVER = 5
    FIT = 6


@dataclass
class Delivery(Stateful):
    """Delivers one version in stages, and has all that hold a version then compute their lists.

    Phones that took no part first fit what is private to what they got.

    Attributes:
        recorder: plays the jobs.
        round: the turn that the version is of.
        stages: which phones it goes to, one part after the other.
        offering: what goes there.
        section: how.
        installed: what phones have, which changes with it.
        holders: says who computes a list, and with what.
        compared: says of phones that are on it how much slower their lists are than with the
            version before, and what they have gained; see ``Trial``.
        held: whether somebody stops it by hand.
        works: what real devices get and have to give; None where all phones are simulated.
        fit: what phones that took no part compute, by the laws on real devices too; None: nothing.
        fitting: says which of them hold the version now.
        ended: told of all jobs after the deliveries when they have ended.
    """

    recorder: Recorder
    round: int
    stages: Stages
    offering: Offering
    section: DeliverySection
    installed: Installed
    holders: Holders
    compared: Callable[[IntArray], tuple[Array, Array]]
    held: bool = False
    works: DeliveryWorks | None = None
    fit: Fit | None = None
    fitting: Callable[[], IntArray] = lambda: np.empty(0, np.int64)
    ended: Callable[[Jobs], None] = lambda jobs: None
    stopped: str = ""
    _phase: int = Phase.DELIVER
    _stage: int = 0
    _tries: int = 0
    _tried: int = 0
    _failed: int = 0
    _listed: int = 0
    _bytes: int = 0
    _whole_bytes: int = 0
    _until_us: int = -1
    _end_us: int = -1
    _jobs: Jobs | None = field(default=None)
    _given_up: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))
    _got: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    STATE = (
        *("stopped", "_phase", "_stage", "_tries", "_tried", "_failed", "_listed", "_bytes"),
        *("_whole_bytes", "_until_us", "_end_us", "_jobs", "_given_up", "_got"),
    )

    def __post_init__(self) -> None:
        count = len(self.stages.order)
        self._given_up = np.zeros(count, np.bool_)
        self._got = np.zeros(count, np.int64)

    def process(self) -> Process:
        """Go from phase to phase; what is known lies in the fields."""
        engine = self.recorder.engine
        if self._end_us < 0:
            self._end_us = engine.now_us + self._whole_us()
        while self._phase != Phase.OVER:
            if self._phase == Phase.GAP:
                yield engine.until(self._until_us)
                self._phase = Phase.BACK if self.stopped else Phase.DELIVER
                continue
            if self._jobs is None:
                self._jobs = self._begin()
            yield self.recorder.end_of(self._jobs)
            self.settle()
            jobs, self._jobs = self._jobs, None
            if self._phase in (Phase.FIT, Phase.TRIAL, Phase.LISTS):
                self.ended(jobs)
            self._go_on(jobs)
        if not self.stopped:
            yield engine.until(self._end_us)

    def _whole_us(self) -> int:
        """Return how long a stage takes that nobody is asked again in, lists included."""
        section = self.section
        turns = section.lists + (self.fit is not None)
        return round((section.deadline_s + turns * section.run_within_s) * SECOND_US)

    @property
    def version(self) -> int:
        """The number of the version."""
        return self.offering.version

    def _begin(self) -> Jobs:
        match self._phase:
            case Phase.DELIVER:
                return self._deliver()
            case Phase.BACK:
                return self._call_back()
            case Phase.FIT:
                return self._fit_private()
            case Phase.TRIAL:
                phones, held = self.holders()
                mine = self._on_it()[phones] & np.isin(phones, self.stages.phones(self._stage))
                return self._infer(phones[mine], held.take(mine))
            case _:
                return self._infer(*self.holders())

    def _go_on(self, jobs: Jobs) -> None:
        """Choose the next phase after *jobs*, all of which have ended."""
        section = self.section
        match self._phase:
            case Phase.DELIVER if not self._reached_enough() and (
                self._wanting(busy=True).any()
                or (self._tries < section.retries and self._wanting().any())
            ):
                self._tries += not self._wanting(busy=True).any()
                self._wait()
            case Phase.DELIVER:
                if self._last:
                    self._note_stage(None)
                lists = Phase.LISTS if self._last else Phase.TRIAL
                self._phase = lists if self.fit is None else Phase.FIT
            case Phase.FIT:
                self._phase = Phase.LISTS if self._last else Phase.TRIAL
            case Phase.TRIAL:
                self._judge(jobs)
            case Phase.BACK if self._left().any() and self.recorder.engine.now_us < self._end_us:
                self._wait()
            case Phase.BACK:
                self._phase = Phase.OVER
            case Phase.LISTS:
                self._listed += 1
                if self._listed >= section.lists:
                    self._phase = Phase.OVER

    def _wait(self) -> None:
        self._phase = Phase.GAP
        self._until_us = self.recorder.engine.now_us + round(self.section.retry_s * SECOND_US)

    @property
    def _last(self) -> bool:
        return self.stages.last(self._stage)

    def _reached_enough(self) -> bool:
        """Return whether so many of an early stage's phones have tried it that it can be judged."""
        if self._last:
            return False
        phones = self.stages.phones(self._stage)
        told = self._given_up | (self.installed.slots["version"] >= self.version)
        return float(told[phones].mean()) >= self.section.enough

    def _wanting(self, *, busy: bool = False) -> BoolArray:
        """Return which phones of the stages so far lack the version and are free, or *busy*."""
        slots = self.installed.slots
        within = self.stages.within(self._stage)
        lack = within & (slots["version"] < self.version) & ~self._given_up
        return np.asarray(lack & ((slots["step"] != Step.IDLE) == busy))

    def _on_it(self) -> BoolArray:
        return np.asarray(self.installed.slots["version"] == self.version)

    def _left(self) -> BoolArray:
        return self._on_it() & ~self._given_up  # those that left for good are given up

    def _deliver(self) -> Jobs:
        """Offer the version to the phones that lack it, each its variant and its way."""
        section, recorder, now_us = self.section, self.recorder, self.recorder.engine.now_us
        wanting = np.flatnonzero(self._wanting())
        phones, ships, fetch_bytes = self.offering.offer(wanting, self._got)
        refused = np.setdiff1d(wanting, phones)
        self.installed.refuse(refused, self.round, self.version, "budget: no way is cheap enough")

        offered = Held(self.offering.shipments, ships)
        jobs = recorder.plan(
            phones,
            Kind.DELIVER,
            needs=needs_of(charging=section.charging, unmetered=section.unmetered),
            version=self.version,
            deadline_us=now_us + round(section.deadline_s * SECOND_US),
            down_bytes=fetch_bytes,
            flops=offered.column(lambda one: one.check.flops),
            moved_bytes=offered.column(lambda one: one.check.moved_bytes),
            operators=offered.column(lambda one: one.check.operators),
            load_bytes=offered.column(lambda one: one.model_bytes),
            ram_bytes=offered.column(lambda one: one.check.ram_bytes),
            storage_bytes=offered.column(lambda one: one.package_bytes),
            runtime=offered.column(lambda one: one.runtime),
        )
        self.installed.happen(
            phones, Event.OFFERED, version=self.version, variant=self.offering.codes[ships]
        )
        recorder.play(jobs, None if self.works is None else self.works.check())
        return jobs

    def settle(self) -> None:
        """Take in what has ended by now on phones that this release has jobs for."""
        if self._jobs is None or self._phase not in (Phase.DELIVER, Phase.BACK):
            return
        rows, now_us = self._jobs.rows, self.recorder.engine.now_us
        over = (rows["outcome"] != Outcome.PLANNED) & (rows["finish_us"] <= now_us)
        if self._phase == Phase.BACK:
            gone = over & (rows["outcome"] == Outcome.LOST_LEFT)
            self._given_up[rows["phone"][gone]] = True
            back = rows[over & (rows["outcome"] == Outcome.DONE)]
            self._returned(back[self._on_it()[back["phone"]]])
            return
        slots = self.installed.slots[rows["phone"]]
        mine = (slots["step"] == Step.FETCHING) & (slots["candidate"] == self.version)
        rows = rows[over & mine]
        if len(rows):
            self._settle(rows)

    def _settle(self, rows: Any) -> None:
        installed, phones, done = self.installed, rows["phone"], rows["outcome"] == Outcome.DONE
        wrong = self.offering.wrong[installed.slots["candidate_variant"][phones]]
        right = done & ~wrong
        installed.spend(phones, rows["downloaded_bytes"])
        self._got[phones] += rows["downloaded_bytes"]
        self._tried += int(done.sum())
        self._failed += int((done & wrong).sum())
        self._bytes += int(rows["downloaded_bytes"].sum())
        whole_bytes = self.offering.whole_bytes(phones)
        self._whole_bytes += int(whole_bytes[done].sum())
        for event in (Event.FETCHED, Event.SIGNED):
            installed.happen(phones[done], event)
        installed.happen(phones[right], Event.PROVEN)
        for some, event, why in (
            (right, Event.SWITCHED, ""),
            (done & wrong, Event.REFUSED, self.offering.reason),
        ):
            installed.happen(
                phones[some],
                event,
                round_=self.round,
                why=why,
                done_us=rows["finish_us"][some],
                fetched_bytes=self._got[phones[some]],
                whole_bytes=whole_bytes[some],
            )
        self._given_up[phones[done & wrong]] = True
        self._got[phones[done]] = 0
        lost = rows[~done]
        words = [Outcome(one).name.lower() for one in lost["outcome"].tolist()]
        installed.happen(
            lost["phone"],
            Event.REFUSED,
            round_=self.round,
            why=words,
            done_us=np.maximum(lost["finish_us"], 0),
            fetched_bytes=lost["downloaded_bytes"],
        )

    def _fit_private(self) -> Jobs:
        assert self.fit is not None
        phones = self.fitting()
        cost = self.fit.cost.take(np.searchsorted(self.fit.phones, phones))
        jobs = self.recorder.plan(
            phones,
            Kind.FIT,
            version=self.version,
            deadline_us=self.recorder.engine.now_us + round(self.section.run_within_s * SECOND_US),
            flops=cost.flops,
            moved_bytes=cost.moved_bytes,
            operators=cost.operators,
            load_bytes=self.offering.held_by(phones).column(lambda one: one.model_bytes),
            ram_bytes=PROCESS_BYTES + cost.ram_bytes,
        )
        self.recorder.play(jobs)
        return jobs

    def _infer(self, phones: IntArray, held: Held) -> Jobs:
        recorder = self.recorder
        jobs = recorder.plan(
            phones,
            Kind.INFER,
            version=held.column(lambda one: one.version),
            deadline_us=recorder.engine.now_us + round(self.section.run_within_s * SECOND_US),
            flops=held.column(lambda one: one.run.flops),
            moved_bytes=held.column(lambda one: one.run.moved_bytes),
            operators=held.column(lambda one: one.run.operators),
            load_bytes=held.column(lambda one: one.model_bytes),
            ram_bytes=held.column(lambda one: one.run.ram_bytes),
            runtime=held.column(lambda one: one.runtime),
        )
        recorder.play(jobs, None if self.works is None else self.works.lists(phones))
        return jobs

    def _judge(self, jobs: Jobs) -> None:
        """Go on to the next stage after the lists *jobs* of this one, or stop and turn back."""
        done = jobs.rows[jobs.done]
        compared = self.compared(done["phone"][self._on_it()[done["phone"]]])
        trial = Trial(self._tried, self._failed, *compared)
        self.stopped = trial.verdict(self.section, held=self.held)
        self._note_stage(trial)
        if self.stopped:
            self._phase, self._end_us = Phase.BACK, self.recorder.engine.now_us + RETURN_US
            return
        self._phase, self._stage, self._tries = Phase.DELIVER, self._stage + 1, 0
        self._tried = self._failed = 0
        self._end_us = self.recorder.engine.now_us + self._whole_us()

    def _note_stage(self, trial: Trial | None) -> None:
        """Note how far the release has come, and what its last stage has shown."""
        values = {
            "stage_ppm": round(1e6 * self.stages.share(self._stage)),
            "phones": int(self._on_it().sum()),
            "fetched_bytes": self._bytes,
            "whole_bytes": self._whole_bytes,
        }
        if trial is not None:
            shown = {
                "failed_ppm": trial.failed_share,
                "slower_ppm": trial.slower_median,
                "gain_ppm": trial.gain[0],
            }
            values |= {name: round(1e6 * one) for name, one in shown.items() if not np.isnan(one)}
            values["passed"] = int(not self.stopped)
        self.recorder.event("release", self.round, **values)

    def _call_back(self) -> Jobs:
        """Tell the phones that are on the version to return to the one before."""
        phones = np.flatnonzero(self._left() & (self.installed.slots["step"] == Step.IDLE))
        previous = self.installed.slots["previous"][phones]
        jobs = self.recorder.plan(
            phones,
            Kind.RETURN,
            version=previous,
            deadline_us=self.recorder.engine.now_us + round(self.section.deadline_s * SECOND_US),
            down_bytes=self.offering.order_bytes,
            load_bytes=NONE,
        )
        self.recorder.play(jobs)
        return jobs

    def _returned(self, rows: Any) -> None:
        phones = rows["phone"]
        free = self.installed.slots["step"][phones] == Step.IDLE
        self.installed.happen(
            phones[free],
            Event.RETURNED,
            round_=self.round,
            why=self.stopped,
            done_us=rows["finish_us"][free],
            fetched_bytes=rows["downloaded_bytes"][free],
        )
        self._given_up[phones] = True
