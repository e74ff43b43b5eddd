"""What real devices do in a turn of gossip or alone: they train on what they have merged.

Merging averages tables and is done by the relay's side, here; a device gets the rows that it
touches as they are after that, and its result takes the place of what the host would compute.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from droidloop.devices.fleets.model_job import ModelJob
from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.peers import PeerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.device_step import LocalTrainingJob, trained_by, training_job_of
from droidloop.models.local.sgd import Trainer
from droidloop.models.packages.step_export import TrainingModels
from droidloop.models.peer.gossip_engines import ROW_AGE
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages

from .train_work import checked, model_job

Columns = dict[str, Array]


@dataclass
class PeerWork:
    """One turn of *phones*; ``trained`` holds what devices gave, by place, after it was played.

    Attributes:
        rule: the peer rule, which merges.
        steps: the rule as real devices take its steps.
        store: of all phones; not changed here.
        phones: of the jobs.
        inbox: what they fetched, addressed to them.
        data: one row a phone.
        round: the turn.
        draws: as the rule gets them.
        models: the exported steps.
    """

    rule: PeerRule
    steps: Trainer
    store: PrivateStore
    phones: IntArray
    inbox: Messages | None
    data: UserItems
    round: int
    draws: Draws
    models: TrainingModels
    trained: dict[int, Columns] = field(default_factory=dict)
    _begun: dict[int, tuple[Columns, LocalTrainingJob]] = field(default_factory=dict)

    def order(self, k: int) -> ModelJob:
        """Return the training of phone *k* of the turn; see ``Work.order``."""
        return model_job(self._job(k)[1], self.models)

    def accept(self, k: int, outputs: Mapping[str, Array]) -> None:
        """Take what phone *k* has trained; see ``Work.accept``."""
        merged, job = self._job(k)
        with checked(outputs):
            rows, user = trained_by(job, outputs)
        columns = {name: values.copy() for name, values in merged.items()}
        columns[self.steps.recommender.items.name][0, job.ids] = rows
        columns["user"][0] = user[0]
        columns["age"] += self.data.counts[k] > 0
        if ROW_AGE in columns and self.data.counts[k] > 0:
            columns[ROW_AGE][0, job.ids] += 1
        self.trained[k] = columns

    def commit(self, computed: IntArray) -> IntArray:
        """Write what devices gave into the store; return the places that are left to the host."""
        for k in computed.tolist():
            if k in self.trained:
                self.store.commit(self.phones[k : k + 1], self.trained[k])
        return computed[[k not in self.trained for k in computed.tolist()]]

    def _job(self, k: int) -> tuple[Columns, LocalTrainingJob]:
        if k not in self._begun:
            phone, data = int(self.phones[k]), self.data.take(np.array([k]))
            merged = self._merged(k)
            table = merged[self.steps.recommender.items.name][0]
            job = training_job_of(
                self.steps, phone, self.round, data, table, merged["user"], self.draws
            )
            self._begun[k] = merged, job
        return self._begun[k]

    def _merged(self, k: int) -> Columns:
        """Return the columns of phone *k* after it has merged what it fetched."""
        mine = self.store.gather(self.phones[k : k + 1])
        alone, zero = PrivateStore(1, lambda some: {n: v[some] for n, v in mine.items()}), np.zeros
        if self.inbox is None:
            return mine
        inbox = self.inbox.take(self.inbox.receiver == self.phones[k])
        inbox = replace(inbox, receiver=zero(len(inbox), np.int64))
        nothing = UserItems.bare(zero(0, np.int64), zero(2, np.int64))  # merges, and trains on none
        self.rule.learn(zero(1, np.int64), inbox, alone, nothing, self.round, self.draws)
        return alone.gather(zero(1, np.int64))
