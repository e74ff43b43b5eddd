"""Stages for tests of protocols: phones with every limit, and a rule that one can follow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.fleets.fleet import CohortFleet, ExactFleet
from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.learning import Cost
from droidloop.models.interfaces.peers import Groups
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import PeerLearning, Snapshot
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine
from droidloop.platform.ledger import Ledger, Rows, read
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.units import HOUR_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.recorder import Recorder
from tests.contracts.worlds import mixed, steady

PHONES = 40
Play = Callable[[ProtocolContext], Any]


class Whispers:
    """A peer rule: a phone knows a set of phones, tells all of it, and takes in what it hears."""

    def form(self, store: PrivateStore) -> Form:
        heard = ArrayForm((PHONES,), "bool", numbered=False, needed=True)
        return Form(frozenset({"names"}), {"heard": heard})

    def share(self, phones: IntArray, store: PrivateStore, round_: int, draws: Draws) -> Messages:
        m = len(phones)
        return Messages(
            "names",
            phones,
            np.full(m, SERVER),
            {"heard": store.gather(phones)["heard"].reshape(-1)},
            np.ones(m),
            np.full(m, round_),
            offsets={"heard": np.arange(m + 1) * PHONES},
        )

    def learn(
        self,
        phones: IntArray,
        inbox: Messages | None,
        store: PrivateStore,
        data: UserItems,
        round_: int,
        draws: Draws,
    ) -> None:
        columns = store.gather(phones)
        columns["turns"] += 1
        if inbox is not None:
            for k, receiver in enumerate(inbox.receiver.tolist()):
                here = int(np.searchsorted(phones, receiver))
                columns["heard"][here] |= inbox.arrays["heard"][k * PHONES : (k + 1) * PHONES]
                columns["messages"][here] += 1
        store.commit(phones, columns)

    def cost(self, phones: IntArray, merged: IntArray, data: UserItems) -> Cost:
        return Cost(10**8 * (1 + merged), 10**6, 10**6)


class Halves:
    """A grouping by whether a phone's number is odd, which is what it reports."""

    def form(self, store: PrivateStore) -> Form:
        odd = ArrayForm((1,), "int64", numbered=False, needed=True)
        return Form(frozenset({"report"}), {"odd": odd})

    def report(self, phones: IntArray, store: PrivateStore) -> Messages:
        m = len(phones)
        odd = {"odd": (phones % 2).astype(np.int64)}
        offsets = {"odd": np.arange(m + 1)}
        return Messages(
            "report", phones, np.full(m, SERVER), odd, np.ones(m), phones * 0, offsets=offsets
        )

    def group(self, reports: Messages, count: int, draws: Draws, round_: int) -> Groups:
        return Groups(reports.arrays["odd"] % count, None, {})


def whispering(initial_download: Messages | None = None, phones: int = PHONES) -> PeerLearning:
    """Return a society in which every phone knows itself."""

    def fill(some: IntArray) -> dict[str, Array]:
        return {
            "user": np.zeros((len(some), 1), np.float32),
            "heard": some[:, None] == np.arange(PHONES),
            "turns": np.zeros(len(some), np.int64),
            "messages": np.zeros(len(some), np.int64),
        }

    return PeerLearning(
        recommender=MF(3, 1),
        store=PrivateStore(phones, fill),
        data=UserItems.bare(np.zeros(phones, np.int64), np.arange(phones + 1)),
        draws=Draws(5, "whispers"),
        snapshot=lambda: Snapshot({}),
        peer=Whispers(),
        initial_download=initial_download,
        grouping=Halves(),
    )


def playing(folder: Path, play: Play, *, exact: bool = False, ideal: bool = False) -> Path:
    """Run the protocol that *play* makes of a stage, from noon on; return the ledger's folder."""
    engine = Engine()
    engine.run(12 * HOUR_US)
    population = steady("wifi", phones=PHONES) if ideal else mixed(PHONES)
    fleet = ExactFleet(engine, population) if exact else CohortFleet(engine, population)
    ledger = Ledger(folder)
    stage = ProtocolContext(
        Recorder(engine, fleet, ledger), population, Draws(5, "selection"), lambda number: None
    )
    engine.run(engine.process(play(stage).process()))
    ledger.close()
    return folder


def values(folder: Path, kind: str, name: str) -> list[int]:
    """Return the values of the events *kind* under *name*, in order."""
    events: Rows = read(folder, "events")
    mine = (events["kind"] == kind.encode()) & (events["name"] == name.encode())
    found: list[int] = events["value"][mine].tolist()
    return found
