"""One turn of phones that learn from one another: what they fetch, what they do, what that costs.

The phones' models lie in the store, and learning changes them in place: so a turn is played
first, and those learn whose computation came to its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Cost
from droidloop.models.learning.learning import PeerLearning
from droidloop.models.transforms.inspection import Cause
from droidloop.platform.arrays import BoolArray, Int8Array, IntArray
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Kind, Need
from droidloop.platform.messages import Messages
from droidloop.platform.state import Stateful
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.channel import Channel
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.mail import Mail, by_form
from droidloop.scenarios.schema.turns import Turns

from .peer_work import PeerWork


@dataclass
class PeerTurns(Stateful):
    """Plays turns of *learning* on the phones of *stage*, as *section* says."""

    stage: ProtocolContext
    learning: PeerLearning
    section: Turns
    needs: Need | None = None
    """What must hold for a phone to be asked, where that is not what its jobs need."""

    STATE = ("channel",)

    def __post_init__(self) -> None:
        everybody = np.arange(len(self.stage.population))
        one = np.ones(len(everybody), np.int64)
        self._ram_bytes = self.learning.peer.cost(everybody, one, self.learning.data).ram_bytes
        self.channel = Channel(self.stage, self.learning, self.section)
        self.form = self.learning.peer.form(self.learning.store)

    def open(self) -> Process:
        """Have every phone fetch what the server sends before it leaves, until the deadline."""
        initial_download = self.learning.initial_download
        if initial_download is None:
            return
        everybody = np.arange(len(self.stage.population))
        jobs = self.stage.recorder.plan(
            everybody,
            Kind.DELIVER,
            needs=self.section.needs,
            deadline_us=self.stage.now_us + round(self.section.every_s * SECOND_US),
            down_bytes=self.channel.down(initial_download).nbytes(),
        )
        yield self.stage.recorder.play(jobs)
        self.learning.given[jobs["phone"][jobs.done]] = True

    def ask(self, number: int) -> IntArray:
        """Return the phones that have a turn now, sorted: able, and with a model."""
        clients = self.section.clients
        able = self.stage.ask(self.section, number, self._ram_bytes, clients, needs=self.needs)
        able = self.stage.roster.welcome(able)
        if self.learning.initial_download is None:
            return able
        return np.asarray(able[self.learning.given[able]])

    def play(
        self,
        number: int,
        phones: IntArray,
        inbox: Sequence[Messages],
        tells: BoolArray,
        kind: Kind,
        *,
        known: IntArray | None = None,
        here: bool = False,
    ) -> Process:
        """Play the turn of *phones*; its value is its jobs and how many phones have learned.

        *inbox* is addressed to them, each part sorted by receiver; those that *tells* marks upload.
        Messages of others than *known* are refused. What is *here* already is not fetched, and has
        taken the first half of the turn's time.
        """
        learning, channel = self.learning, self.channel
        data = self.stage.local(learning.data, phones)
        merged, down = np.zeros(len(phones), np.int64), np.zeros(len(phones), np.int64)
        for part in inbox:
            place = np.searchsorted(phones, part.receiver)
            merged += np.bincount(place, minlength=len(phones))
            np.add.at(down, place, 0 if here else part.nbytes())
        causes = [channel.check(part, self.form, known=known) for part in inbox]
        usable = self._usable(inbox, causes, number)
        cost = learning.peer.cost(phones, merged, data)
        up, cost = self._sending(phones, tells, number, cost)
        jobs = self.stage.plan(
            self.section,
            phones,
            kind,
            channel.opening_cost(cost, inbox, phones),
            round=number,
            version=number,
            down_bytes=down,
            up_bytes=up,
            deadline_us=self.deadline_us(0.5 if here else 1.0),
        )
        work = self._work(number, phones, usable, data)
        yield self.stage.recorder.play(jobs, work)
        fetched = phones[jobs["down_end_us"] >= 0]
        for part, cause in zip(inbox, causes, strict=True):
            came = np.isin(part.receiver, fetched)
            channel.seen(part.take(came), cause[came], number)
        computed = learned = np.flatnonzero(jobs["compute_end_us"] >= 0)
        learning.took_part[phones[learned]] = True
        if work is not None:
            computed = work.commit(computed)
        if usable is not None:
            heard = usable.take(np.isin(usable.receiver, phones[learned]))
            self.stage.recorder.learned(number, heard.receiver, heard.sender)
        if len(computed):
            theirs = None
            if usable is not None:
                mask = np.isin(usable.receiver, phones[computed])
                theirs = usable.take(mask) if mask.any() else None
            learning.peer.learn(
                phones[computed],
                theirs,
                learning.store,
                data.take(computed),
                number,
                learning.draws,
            )
        return jobs, len(learned)

    def deadline_us(self, share: float) -> int:
        """Return when that share of the time that the section gives from now on is over."""
        return self.stage.now_us + round(share * self.section.deadline_s * SECOND_US)

    def share(self, phones: IntArray, number: int) -> Messages:
        """Return what *phones* have to tell by the rule."""
        learning = self.learning
        return learning.peer.share(phones, learning.store, number, learning.draws)

    def mail(self, honest: Messages, number: int) -> Mail:
        """Return what is really sent in the place of *honest*."""
        return self.channel.send(honest, self.form, honest.sender, number)

    def _sending(
        self, phones: IntArray, tells: BoolArray, number: int, cost: Cost
    ) -> tuple[IntArray, Cost]:
        """Return the bytes that *phones* send, and *cost* with that of sealing them.

        Neither depends on what the turn will have taught.
        """
        up = np.zeros(len(phones), np.int64)
        told = np.flatnonzero(tells)
        if not len(told):
            return up, cost
        honest = self.share(phones[told], number)
        up[told] = self.mail(honest, number).nbytes()
        zero = np.zeros(len(told), np.int64)
        sealing = self.channel.cost(honest, Cost(zero, zero, zero))
        more = np.zeros((3, len(phones)), np.int64)
        more[:, told] = sealing.flops, sealing.moved_bytes, sealing.ram_bytes
        return up, replace(
            cost,
            flops=cost.flops + more[0],
            moved_bytes=cost.moved_bytes + more[1],
            ram_bytes=np.maximum(cost.ram_bytes, more[2]),
        )

    def _usable(
        self, inbox: Sequence[Messages], causes: Sequence[Int8Array], number: int
    ) -> Messages | None:
        """Return what phones can learn from, opened, by receiver; None: there is nothing."""
        parts = [
            self.channel.open(part.take(cause == Cause.NONE), self.form, number)
            for part, cause in zip(inbox, causes, strict=True)
            if (cause == Cause.NONE).any()
        ]
        if not parts:
            return None
        [found] = by_form(parts)  # of one form, as they have been checked
        return found.take(np.argsort(found.receiver, kind="stable"))

    def _work(
        self, number: int, phones: IntArray, inbox: Messages | None, data: UserItems
    ) -> PeerWork | None:
        """Return what the jobs carry, for rules that a device can follow."""
        learning, models = self.learning, self.stage.models
        if models is None or learning.steps is None:
            return None
        return PeerWork(
            learning.peer,
            learning.steps,
            learning.store,
            phones,
            inbox,
            data,
            number,
            learning.draws,
            models,
        )
