"""Asynchronous rounds: phones work at their own pace, the server moves on with every full buffer.

Nguyen et al., Federated Learning with Buffered Asynchronous Aggregation (AISTATS 2022): a fixed
number of phones is at work; the server folds uploads as they come, each by its age in versions,
makes a new version of every *buffer* of them, and asks another phone for each that has ended.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from droidloop.models.interfaces.staleness import Staleness, fading
from droidloop.models.learning.learning import FederatedLearning
from droidloop.platform.engine import Process
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, CountOrNone, Days, NotNegative, People, Seconds
from droidloop.platform.state import Stateful
from droidloop.platform.units import DAY_US, SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import PolicyTurns

from .federated_turn import FederatedTurns, Wave
from .unlearning_turns import UnlearningTurns, federated_turn


class BufferedSection(PolicyTurns):
    """Asynchronous rounds: phones come and go, the server moves on with every full buffer."""

    rounds: Count = 20
    """How many new versions of the model the server makes."""
    every_s: Seconds = 1.0
    """How often the server looks at what has arrived, folds it and asks other phones."""
    clients: People | None = None
    """How many phones are at work at once; a tenth of all if not given."""
    buffer: Count = 10
    """How many uploads make a new version."""
    staleness: CountOrNone = 20
    """The most versions that an upload may be behind; older ones are refused."""
    fading: NotNegative = 0.5
    """Uploads of age a weigh (1 + a) to the power of minus this."""
    limit_days: Days = 30.0
    """When the server stops, even with fewer versions than `rounds`."""

    @property
    def weight_by_age(self) -> Staleness:
        """The weight of an upload by its age in versions."""
        return fading(self.fading, self.staleness)


@dataclass
class Buffered(Stateful):
    """The protocol. The server looks every ``every_s``, at what had ended before."""

    stage: ProtocolContext
    learning: FederatedLearning
    section: BufferedSection
    _start_us: int = -1
    _version: int = 0
    _look: int = 0
    _waves: list[Wave] = field(default_factory=list)
    _folded: int = 0
    _asked: int = 0
    _done: int = 0
    _refused: int = 0
    _ages: list[int] = field(default_factory=list)

    STATE = (
        *("steps", "_unlearning", "_start_us", "_version", "_look"),
        *("_waves", "_folded", "_asked", "_done", "_refused", "_ages"),
    )

    def __post_init__(self) -> None:
        self.steps = FederatedTurns(self.stage, self.learning, self.section)
        phones = len(self.stage.population)
        self._at_work = min(self.section.clients or max(1, phones // 10), phones)
        self._unlearning = UnlearningTurns(
            self.stage, self.learning, self._unlearn, self.steps.erase, self._drain
        )

    def process(self) -> Process:
        """Run until the server has made ``rounds`` versions, or ``limit_days`` are over."""
        recorder, section = self.stage.recorder, self.section
        engine, every_us = recorder.engine, round(section.every_s * SECOND_US)
        if self._start_us < 0:
            self._start_us = engine.now_us
        end_us = self._start_us + round(section.limit_days * DAY_US)
        while True:
            yield engine.until(self._start_us + self._look * every_us)
            while self._unlearning.due:  # who is at work by then is waited for, in vain
                yield from self._unlearning.turn(self._version, section.rounds)
                yield engine.settled()
            self._look = max(self._look, -((self._start_us - engine.now_us) // every_us))
            if self._version == section.rounds or engine.now_us >= end_us:
                break
            for _ in range(self._collect(self._version, section.rounds)):
                self.stage.after_round(self._version)
                self._version += 1
            if self._version < section.rounds:
                self._ask(self._look)
            self._look += 1
        yield engine.all_of([recorder.end_of(wave.jobs) for wave in self._waves])

    def _drain(self) -> Process:
        """Wait for all who are at work, and take nothing of theirs."""
        recorder = self.stage.recorder
        yield recorder.engine.all_of([recorder.end_of(wave.jobs) for wave in self._waves])
        self._waves, self._ages = [], []
        self._folded = self._asked = self._done = self._refused = 0

    def _unlearn(self, number: int, turn: int) -> Process:
        """Play one turn of unlearning; see ``UnlearningTurns.play``."""
        yield from federated_turn(
            self.stage, self.steps, number, turn, lambda k: self.steps.ask(k, self._at_work)
        )

    def _collect(self, version: int, versions: int) -> int:
        """Fold what arrived since the last look, in its order; return how many versions that made.

        What arrives after the last version counts for nothing.
        """
        made = 0
        for wave, k in self._arrived():
            if version + made < versions:
                refused = self.steps.fold(wave.step, np.array([k]))
                self._folded += 1 - refused
                if not refused:
                    age = self.learning.server.version - int(wave.jobs["version"][k])
                    self._ages.append(age)
                self._refused += refused
                self._done += 1
            if self._folded == self.section.buffer:
                self._close(version + made)
                made += 1
        return made

    def _arrived(self) -> list[tuple[Wave, int]]:
        """Take the jobs that have ended out of the waves; return those that uploaded in time."""
        now_us = self.stage.now_us
        found: list[tuple[int, int, Wave, int]] = []
        for wave in self._waves:
            for k in self.steps.ended(wave, now_us).tolist():
                row = wave.jobs.rows[k]
                found.append((int(row["finish_us"]), int(row["job"]), wave, k))
        self._waves = [wave for wave in self._waves if len(wave.left)]
        found.sort(key=lambda one: one[:2])
        return [(wave, k) for _, _, wave, k in found]

    def _close(self, number: int) -> None:
        self.learning.server.close()
        self.steps.channel.note(number)
        self.stage.recorder.event(
            "round",
            number,
            selected=self._asked,
            done=self._done,
            refused=self._refused,
            version=self.learning.server.version,
        )
        ages = Counter(self._ages)
        uploads = {f"uploads_of_age_{age}": ages[age] for age in sorted(ages)}
        self.stage.recorder.event("staleness", number, **uploads)
        self._folded = self._asked = self._done = self._refused = 0
        self._ages = []

    def _ask(self, look: int) -> None:
        """Ask as many phones as are missing."""
        missing = self._at_work - sum(len(wave.left) for wave in self._waves)
        phones = self.steps.ask(look, missing)
        self._asked += len(phones)
        if len(phones):
            self._waves += self.steps.begin(look, phones)


METHOD = Method(
    kind="protocol",
    name="buffered",
    section=BufferedSection,
    build=lambda section, context, learning: Buffered(context, learning, section),
    source="Nguyen et al.: Federated Learning with Buffered Asynchronous Aggregation (2022)",
    gives=frozenset({"server", "buffered", "sends", "unlearns"}),
    needs={"rule": frozenset({"server"})},
)
