"""Small federations and gossip on stages of phones, for tests of what messages go through."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.interfaces.staleness import fading, within
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.interfaces.transforms import Observer, Sender
from droidloop.models.learning.learning import FederatedLearning, PeerLearning, Snapshot
from droidloop.models.peer.gossip_mf import GossipMF, gossip_store
from droidloop.models.peer.group_by_taste import TasteGrouping
from droidloop.models.recommenders.mf import MF
from droidloop.network.generators import ring
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws
from droidloop.platform.registry import find
from droidloop.scenarios.runtime.channel import Channel
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.chosen import section_with
from tests.contracts.tiny import tiny_data
from tests.scenarios.small_worlds import PHONES, playing

ITEMS, DIM = 30, 4
DRAWS = Draws(2, "protected")
TURNS: dict[str, dict[str, Any]] = {
    "rounds": {"rounds": 4, "every_s": 600.0, "deadline_s": 300.0},
    "buffered": {"rounds": 6, "every_s": 5.0, "deadline_s": 300.0, "clients": 20, "buffer": 8},
    "gossip": {"rounds": 4, "every_s": 600.0, "deadline_s": 300.0, "mode": "push-pull"},
    "groups": {"rounds": 4, "every_s": 600.0, "deadline_s": 300.0, "groups": 3},
}


def federation(late: bool = False) -> FederatedLearning:
    """Return FedMF on small data."""
    model = MF(ITEMS, DIM)
    return FederatedLearning(
        recommender=model,
        store=PrivateStore.of(model, DRAWS, PHONES),
        data=tiny_data(DRAWS, PHONES, ITEMS),
        draws=DRAWS,
        snapshot=lambda: Snapshot({}),
        client=FedMF(model),
        server=row_average(model.init(DRAWS), staleness=fading(0.5, 20) if late else within(0)),
    )


def neighbourhood() -> PeerLearning:
    """Return gossip of matrix factorisation on small data, merged row by row."""
    model = MF(ITEMS, DIM)
    data = tiny_data(DRAWS, PHONES, ITEMS)
    return PeerLearning(
        recommender=model,
        store=gossip_store(model, DRAWS, PHONES, by_row=True),
        data=data,
        draws=DRAWS,
        snapshot=lambda: Snapshot({}),
        peer=GossipMF(model, updates="once"),
        grouping=TasteGrouping("item", data),
    )


@dataclass
class Played:
    """What came of a protocol that was played.

    Attributes:
        folder: of the ledger.
        learning: as it is at the end.
        channel: its messages' way.
    """

    folder: Path
    learning: FederatedLearning | PeerLearning
    channels: list[Channel] = field(default_factory=list)

    @property
    def channel(self) -> Channel:
        return self.channels[0]

    def tables(self) -> Array:
        """Return all shared parameters, or the tables of all phones."""
        if isinstance(self.learning, FederatedLearning):
            return self.learning.server.params["item"].numpy()
        return self.learning.store.gather(np.arange(PHONES))["item"]


def play(
    folder: Path,
    kind: str,
    *,
    liars: Sequence[Sender] = (),
    each: int = 0,
    exact: bool = False,
    ideal: bool = True,
    observers: tuple[Observer, ...] = (),
    change: Callable[[Any], None] = lambda learning: None,
    **keys: Any,
) -> Played:
    """Play the protocol *kind*; *each* of phones 0, 1, ... follow each of *liars* in turn."""
    learning: Any = federation(kind == "buffered") if kind in ("rounds", "buffered") else None
    learning = neighbourhood() if learning is None else learning
    change(learning)
    section = section_with("protocol", kind, min_battery=0.0, **{**TURNS[kind], **keys})
    played = Played(folder, learning)

    def make(stage: ProtocolContext) -> Any:
        links = ring(PHONES, 4) if kind == "gossip" else None
        stage = replace(stage, observers=observers, links=links)
        protocol = find("protocol", kind).build(section, stage, learning)
        steps = protocol._gossip.steps if kind == "groups" else protocol.steps
        played.channels.append(steps.channel)
        if liars:
            steps.channel.senders = list(liars)
            rule = np.arange(PHONES) // each
            steps.channel.rule_of = np.where(rule < len(liars), rule, -1)
        return protocol

    playing(folder, make, exact=exact, ideal=ideal)
    return played
