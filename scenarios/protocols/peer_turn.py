"""One turn of phones that learn from one another: what they fetch, what they do, what that costs.

The phones' models lie in the store, and learning changes them in place: so a turn is played
first, and those learn whose computation came to its end.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import check_private
from droidloop.models.learning.learning import PeerLearning
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Kind, Need
from droidloop.platform.messages import Messages
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import Turns

from .peer_work import PeerWork


@dataclass
class PeerTurns:
    """Plays turns of *learning* on the phones of *stage*, as *section* says."""

    stage: ProtocolContext
    learning: PeerLearning
    section: Turns
    needs: Need | None = None
    """What must hold for a phone to be asked, where that is not what its jobs need."""

    def __post_init__(self) -> None:
        everybody = np.arange(len(self.stage.population))
        one = np.ones(len(everybody), np.int64)
        self._ram_bytes = self.learning.peer.cost(everybody, one, self.learning.data).ram_bytes
        self._has_model = np.full(len(everybody), self.learning.initial_download is None)

    def open(self) -> Process:
        """Have every phone fetch what the server sends before it leaves, until the deadline."""
        initial_download = self.learning.initial_download
        if initial_download is None:
            return
        check_private(initial_download, self.learning.recommender)
        everybody = np.arange(len(self.stage.population))
        jobs = self.stage.recorder.plan(
            everybody,
            Kind.DELIVER,
            needs=self.section.needs,
            deadline_us=self.stage.now_us + round(self.section.every_s * SECOND_US),
            down_bytes=initial_download.nbytes(),
        )
        yield self.stage.recorder.play(jobs)
        self._has_model[jobs["phone"][jobs.done]] = True

    def ask(self, number: int) -> IntArray:
        """Return the phones that have a turn now, sorted: able, and with a model."""
        clients = self.section.clients
        able = self.stage.ask(self.section, number, self._ram_bytes, clients, needs=self.needs)
        return np.asarray(able[self._has_model[able]])

    def play(
        self,
        number: int,
        phones: IntArray,
        inbox: Messages | None,
        tells: BoolArray,
        kind: Kind,
        *,
        here: bool = False,
    ) -> Process:
        """Play the turn of *phones*; its value is its jobs and how many phones have learned.

        *inbox* is addressed to them and sorted by receiver; those that *tells* marks upload. What
        is *here* already is not fetched, and has taken the first half of the turn's time.
        """
        learning = self.learning
        data = learning.data.take(phones)
        place = None if inbox is None else np.searchsorted(phones, inbox.receiver)
        merged, down = np.zeros(len(phones), np.int64), np.zeros(len(phones), np.int64)
        if inbox is not None and place is not None:
            check_private(inbox, learning.recommender)
            merged = np.bincount(place, minlength=len(phones))
            np.add.at(down, place, 0 if here else inbox.nbytes())
        jobs = self.stage.plan(
            self.section,
            phones,
            kind,
            learning.peer.cost(phones, merged, data),
            round=number,
            version=number,
            down_bytes=down,
            up_bytes=np.where(tells, self.message_bytes(phones, number), 0),
            deadline_us=self.deadline_us(0.5 if here else 1.0),
        )
        work = self._work(number, phones, inbox, data)
        yield self.stage.recorder.play(jobs, work)
        computed = learned = np.flatnonzero(jobs["compute_end_us"] >= 0)
        if work is not None:
            computed = work.commit(computed)
        if inbox is not None and place is not None:
            heard = inbox.take(np.isin(place, learned))
            self.stage.recorder.learned(number, heard.receiver, heard.sender)
        if len(computed):
            theirs = None
            if inbox is not None and place is not None:
                mask = np.isin(place, computed)
                theirs = inbox.take(mask) if mask.any() else None
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

    def message_bytes(self, phones: IntArray, number: int) -> IntArray:
        """Return the bytes of what *phones* send: sizes do not depend on what a turn teaches."""
        learning = self.learning
        if not len(phones):
            return np.empty(0, np.int64)
        return learning.peer.share(phones, learning.store, number, learning.draws).nbytes()

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
