"""What a server changes on phones takes effect when its message has arrived, and not before."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.federated.fedfast import FedFast, FedFastServer, deliver
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.interfaces.learning import Cohort, Cost
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import FederatedLearning, Snapshot
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws
from droidloop.platform.registry import find
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.chosen import section_with
from tests.contracts.tiny import tiny_data
from tests.scenarios.small_worlds import PHONES, playing

ITEMS, DIM, DRIFT = 30, 4, 0.25
DRAWS = Draws(4, "arrival")
EVERYBODY = np.arange(PHONES)


@dataclass(frozen=True)
class Slow(FedFast):
    """Phones that compute for hours."""

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        return replace(super().cost(cohort, data), flops=10**16)


def drifting(folder: Path, client: type[FedFast], deadline_s: float) -> tuple[Array, Array]:
    """Play a round in which a drift waits for all; return what still waits, and how users moved."""
    model = MF(ITEMS, DIM)
    server = FedFastServer(
        row_average(model.init(DRAWS)),
        n_phones=PHONES,
        dim=DIM,
        clusters=2,
        discount=0.0,
        draws=DRAWS,
    )
    server._drift[:] = DRIFT
    store = PrivateStore.of(model, DRAWS, PHONES)
    before = store.gather(EVERYBODY)["user"]
    learning = FederatedLearning(
        recommender=model,
        store=store,
        data=tiny_data(DRAWS, PHONES, ITEMS),
        draws=DRAWS,
        snapshot=lambda: Snapshot({}),
        client=client(FedMF(model)),
        server=server,
        on_delivered=partial(deliver, server, store),
    )
    section = section_with(
        "protocol", "rounds", rounds=1, every_s=600.0, deadline_s=deadline_s, min_battery=0.0
    )

    def make(stage: ProtocolContext) -> object:
        return find("protocol", "rounds").build(section, stage, learning)

    playing(folder, make, ideal=True)
    return server.drift_of(EVERYBODY), store.gather(EVERYBODY)["user"] - before


def test_a_drift_that_never_arrives_goes_on_waiting_and_moves_nobody(tmp_path: Path) -> None:
    waiting, moved = drifting(tmp_path, FedFast, deadline_s=1e-6)
    assert (waiting == DRIFT).all()
    assert not moved.any()


def test_a_drift_that_arrives_moves_a_phone_that_does_not_finish(tmp_path: Path) -> None:
    waiting, moved = drifting(tmp_path, Slow, deadline_s=300.0)
    assert not waiting.any()
    np.testing.assert_allclose(moved, DRIFT, atol=1e-6)


def test_a_drift_moves_a_phone_that_trains_once(tmp_path: Path) -> None:
    waiting, moved = drifting(tmp_path, FedFast, deadline_s=300.0)
    assert not waiting.any()
    learned = tiny_data(DRAWS, PHONES, ITEMS).counts > 0
    np.testing.assert_allclose(moved[~learned], DRIFT, atol=1e-6)
    assert (np.abs(moved[learned] - DRIFT).max(axis=1) > 1e-4).all()
    assert np.abs(moved - DRIFT).max() < DRIFT, "training moves less than another drift would"
