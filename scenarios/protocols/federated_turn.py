"""One step of a federation: phones train on what they received and send what they learned.

Learning happens at the decision, in one call for a cohort; its effects count when they arrive:
what the server changes on a phone when the download ended, what is private when the phone had
computed, what is sent when the upload ended.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Cohort, Cost
from droidloop.models.learning.learning import FederatedLearning, Way
from droidloop.models.transforms.inspection import Cause
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Jobs, Kind, Outcome
from droidloop.platform.messages import Messages
from droidloop.platform.shards import shards
from droidloop.platform.state import Stateful, kept_value
from droidloop.scenarios.runtime.asking import Asking, Policy
from droidloop.scenarios.runtime.channel import Channel
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.mail import Mail, by_form
from droidloop.scenarios.schema.chosen import method_of
from droidloop.scenarios.schema.turns import PolicyTurns

from .train_work import TrainWork


@kept_value
@dataclass
class Step:
    """What one cohort received, did and wants to send.

    Attributes:
        cohort: the phones, and what is private to them after the step.
        data: what they learn from.
        inbox: what they received.
        sent: what they made by the rule; real devices write theirs over it.
        mail: what is really sent.
        heard: which phones' uploads were taken.
        trained: whether devices have trained some of it: what they made is in *sent* then.
    """

    cohort: Cohort
    data: UserItems
    inbox: Messages
    sent: Messages
    mail: Mail
    heard: BoolArray
    trained: bool = False


@kept_value
@dataclass
class Wave:
    """The phones that were asked at one time, and which of them the server has not seen end."""

    step: Step
    jobs: Jobs
    left: IntArray


@dataclass
class FederatedTurns(Stateful):
    """Takes steps of *learning* on the phones of *stage*, as *section* says."""

    stage: ProtocolContext
    learning: FederatedLearning
    section: PolicyTurns

    STATE = ("_asked", "channel")

    def __post_init__(self) -> None:
        self._asked = np.zeros(len(self.stage.population), np.int64)
        everybody = Cohort(np.arange(len(self.stage.population)), 0, {})
        policy = method_of("policy", self.section.policy)
        self._policy: Policy = policy.build(self.section.policy)
        self.ram_bytes = self.learning.client.cost(everybody, self.learning.data).ram_bytes
        self.channel = Channel(self.stage, self.learning, self.section, self.learning.server)
        self.way, self.kind = self.learning.way, Kind.TRAIN
        unlearner = self.stage.unlearner
        self._log = unlearner if unlearner is not None and unlearner.LOGS else None

    def turn_to(self, way: Way | None) -> None:
        """Have steps be taken in the *way* of unlearning from now on; None: in the usual one."""
        self.way = self.learning.way if way is None else way
        self.kind = Kind.TRAIN if way is None else Kind.UNLEARN

    def erase(self, phones: IntArray) -> None:
        """Know nothing of *phones* any more."""
        self._asked[phones] = 0

    def able(self, number: int, phones: IntArray) -> IntArray:
        """Return those of *phones* that can work now, sorted."""
        every = self.stage.ask(self.section, number, self.ram_bytes, None)
        return self._may(every[np.isin(every, phones)])

    def _may(self, phones: IntArray) -> IntArray:
        return np.asarray(phones[self.channel.may_send(phones)])

    def ask(self, number: int, clients: int | None) -> IntArray:
        """Return at most *clients* phones that can work now, sorted; the policy chooses."""
        stage, section = self.stage, self.section
        if clients is None:
            phones = stage.ask(section, number, self.ram_bytes, None)
            return self._may(stage.roster.welcome(phones))
        phones = self._policy(
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
        return self._may(stage.roster.welcome(phones))

    def take(self, number: int, phones: IntArray) -> list[Step]:
        """Train *phones*, all with the server's present parameters; one step a broadcast."""
        self._asked[phones] += 1
        if self._log is not None:
            self._log.asked(phones)
        # one step for each distinct broadcast: most rules send the same to all
        return [self._step(number, inbox) for inbox in self.way.server.broadcast(phones)]

    def plan(self, step: Step) -> Jobs:
        """Return the jobs of *step*."""
        cost = self.way.client.cost(step.cohort, step.data)
        cost = self.channel.cost(step.sent, cost)
        return self.stage.plan(
            self.section,
            step.cohort.phones,
            self.kind,
            cost,
            round=step.cohort.round,
            version=self.way.server.version,
            down_bytes=step.inbox.nbytes(),
            up_bytes=step.mail.nbytes(),
        )

    def work(self, step: Step) -> TrainWork | None:
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

    def begin(self, number: int, phones: IntArray) -> list[Wave]:
        """Have *phones* begin; one wave a broadcast."""
        waves = []
        for step in self.take(number, phones):
            jobs = self.plan(step)
            work = self.work(step)
            self.stage.recorder.play(jobs, work)
            step.trained = work is not None and bool(work.trained)  # devices have no future
            waves.append(Wave(step, jobs, np.arange(len(jobs))))
        return waves

    def ended(self, wave: Wave, before_us: int) -> IntArray:
        """Take the jobs that ended before that time out of *wave*; keep what their phones hold.

        Returns those that uploaded.
        """
        rows = wave.jobs.rows[wave.left]
        # a cohort knows its future at once: what ends then or later is not known yet
        ended = (rows["outcome"] != Outcome.PLANNED) & (rows["finish_us"] < before_us)
        mine = wave.left[ended]
        wave.left = wave.left[~ended]
        if len(mine):
            computed = mine[wave.jobs["compute_end_us"][mine] >= 0]
            self.keep(wave.step, mine[wave.jobs["down_end_us"][mine] >= 0], computed)
        return np.asarray(mine[wave.jobs.done[mine]])

    def keep(self, step: Step, fetched: IntArray, computed: IntArray) -> None:
        """Note whom the broadcast has reached; keep what those hold who have *computed*."""
        cohort, learning = step.cohort, self.learning
        if learning.on_delivered is not None and len(fetched):
            learning.on_delivered(step.inbox.take(fetched))
        self._note(step, computed)
        learning.store.commit(
            cohort.phones[computed],
            {name: rows[computed] for name, rows in cohort.private.items()},
        )
        learning.took_part[cohort.phones[computed]] = True
        self.channel.left(cohort.phones[computed], cohort.round)
        if learning.on_computed is not None:
            learning.on_computed(step.inbox.take(computed), step.sent.take(computed))
        if step.trained:  # the seal was on what the host made
            step.mail = self._mail(cohort, step.inbox, step.sent)

    def _note(self, step: Step, computed: IntArray) -> None:
        """Tell whoever keeps a log what those have made who have *computed*."""
        if self._log is not None and len(computed):
            cohort = step.cohort
            mine = {name: rows[computed] for name, rows in cohort.private.items()}
            done = Cohort(cohort.phones[computed], cohort.round, mine)
            before = self.learning.store.gather(done.phones)
            self._log.computed(done, before, step.sent.take(computed))

    def fold(self, step: Step, arrived: IntArray) -> int:
        """Hand the messages at *arrived* to the server; return how many it refused."""
        if self.channel.masking is not None:
            return self._fold_masked(step, arrived, None)
        accepted = 0
        for shard in shards(len(arrived)):
            for messages in self._received(step, arrived[shard]):
                accepted += self._absorb(messages)
        return len(arrived) - accepted

    def fold_after_answers(self, step: Step, arrived: IntArray, until_us: int) -> Process:
        """Fold what arrived after what the transforms still ask phones for; the value is as above.

        Answers are waited for until *until_us*.
        """
        masking = self.channel.masking
        if masking is None:
            return self.fold(step, arrived)
        together, number = step.cohort.phones, step.cohort.round
        asked = masking.ask(together, together[arrived], number)
        answers = None
        if asked is not None and until_us > self.stage.now_us:
            sent = masking.answer(self.channel.down(asked), number)
            jobs = self.stage.plan(
                self.section,
                asked.receiver,
                Kind.EXCHANGE,
                Cost(0, 0, 0),
                round=number,
                version=self.way.server.version,
                down_bytes=asked.nbytes(),
                up_bytes=sent.nbytes(),
                deadline_us=until_us,
            )
            yield self.stage.recorder.play(jobs)
            answers = sent.take(np.flatnonzero(jobs.done))
        return self._fold_masked(step, arrived, answers)

    def _fold_masked(self, step: Step, arrived: IntArray, answers: Messages | None) -> int:
        masking, together = self.channel.masking, step.cohort.phones
        assert masking is not None
        sealed = by_form(self._received(step, arrived))
        if not sealed:
            return len(arrived)
        total, used = masking.open_together(sealed[0], together, answers, step.cohort.round)
        self.channel.count(np.full(int((~used).sum()), Cause.MASK, np.int8))
        accepted = int(used.sum())
        if len(total) and not self.way.server.absorb(total).all():
            self.channel.count(np.full(accepted, Cause.SUM, np.int8))
            accepted = 0
        return len(arrived) - accepted

    def _received(self, step: Step, arrived: IntArray) -> list[Messages]:
        """Return the messages at *arrived* that are taken, as the server opens them."""
        parts, server = step.mail.take(arrived), self.way.server
        fresh = [self._fresh(server.version - part.base) for part in parts]
        return self.channel.receive(
            parts,
            server.form,
            step.cohort.round,
            known=step.cohort.phones,
            heard=step.heard,
            fresh=fresh,
        )

    def _fresh(self, age: IntArray) -> BoolArray:
        weight = self.section.weight_by_age(np.maximum(age, 0))
        return np.asarray((age >= 0) & (weight > 0))

    def _absorb(self, messages: Messages) -> int:
        taken = self.way.server.absorb(messages)
        self.channel.count(np.full(int((~taken).sum()), Cause.SUM, np.int8))
        return int(taken.sum())

    def _mail(self, cohort: Cohort, inbox: Messages, sent: Messages) -> Mail:
        form = self.way.server.form
        return self.channel.send(sent, form, cohort.phones, cohort.round, inbox)

    def _step(self, number: int, inbox: Messages) -> Step:
        learning = self.learning
        data = self.stage.local(learning.data, inbox.receiver)
        cohort = Cohort(inbox.receiver, number, learning.store.gather(inbox.receiver))
        sent = self.stage.train(
            self.way.client, cohort, self.channel.down(inbox), data, self.way.draws
        )
        heard = np.zeros(len(cohort), np.bool_)
        return Step(cohort, data, inbox, sent, self._mail(cohort, inbox, sent), heard)
