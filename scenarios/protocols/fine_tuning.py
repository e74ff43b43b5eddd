"""Fine-tuning: every phone gets a model once, and goes on alone whenever it has the time."""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.engine import Process
from droidloop.platform.jobs import Kind
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.learning.learning import Society
from droidloop.scenarios.runtime.context import Stage
from droidloop.scenarios.schema.protocol_sections import LocalSection

from .peer_turn import SocietySteps


@dataclass
class Alone:
    """The protocol: a download at the start, then computation alone."""

    stage: Stage
    learning: Society
    section: LocalSection

    def process(self) -> Process:
        """Open, then run all turns, one every ``every_s``."""
        engine, section = self.stage.recorder.engine, self.section
        steps = SocietySteps(self.stage, self.learning, section)
        yield from steps.open()
        start_us, every_us = engine.now_us, round(section.every_s * SECOND_US)
        for number in range(section.rounds):
            yield engine.until(start_us + number * every_us)
            open_us, phones = self.stage.now_us, steps.ask(number)
            silent = np.zeros(len(phones), np.bool_)
            offers = self.learning.offers
            inbox = None if offers is None else offers(phones, number)
            jobs, learned = yield from steps.play(number, phones, inbox, silent, Kind.TUNE)
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
            self.stage.after_round(number)
        yield engine.until(start_us + section.rounds * every_us)
