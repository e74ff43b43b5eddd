"""MPDA: what a peer rule promises, the pools of the cloud, and that only those that help stay."""

from dataclasses import replace

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.samples import samples_of
from droidloop.models.fitting.fit_din import scores_of
from droidloop.models.interfaces.learning import init_all
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.din_sgd import network_scores, networks_of, readings_of
from droidloop.models.recommenders.din import DIN
from droidloop.models.tuning.mpda_pools import propose, similar_users
from droidloop.models.tuning.mpda_rule import MPDA, mpda_store
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from tests.contracts.peer_rule import PeerRuleContract

DRAWS = Draws(6, "mpda")
COUNTS = np.array([12, 0, 20, 9, 15, 11, 30])
OFFSETS = np.concatenate([[0], np.cumsum(COUNTS)])
N = len(COUNTS)


def events(ratings: np.ndarray) -> UserItems:
    items = DRAWS.child("items").integers(np.arange(OFFSETS[-1]), 0, 10)
    return UserItems(items, OFFSETS, items * 0, ratings)


DATA = events(1.0 + 4 * (DRAWS.child("likes").uniform(np.arange(OFFSETS[-1]), 0) < 0.5))
DIN_ = DIN(10, dim=4, width=3, hidden=5, length=4)
CLOUD = init_all(DIN_, DRAWS, N)
SAMPLES = samples_of(DATA, 4)


def store() -> PrivateStore:
    return mpda_store(DIN_, CLOUD, N)


class TestMPDA(PeerRuleContract):
    rule = MPDA(DIN_, CLOUD, rate=0.05, threads=1)
    other_threads = MPDA(DIN_, CLOUD, rate=0.05, threads=2)
    recommender = DIN_
    data = DATA
    store = store

    def addressed(self, store: PrivateStore, round_: int = 0) -> Messages:
        """Return pools of samples: the server sends them, not the phones."""
        return addressed()


class TestNext(TestMPDA):
    rule = MPDA(DIN_, CLOUD, rate=0.05, samples="next", threads=1)
    other_threads = MPDA(DIN_, CLOUD, rate=0.05, samples="next", threads=2)
    data = replace(DATA, items=DATA.items % 7)  # of 10: there is always one never had


def addressed() -> Messages:
    """Return one pool for some phones, two for others, none for every fifth."""
    donors = np.stack([2 + (np.arange(N) + 2) % 5, 2 + (np.arange(N) + 4) % 5], axis=1)
    inbox = propose(SAMPLES, np.arange(N), donors, 8, DRAWS)
    second = np.arange(len(inbox)) % 2 == 1
    return inbox.take((inbox.receiver % 5 != 4) & ~(second & (inbox.receiver % 3 != 0)))


def test_what_phones_compute_is_the_model_of_the_cloud() -> None:
    readings = readings_of(DIN_, CLOUD, SAMPLES.items, SAMPLES.history)
    scores = network_scores(networks_of(DIN_, CLOUD, N), readings, SAMPLES)
    np.testing.assert_allclose(scores, scores_of(DIN_, CLOUD, SAMPLES), atol=1e-5)
    mean = replace(DIN_, pooling="mean")
    readings = readings_of(mean, CLOUD, SAMPLES.items, SAMPLES.history)
    scores = network_scores(networks_of(mean, CLOUD, N), readings, SAMPLES)
    np.testing.assert_allclose(scores, scores_of(mean, CLOUD, SAMPLES), atol=1e-5)


def test_a_pool_of_samples_says_who_gets_what_and_never_more_than_its_size() -> None:
    inbox = propose(SAMPLES, np.array([2, 5]), np.array([[0, 6], [3, 4]]), 10, DRAWS)
    assert inbox.receiver.tolist() == [2, 2, 5, 5]
    assert np.diff(inbox.offsets["items"]).tolist() == [10, 10, 9, 10]
    theirs = SAMPLES.items[SAMPLES.offsets[3] : SAMPLES.offsets[4]]
    np.testing.assert_array_equal(inbox.arrays["items"][20:29], theirs)


def test_the_most_similar_user_points_the_same_way() -> None:
    vectors = np.array([[1.0, 0.0], [0.0, 3.0], [5.0, 0.1], [-1.0, 0.2]])
    assert similar_users(vectors, 1)[:, 0].tolist() == [2, 3, 0, 1]


def test_pools_of_ones_own_taste_are_kept_and_pools_of_the_opposite_are_not() -> None:
    taste = np.arange(10) < 5
    items = DRAWS.child("more").integers(np.arange(40)[:, None], np.arange(40), 10).reshape(-1)
    offsets = np.arange(41) * 40
    every = UserItems(items, offsets, items * 0, np.where(taste[items], 5.0, 1.0))
    few = (np.arange(1600) % 40) < 12
    data = UserItems(items[few], np.arange(41) * 12, items[few] * 0, every.ratings[few])
    same = samples_of(every, 4)
    against = replace(same, labels=1 - same.labels)
    cloud = init_all(DIN_, DRAWS, 40)
    cloud["item"] *= 10  # fresh vectors are so short that only the bias would learn
    rule = MPDA(DIN_, cloud, rate=0.05, held_share=0.5, threads=1)
    phones, shares = np.arange(40), []
    for pool in (same, against):
        inbox = propose(pool, phones, (phones[:, None] + 1) % 40, 40, DRAWS)
        own = mpda_store(DIN_, cloud, 40)
        rule.learn(phones, inbox, own, data, 0, DRAWS)
        shares.append(own.columns["kept"].mean())
    assert shares[0] > 0.7
    assert shares[1] < 0.1
