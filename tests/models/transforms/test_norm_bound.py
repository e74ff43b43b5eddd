"""A bound on the norm: who sends too much moves the model as far as the bound and no further."""

from dataclasses import replace

import numpy as np

from droidloop.models.federated.folds import row_average
from droidloop.models.interfaces.learning import ServerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.interfaces.transforms import Setting
from droidloop.models.peer.gossip_mf import gossip_store
from droidloop.models.recommenders.mf import MF
from droidloop.models.transforms.norm_bound import NormBound, NormBoundSection, build
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from tests.contracts.tiny import tiny_data

DRAWS = Draws(9, "norm")
N, DIM, PHONES = 6, 3, 4
MODEL = MF(N, DIM)


def transform(store: PrivateStore, server: ServerRule | None, bound: float = 1.0) -> NormBound:
    data = tiny_data(DRAWS, PHONES, N, 5)
    setting = Setting(PHONES, DRAWS, MODEL, data, store, server)
    return build(NormBoundSection(bound=bound), setting)


def uploads(kind: str = "delta") -> Messages:
    """Messages of two rows and of three, the second of norm 5."""
    values = np.zeros((5, DIM), np.float32)
    values[0, 0], values[2, 1], values[4, 2] = 0.5, 3.0, 4.0
    return Messages(
        kind=kind,
        sender=np.arange(2),
        receiver=np.full(2, SERVER),
        arrays={"item": values},
        weight=np.ones(2),
        base=np.zeros(2, np.int64),
        rows={"item": np.array([0, 1, 0, 1, 2])},
        offsets={"item": np.array([0, 2, 5])},
    )


def test_what_is_longer_is_shrunk_to_the_bound_and_the_rest_stays() -> None:
    one = transform(PrivateStore.of(MODEL, DRAWS, PHONES), row_average(MODEL.init(DRAWS)), 2.0)
    opened = one.open(uploads(), 0).arrays["item"]
    np.testing.assert_array_equal(opened[:2], uploads().arrays["item"][:2])
    np.testing.assert_allclose(opened[2:], uploads().arrays["item"][2:] * 2 / 5, rtol=1e-6)
    assert one.notes() == {"norm_opened": 2, "norm_shrunk": 1}
    assert one.notes() == {"norm_opened": 0, "norm_shrunk": 0}


def test_a_table_changes_what_it_differs_by_from_the_servers() -> None:
    server = row_average(MODEL.init(DRAWS))
    one = transform(PrivateStore.of(MODEL, DRAWS, PHONES), server)
    table = server.params["item"].numpy()
    sent = uploads("parameters")
    sent.arrays["item"][:] += table[sent.rows["item"]]
    opened = one.open(sent, 0).arrays["item"] - table[sent.rows["item"]]
    np.testing.assert_allclose(np.linalg.norm(opened[2:]), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(opened[:2] + table[[0, 1]], sent.arrays["item"][:2])


def test_a_neighbours_table_changes_what_it_differs_by_from_the_receivers() -> None:
    store = gossip_store(MODEL, DRAWS, PHONES)
    store.ensure(np.arange(PHONES))
    store.columns["item"][3] += 10.0
    one = transform(store, None)
    sent = replace(uploads("parameters"), receiver=np.array([3, 3]))
    opened = one.open(sent, 0).arrays["item"] - store.columns["item"][3][sent.rows["item"]]
    norms = [np.linalg.norm(opened[:2]), np.linalg.norm(opened[2:])]
    np.testing.assert_allclose(norms, 1.0, rtol=1e-4)


def test_the_order_of_messages_changes_nothing() -> None:
    server = row_average(MODEL.init(DRAWS))
    one = transform(PrivateStore.of(MODEL, DRAWS, PHONES), server)
    both = one.open(uploads(), 0)
    for k in range(2):
        alone = one.open(uploads().take(np.array([k])), 0)
        np.testing.assert_array_equal(alone.arrays["item"], both.take(np.array([k])).arrays["item"])
