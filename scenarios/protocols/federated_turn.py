"""One step of a federation: phones train on what they received and send what they learned.

Learning happens at the decision, in one call for a cohort; its effects count when they arrive:
what is private when the phone had computed, what is sent when the upload ended.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.devices.fleets.work import Work
from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Cohort, check_private
from droidloop.models.learning.learning import FederatedLearning
from droidloop.platform.arrays import IntArray
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.messages import Messages
from droidloop.platform.shards import shards
from droidloop.platform.state import Stateful, kept_value
from droidloop.scenarios.runtime.asking import Asking, Policy
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.chosen import method_of
from droidloop.scenarios.schema.turns import PolicyTurns

from .train_work import TrainWork


@kept_value
@dataclass(frozen=True)
class Step:
    """What one cohort received, did and wants to send."""

    cohort: Cohort
    data: UserItems
    inbox: Messages
    sent: Messages


@dataclass
class FederatedTurns(Stateful):
    """Takes steps of *learning* on the phones of *stage*, as *section* says."""

    stage: ProtocolContext
    learning: FederatedLearning
    section: PolicyTurns

    STATE = ("_asked",)

    def __post_init__(self) -> None:
        self._asked = np.zeros(len(self.stage.population), np.int64)
        everybody = Cohort(np.arange(len(self.stage.population)), 0, {})
        policy = method_of("policy", self.section.policy)
        self._policy: Policy = policy.build(self.section.policy)
        self.ram_bytes = self.learning.client.cost(everybody, self.learning.data).ram_bytes

    def ask(self, number: int, clients: int | None) -> IntArray:
        """Return at most *clients* phones that can work now, sorted; the policy chooses."""
        stage, section = self.stage, self.section
        if clients is None:
            return stage.ask(section, number, self.ram_bytes, None)
        return self._policy(
            Asking(
                stage,
                number,
                clients,
                self._asked,
                at_random=lambda: stage.ask(section, number, self.ram_bytes, clients),
                able=lambda: stage.ask(section, number, self.ram_bytes, None),
                by_rule=self.learning.choose,
            )
        )

    def take(self, number: int, phones: IntArray) -> list[Step]:
        """Train *phones*, all with the server's present parameters; one step a broadcast."""
        self._asked[phones] += 1
        # one step for each distinct broadcast: most rules send the same to all
        return [self._step(number, inbox) for inbox in self.learning.server.broadcast(phones)]

    def plan(self, step: Step) -> Jobs:
        """Return the jobs of *step*."""
        cost = self.learning.client.cost(step.cohort, step.data)
        return self.stage.plan(
            self.section,
            step.cohort.phones,
            Kind.TRAIN,
            cost,
            round=step.cohort.round,
            version=self.learning.server.version,
            down_bytes=step.inbox.nbytes(),
            up_bytes=step.sent.nbytes(),
        )

    def work(self, step: Step) -> Work | None:
        """Return what the jobs of *step* carry, for rules that a device can follow."""
        learning, models = self.learning, self.stage.models
        if models is None or learning.steps is None:
            return None
        return TrainWork(
            learning.steps,
            learning.store,
            step.cohort,
            step.data,
            step.inbox,
            step.sent,
            learning.draws,
            models,
        )

    def keep(self, step: Step, computed: IntArray) -> None:
        """Keep what the phones at *computed* hold privately."""
        cohort = step.cohort
        self.learning.store.commit(
            cohort.phones[computed],
            {name: rows[computed] for name, rows in cohort.private.items()},
        )
        if self.learning.on_computed is not None:
            self.learning.on_computed(step.inbox.take(computed), step.sent.take(computed))

    def fold(self, step: Step, arrived: IntArray) -> int:
        """Hand the messages at *arrived* to the server; return how many it refused."""
        refused = 0
        for shard in shards(len(arrived)):
            taken = self.learning.server.absorb(step.sent.take(arrived[shard]))
            refused += int(np.count_nonzero(~taken))
        return refused

    def _step(self, number: int, inbox: Messages) -> Step:
        learning = self.learning
        data = learning.data.take(inbox.receiver)
        cohort = Cohort(inbox.receiver, number, learning.store.gather(inbox.receiver))
        sent = self.stage.train(learning.client, cohort, inbox, data, learning.draws)
        for messages in (inbox, sent):
            check_private(messages, learning.recommender)
        return Step(cohort, data, inbox, sent)
