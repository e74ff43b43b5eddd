"""Synchronous rounds: the server asks phones, waits until its deadline, and folds what came.

Phones that are late, die or leave cost energy and bytes and give nothing; those that computed but
could not send keep their private result.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from droidloop.devices.population import Population
from droidloop.models.interactions import UserItems
from droidloop.models.interfaces import ClientRule, Cohort, Recommender, ServerRule
from droidloop.models.privacy import check_private
from droidloop.models.store import PrivateStore
from droidloop.platform.draws import Draws, IntArray
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Jobs, Kind, Need
from droidloop.platform.messages import Messages
from droidloop.platform.shards import shards
from droidloop.platform.units import SECOND_US

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
    """The protocol: *after_round* is called with the number of each round that has ended."""

    recorder: Recorder
    population: Population
    learning: Learning
    section: RoundsSection
    draws: Draws
    after_round: Callable[[int], None]

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
        data = learning.data.take(phones)
        cohort = Cohort(phones, number, learning.store.gather(phones))
        down = learning.server.broadcast(phones)
        up = learning.client.step(cohort, down, data, learning.draws)
        for messages in (down, up):
            check_private(messages, learning.recommender)
        jobs = self._plan(cohort, data, down, up)
        yield self.recorder.play(jobs)
        computed = np.flatnonzero(jobs["compute_end_us"] >= 0)
        learning.store.commit(
            phones[computed], {name: rows[computed] for name, rows in cohort.private.items()}
        )
        arrived = np.flatnonzero(jobs.done)
        for shard in shards(len(arrived)):
            learning.server.absorb(up.take(arrived[shard]))
        learning.server.close()
        self.recorder.event(
            "round",
            number,
            open_us=open_us,
            selected=len(phones),
            done=len(arrived),
            length_us=self.recorder.engine.now_us - open_us,
            version=learning.server.version,
        )

    def _select(self, number: int) -> IntArray:
        section = self.section
        empty = self.learning.data.take(np.empty(0, np.int64))
        floor = self.learning.client.cost(Cohort(np.empty(0, np.int64), number, {}), empty)
        return select(
            self.population.world,
            self.recorder.engine.now_us,
            self.draws,
            number,
            clients=section.clients,
            needs=self._needs,
            ram_bytes=int(np.max(floor.ram_bytes, initial=0)),
            min_battery=section.min_battery,
        )

    @property
    def _needs(self) -> Need:
        section = self.section
        return needs_of(idle=section.idle, charging=section.charging, unmetered=section.unmetered)

    def _plan(self, cohort: Cohort, data: UserItems, down: Messages, up: Messages) -> Jobs:
        cost = self.learning.client.cost(cohort, data)
        return self.recorder.plan(
            cohort.phones,
            Kind.TRAIN,
            round=cohort.round,
            needs=self._needs,
            version=self.learning.server.version,
            deadline_us=self.recorder.engine.now_us + round(self.section.deadline_s * SECOND_US),
            down_bytes=down.nbytes(),
            up_bytes=up.nbytes(),
            flops=cost.flops,
            moved_bytes=cost.moved_bytes,
            load_bytes=-1,
            ram_bytes=cost.ram_bytes,
        )
