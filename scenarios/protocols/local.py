"""Fine-tuning: every phone gets a model once, and goes on alone whenever it has the time."""

from dataclasses import dataclass

import numpy as np

from droidloop.models.learning.learning import PeerLearning
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Kind
from droidloop.platform.messages import SERVER
from droidloop.platform.registry import Method
from droidloop.platform.state import Stateful
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import ClosedTurns

from .peer_turn import PeerTurns
from .turn_loop import TurnLoop
from .unlearning_turns import peer_unlearning


class LocalSection(ClosedTurns):
    """Every phone gets a model and goes on alone."""


@dataclass
class FineTuning(Stateful):
    """The protocol: a download at the start, then computation alone."""

    stage: ProtocolContext
    learning: PeerLearning
    section: LocalSection

    STATE = ("_loop", "steps", "_unlearning")

    def __post_init__(self) -> None:
        self._loop = TurnLoop(self.stage, self.section)
        self._unlearning = peer_unlearning(self.stage, self.learning)
        self.steps = PeerTurns(self.stage, self.learning, self.section)

    def process(self) -> Process:
        """Open, then run all turns, one every ``every_s``."""
        if not self._loop.begun:
            yield from self.steps.open()
        yield from self._loop.run(self._turn, self._unlearning)

    def _turn(self, number: int) -> Process:
        steps, server_offers = self.steps, self.learning.server_offers
        open_us, phones = self.stage.now_us, steps.ask(number)
        silent = np.zeros(len(phones), np.bool_)
        offered = None if server_offers is None else server_offers(phones, number)
        inbox = [] if offered is None else [steps.channel.down(offered)]
        jobs, learned = yield from steps.play(
            number, phones, inbox, silent, Kind.TUNE, known=np.array([SERVER])
        )
        steps.channel.note(number)
        self.stage.recorder.event(
            "round",
            number,
            open_us=open_us,
            selected=len(phones),
            done=int(jobs.done.sum()),
            length_us=self.stage.now_us - open_us,
            learned=learned,
            version=number + 1,
        )


METHOD = Method(
    kind="protocol",
    name="local",
    section=LocalSection,
    build=lambda section, context, learning: FineTuning(context, learning, section),
    source="the tutorial's fine-tuning on the device (WWW 2024)",
    gives=frozenset({"peers", "local"}),
    needs={"rule": frozenset({"peers"})},
)
