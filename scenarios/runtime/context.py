"""What every protocol works with: the clock and the ledger, the phones, and how they are asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from droidloop.devices.population.population import Population
from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Cost
from droidloop.models.interfaces.transforms import Observer
from droidloop.models.packages.step_export import TrainingModels
from droidloop.models.unlearning.unlearner import Unlearner
from droidloop.network.topology import Topology
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Jobs, Kind, Need
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.schema.turns import Turns

from .recorder import Recorder
from .remote_training import Train, train_here
from .roster import Roster
from .selection import select

PROCESS_BYTES = 64 * 2**20
"""Memory of a process that trains, its data apart: assumed."""


def local_at(
    t_us: int, data_starts_s: float | None, data: UserItems, phones: IntArray
) -> UserItems:
    """Return the rows of *phones*: what has happened there by that time."""
    rows = data.take(phones)
    return rows if data_starts_s is None else rows.by(data_starts_s + t_us / SECOND_US)


@dataclass(frozen=True)
class ProtocolContext:
    """The world of a protocol.

    Attributes:
        recorder: plays jobs, writes the ledger, knows the clock.
        population: the phones.
        draws: the chance of selection.
        after_round: called with the number of each turn that has ended.
        models: the training steps for real devices; None where all phones are simulated.
        train: says where cohorts do their steps.
        links: who is linked with whom, where that is fixed from the start.
        data_starts_s: the time of the data at which the clock begins; None: all is known at once.
        roster: who is known to have gone, and who wants to be forgotten.
        unlearner: how those are forgotten; None: nobody will be.
        after_unlearning: called when a turn of unlearning has ended, with the phones that are
            forgotten by it.
        observers: see what a curious receiver of any message sees.
    """

    recorder: Recorder
    population: Population
    draws: Draws
    after_round: Callable[[int], None]
    models: TrainingModels | None = None
    train: Train = train_here
    links: Topology | None = None
    data_starts_s: float | None = None
    roster: Roster = field(default_factory=lambda: Roster(0))
    """Of all phones, of whom nothing is known yet, if not given."""
    unlearner: Unlearner | None = None
    after_unlearning: Callable[[IntArray], None] = lambda phones: None
    observers: tuple[Observer, ...] = ()

    def __post_init__(self) -> None:
        if self.roster.phones != len(self.population):
            object.__setattr__(self, "roster", Roster(len(self.population)))

    @property
    def now_us(self) -> int:
        """The virtual time."""
        return self.recorder.engine.now_us

    def local(self, data: UserItems, phones: IntArray) -> UserItems:
        """Return the rows of *phones*: what has happened there by now."""
        return local_at(self.now_us, self.data_starts_s, data, phones)

    def ask(
        self,
        section: Turns,
        counter: int,
        ram_bytes: int | IntArray,
        clients: int | None,
        *,
        needs: Need | None = None,
    ) -> IntArray:
        """Return at most *clients* phones that can work now, sorted; all of them for None.

        *needs* are those of the section if not given.
        """
        return select(
            self.population.world,
            self.now_us,
            self.draws,
            counter,
            clients=clients,
            needs=section.needs if needs is None else needs,
            ram_bytes=PROCESS_BYTES + ram_bytes,
            min_battery=section.min_battery,
        )

    def plan(
        self, section: Turns, phones: IntArray, kind: Kind, cost: Cost, **columns: Any
    ) -> Jobs:
        """Return jobs for *phones*, planned for now and until the section's deadline."""
        common: dict[str, Any] = {
            "needs": section.needs,
            "deadline_us": self.now_us + round(section.deadline_s * SECOND_US),
            "flops": cost.flops,
            "moved_bytes": cost.moved_bytes,
            "operators": cost.operators,
            "ram_bytes": PROCESS_BYTES + cost.ram_bytes,
            # what it works on comes from storage; jobs that compute nothing need no process
            "load_bytes": np.where(np.asarray(cost.flops) > 0, cost.ram_bytes, -1),
        }
        return self.recorder.plan(phones, kind, **{**common, **columns})
