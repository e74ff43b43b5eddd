"""Synchronous rounds: the server asks phones, waits until its deadline, and folds what came.

Phones that are late, die or leave cost energy and bytes and give nothing; those that computed but
could not send keep their private result.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from droidloop.devices.population import Population
from droidloop.devices.work import Work
from droidloop.models.fedmf import FedMF
from droidloop.models.interactions import UserItems
from droidloop.models.interfaces import (
    ClientRule,
    Cohort,
    Recommender,
    ServerRule,
    check_private,
)
from droidloop.models.store import PrivateStore
from droidloop.models.training_graph import TrainingModels
from droidloop.platform.draws import Draws, IntArray
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Jobs, Kind, Need
from droidloop.platform.messages import Messages
from droidloop.platform.shards import shards
from droidloop.platform.units import SECOND_US

from .device_work import TrainWork
from .recorder import Recorder
from .schema import RoundsSection
from .selection import select


@dataclass
class Learning:
    """The mathematics that a protocol moves about; ``data`` has one row a phone."""

    recommender: Recommender
    client: ClientRule
    server: ServerRule
    store: PrivateStore
    data: UserItems
    draws: Draws


@dataclass(frozen=True)
class _Step:
    """What one cohort received, did and wants to send in a round."""

    cohort: Cohort
    data: UserItems
    inbox: Messages
    sent: Messages


def needs_of(*, idle: bool = False, charging: bool = False, unmetered: bool = False) -> Need:
    """Return the flags of what must hold for a job to run."""
    needs = Need(0)
    for wanted, need in (
        (idle, Need.IDLE),
        (charging, Need.CHARGING),
        (unmetered, Need.UNMETERED),
    ):
        if wanted:
            needs |= need
    return needs


@dataclass
class Rounds:
    """The protocol: *after_round* is called with the number of each round that has ended.

    *models* are the training steps for real devices; None where all phones are simulated.
    """

    recorder: Recorder
    population: Population
    learning: Learning
    section: RoundsSection
    draws: Draws
    after_round: Callable[[int], None]
    models: TrainingModels | None = None

    def __post_init__(self) -> None:
        everybody = Cohort(np.arange(len(self.population)), 0, {})
        self._ram_bytes = self.learning.client.cost(everybody, self.learning.data).ram_bytes

    def process(self) -> Process:
        """Run all rounds, one every ``every_s``."""
        engine = self.recorder.engine
        start_us = engine.now_us
        for number in range(self.section.rounds):
            yield engine.until(start_us + number * round(self.section.every_s * SECOND_US))
            yield from self._round(number)
            self.after_round(number)
        yield engine.until(start_us + self.section.rounds * round(self.section.every_s * SECOND_US))

    def _round(self, number: int) -> Process:
        learning, open_us = self.learning, self.recorder.engine.now_us
        phones = self._select(number)
        # one step for each distinct broadcast: most rules send the same to all
        steps = [self._step(number, inbox) for inbox in learning.server.broadcast(phones)]
        batches = [self._plan(step) for step in steps]
        events = [
            self.recorder.play(jobs, self._work(step))
            for step, jobs in zip(steps, batches, strict=True)
        ]
        yield self.recorder.engine.all_of(events)
        arrived = 0
        for step, jobs in zip(steps, batches, strict=True):
            arrived += self._close(step, jobs)
        learning.server.close()
        self.recorder.event(
            "round",
            number,
            open_us=open_us,
            selected=len(phones),
            done=arrived,
            length_us=self.recorder.engine.now_us - open_us,
            version=learning.server.version,
        )

    def _step(self, number: int, inbox: Messages) -> _Step:
        """Train the phones that *inbox* goes to; what comes of it counts when it arrives."""
        learning = self.learning
        data = learning.data.take(inbox.receiver)
        cohort = Cohort(inbox.receiver, number, learning.store.gather(inbox.receiver))
        sent = learning.client.step(cohort, inbox, data, learning.draws)
        for messages in (inbox, sent):
            check_private(messages, learning.recommender)
        return _Step(cohort, data, inbox, sent)

    def _work(self, step: _Step) -> Work | None:
        """Return what the jobs of *step* carry, for rules that a device can follow."""
        learning = self.learning
        if self.models is None or not isinstance(learning.client, FedMF):
            return None
        return TrainWork(
            learning.client,
            learning.store,
            step.cohort,
            step.data,
            step.inbox,
            step.sent,
            learning.draws,
            self.models,
        )

    def _close(self, step: _Step, jobs: Jobs) -> int:
        """Keep what finished phones hold privately, fold what arrived; return how many did."""
        learning, cohort = self.learning, step.cohort
        computed = np.flatnonzero(jobs["compute_end_us"] >= 0)
        learning.store.commit(
            cohort.phones[computed],
            {name: rows[computed] for name, rows in cohort.private.items()},
        )
        arrived = np.flatnonzero(jobs.done)
        for shard in shards(len(arrived)):
            learning.server.absorb(step.sent.take(arrived[shard]))
        return len(arrived)

    def _select(self, number: int) -> IntArray:
        section = self.section
        return select(
            self.population.world,
            self.recorder.engine.now_us,
            self.draws,
            number,
            clients=section.clients,
            needs=self._needs,
            ram_bytes=self._ram_bytes,
            min_battery=section.min_battery,
        )

    @property
    def _needs(self) -> Need:
        section = self.section
        return needs_of(idle=section.idle, charging=section.charging, unmetered=section.unmetered)

    def _plan(self, step: _Step) -> Jobs:
        cost = self.learning.client.cost(step.cohort, step.data)
        return self.recorder.plan(
            step.cohort.phones,
            Kind.TRAIN,
            round=step.cohort.round,
            needs=self._needs,
            version=self.learning.server.version,
            deadline_us=self.recorder.engine.now_us + round(self.section.deadline_s * SECOND_US),
            down_bytes=step.inbox.nbytes(),
            up_bytes=step.sent.nbytes(),
            flops=cost.flops,
            moved_bytes=cost.moved_bytes,
            load_bytes=-1,
            ram_bytes=cost.ram_bytes,
        )
