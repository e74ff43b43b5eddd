"""DCLR: the contract of peer rules, what a message holds, and that neighbours help."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import counted
from droidloop.models.data.split import leave_one_out
from droidloop.models.data.synthetic_check_ins import generate_check_ins
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.peer.alike_phones import by_place
from droidloop.models.peer.dclr import DCLR
from droidloop.models.peer.place_phones import PlacePhones
from droidloop.models.recommenders.next_place import LocalSettings
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from tests.contracts.peer_rule import PeerRuleContract

DRAWS = Draws(21, "dclr")
EVENTS, PLACES = generate_check_ins(70, 60, 12, DRAWS)
SPLIT = leave_one_out(EVENTS)


def some_without(data: UserItems) -> UserItems:
    """Return *data* where every seventh user has nothing."""
    counts = np.where(np.arange(data.n_users) % 7 == 3, 0, data.counts)
    kept = np.repeat(counts > 0, data.counts)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return UserItems(data.items[kept], offsets, data.times_s[kept], data.ratings[kept])


DATA = some_without(SPLIT.train)
PHONES = PlacePhones(PLACES, DATA, np.full(70, 4), DRAWS, held=20, length=6)
PRACTICE = LocalSettings(examples=6, negatives=5, length=6)


class TestDCLR(PeerRuleContract):
    rule = DCLR(PHONES, PRACTICE, threads=1)
    other_threads = DCLR(PHONES, PRACTICE, threads=2)
    recommender = PHONES.recommender(0)
    data = DATA
    store = staticmethod(PHONES.store)


def one_message(rule: DCLR, store: PrivateStore, sender: int, receiver: int) -> Messages:
    sent = rule.share(np.array([sender]), store, 0, DRAWS)
    return replace(sent, receiver=np.array([receiver]))


def test_a_message_holds_the_rows_of_the_senders_area_and_its_network() -> None:
    store = PHONES.store()
    rule = DCLR(PHONES, PRACTICE)
    sent = one_message(rule, store, 5, 0)
    assert sent.arrays.keys() == {"rows", "network"}
    assert sent.rows["rows"].tolist() == PHONES.known.areas[5].tolist()
    assert (sent.arrays["rows"] == store.columns["rows"][5]).all()
    assert (sent.arrays["network"] == store.columns["network"][5]).all()


def test_with_equal_shares_common_rows_are_averaged_and_others_stay() -> None:
    rule = DCLR(PHONES, LocalSettings(step=0, step_network=0, step_visits=0), sharpness=0.0)
    store = PHONES.store()
    store.ensure(np.arange(70))
    store.columns["rows"][5] += 1
    store.columns["network"][5] += 1
    before = store.columns["rows"][0].copy(), store.columns["network"][0].copy()
    inbox = one_message(rule, store, 5, 0)
    rule.learn(np.array([0]), inbox, store, DATA.take(np.array([0])), 0, DRAWS)
    common = np.isin(PHONES.known.areas[0], PHONES.known.areas[5])
    assert 0 < common.sum() < 20
    change = store.columns["rows"][0] - before[0]
    np.testing.assert_allclose(change[common], 0.5, atol=1e-6)
    np.testing.assert_array_equal(change[~common], 0)
    np.testing.assert_allclose(store.columns["network"][0] - before[1], 0.5, atol=1e-6)


def test_attention_prefers_the_neighbour_whose_model_answers_alike() -> None:
    rule = DCLR(PHONES, LocalSettings(step=0, step_network=0, step_visits=0), sharpness=50.0)
    store = PHONES.store()
    store.ensure(np.arange(70))
    store.columns["network"][1] += 0.01
    store.columns["network"][2] = -store.columns["network"][2]
    sent = rule.share(np.array([1, 2]), store, 0, DRAWS)
    before = store.columns["network"][0].copy()
    inbox = replace(sent, receiver=np.array([0, 0]))
    rule.learn(np.array([0]), inbox, store, DATA.take(np.array([0])), 0, DRAWS)
    assert np.abs(store.columns["network"][0] - before).max() < 0.05


def test_models_of_several_sizes_are_refused() -> None:
    phones = PlacePhones(PLACES, DATA, np.arange(70) % 2 + 4, DRAWS, held=20)
    with pytest.raises(ValueError, match="several sizes"):
        DCLR(phones)


def test_models_of_another_shape_are_refused() -> None:
    rule, store = DCLR(PHONES, PRACTICE), PHONES.store()
    inbox = one_message(rule, store, 5, 0)
    other = replace(inbox, arrays={**inbox.arrays, "rows": inbox.arrays["rows"][:, :3]})
    with pytest.raises(ValueError, match="needs rows of 5 numbers"):
        rule.learn(np.array([0]), other, store, DATA.take(np.array([0])), 0, DRAWS)


TOWN, TOWN_PLACES = generate_check_ins(200, 120, 15, DRAWS)
TOWN_SPLIT = leave_one_out(TOWN)
TOWN_PLACES = counted(TOWN_PLACES, TOWN_SPLIT.train)


def quality(phones: PlacePhones, store: PrivateStore) -> float:
    """Return the mean logarithm of the probability of the validation places."""
    valid = TOWN_SPLIT.valid
    scores = phones.scorer(store, TOWN_SPLIT.train, valid.times_s)(np.arange(200))
    return float(scores[np.arange(200), valid.items].mean())


def trained(pairs: IntArray | None, ticks: int = 10) -> tuple[float, float]:
    """Return the quality before and after *ticks* without any server."""
    dims = np.full(200, 8)
    phones = PlacePhones(TOWN_PLACES, TOWN_SPLIT.train, dims, DRAWS, held=60)
    rule, store, everyone = DCLR(phones), phones.store(), np.arange(200)
    before = quality(phones, store)
    for tick in range(ticks):
        inbox = None
        if pairs is not None:
            sent = rule.share(pairs[:, 1], store, tick, DRAWS)
            inbox = replace(sent, receiver=pairs[:, 0])
        rule.learn(everyone, inbox, store, TOWN_SPLIT.train, tick, DRAWS)
    return before, quality(phones, store)


def test_training_goes_on_without_a_server_and_neighbours_beat_isolation() -> None:
    before, near = trained(by_place(TOWN_SPLIT.train, TOWN_PLACES, 5))
    _, alone = trained(None)
    assert near > before + 0.02
    assert near > alone + 0.01
