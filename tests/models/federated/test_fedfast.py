"""FedFast: delegates of every cluster, and others who move along with them."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.models.federated.fedfast import DRIFT, FedFast, FedFastServer
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.federated.perfedrec_rules import EMBEDDING
from droidloop.models.numerics.kmeans import some_of_each
from droidloop.models.recommenders.mf import MF
from droidloop.models.transforms.inspection import Cause, inspect
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from tests.contracts.client_rule import ClientRuleContract
from tests.contracts.server_rule import ServerRuleContract
from tests.contracts.tiny import cohort_of, tiny_data

DRAWS = Draws(42, "fedfast")
N_ITEMS, N_USERS, DIM = 30, 12, 6
MODEL = MF(N_ITEMS, DIM)
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)
RULE = FedFast(FedMF(MODEL))


def server(clusters: int = 3, discount: float = 0.5) -> FedFastServer:
    fold = row_average(MODEL.init(DRAWS))
    return FedFastServer(
        fold, n_phones=N_USERS, dim=DIM, clusters=clusters, discount=discount, draws=DRAWS
    )


def train(at: FedFastServer, phones: IntArray = PHONES, round_: int = 0) -> Messages:
    """One step of *phones*: what they send."""
    [inbox] = at.broadcast(phones)
    return RULE.step(cohort_of(MODEL, DRAWS, phones, round_), inbox, DATA.take(phones), DRAWS)


class TestClient(ClientRuleContract):
    rule = RULE
    recommender = MODEL
    data = DATA
    server = staticmethod(server)


class TestServer(ServerRuleContract):
    server = staticmethod(server)
    uploads = staticmethod(lambda: train(server()))


def test_a_phone_that_was_not_asked_is_sent_the_discounted_change_of_its_delegates() -> None:
    at = server(clusters=1)
    at.absorb(train(at))
    at.close()
    before = at.broadcast(PHONES)[0].arrays[DRIFT]
    assert not before.any(), "all were heard"
    sent = train(at, PHONES[:4], 1)
    moved = sent.arrays[EMBEDDING] + 1.0
    first = train(server()).arrays[EMBEDDING][:4]
    at.absorb(replace(sent, arrays=sent.arrays | {EMBEDDING: moved}))
    at.close()
    drift = at.broadcast(PHONES)[0].arrays[DRIFT]
    assert not drift[:4].any()
    expected = 0.5 * (moved.astype(np.float64) - first).mean(axis=0)
    np.testing.assert_allclose(drift[4:], np.tile(expected, (8, 1)), atol=1e-6)
    at.delivered(at.broadcast(PHONES)[0])
    assert not at.broadcast(PHONES)[0].arrays[DRIFT].any(), "a drift that came is not sent again"


def test_the_discount_fades_with_the_steps() -> None:
    drifts = []
    for fade in (1.0, 0.5):
        fold = row_average(MODEL.init(DRAWS))
        at = FedFastServer(
            fold, n_phones=N_USERS, dim=DIM, clusters=1, discount=0.5, draws=DRAWS, fade=fade
        )
        for phones in (PHONES, PHONES[:4], PHONES[:4]):
            before = at.drift_of(PHONES[4:])
            at.absorb(train(at, phones))
            at.close()
        drifts.append(at.drift_of(PHONES[4:]) - before)
    np.testing.assert_allclose(drifts[1], 0.25 * drifts[0], atol=1e-6)


def test_a_drift_moves_the_vector_that_training_starts_from() -> None:
    at = server()
    [inbox] = at.broadcast(PHONES)
    drift = np.full((N_USERS, DIM), 0.25, np.float32)
    moved = cohort_of(MODEL, DRAWS, PHONES)
    moved.private["user"] += drift
    expected = FedMF(MODEL).step(moved, replace_drift(inbox, None), DATA, DRAWS)
    cohort = cohort_of(MODEL, DRAWS, PHONES)
    sent = RULE.step(cohort, replace_drift(inbox, drift), DATA, DRAWS)
    np.testing.assert_array_equal(sent.arrays["item"], expected.arrays["item"])
    np.testing.assert_array_equal(cohort.private["user"], moved.private["user"])


def replace_drift(inbox: Messages, drift: np.ndarray | None) -> Messages:
    """Return *inbox* with another drift, or without one."""
    kept = {name: array for name, array in inbox.arrays.items() if name != DRIFT}
    if drift is None:
        return replace(inbox, arrays=kept, offsets={})
    return replace(inbox, arrays=kept | {DRIFT: drift})


def spoilt(sent: Messages, phone: int) -> Messages:
    """Return *sent* with an embedding of *phone* that is no number."""
    broken = sent.arrays[EMBEDDING].copy()
    broken[phone] = np.nan
    return replace(sent, arrays=sent.arrays | {EMBEDDING: broken})


def test_an_embedding_that_is_no_number_is_refused_before_the_server_sees_it() -> None:
    at = server(clusters=1)
    sent = train(at)
    assert not inspect(sent, at.form, known=PHONES).any()
    broken = inspect(spoilt(sent, 4), at.form, known=PHONES)
    assert np.flatnonzero(broken == Cause.NUMBER).tolist() == [4]
    assert np.count_nonzero(broken) == 1


def test_a_drift_that_is_no_number_moves_nobody() -> None:
    cohort = cohort_of(MODEL, DRAWS, PHONES)
    [inbox] = server(clusters=1).broadcast(PHONES)
    RULE.step(
        cohort, replace_drift(inbox, np.full((N_USERS, DIM), np.nan, np.float32)), DATA, DRAWS
    )
    assert np.isfinite(cohort.private["user"]).all()


def test_a_drift_waits_until_it_has_arrived() -> None:
    at = server(clusters=1)
    at.absorb(train(at))
    at.close()
    at.absorb(train(at, PHONES[:4], 1))
    at.close()
    waiting = at.drift_of(PHONES)
    assert waiting[5:].any()
    [inbox] = at.broadcast(PHONES)
    np.testing.assert_array_equal(at.drift_of(PHONES), waiting)
    at.delivered(inbox.take(np.array([6, 7])))
    assert not at.drift_of(np.array([6, 7])).any()
    rest = np.setdiff1d(PHONES, [6, 7])
    np.testing.assert_array_equal(at.drift_of(rest), waiting[rest])


def test_every_cluster_is_touched_and_none_twice_before_the_others_are_used_up() -> None:
    rows, labels = np.arange(100), np.repeat([0, 1, 2, 3], [70, 20, 7, 3])
    for counter in range(5):
        chosen = some_of_each(rows, labels, 12, DRAWS, counter)
        assert np.bincount(labels[chosen]).tolist() == [3, 3, 3, 3]
        many = some_of_each(rows, labels, 40, DRAWS, counter)
        assert np.bincount(labels[many]).tolist() == [15, 15, 7, 3]
    assert some_of_each(rows, labels, 200, DRAWS, 0).tolist() == rows.tolist()
    one, other = (some_of_each(rows, labels, 12, DRAWS, counter) for counter in (0, 1))
    assert not np.array_equal(one, other)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="0 clusters"):
        server(clusters=0)
    with pytest.raises(ValueError, match=r"discount 1\.5"):
        server(discount=1.5)
    with pytest.raises(ValueError, match="changes of rows"):
        FedFast(FedMF(MODEL, upload="full"))
