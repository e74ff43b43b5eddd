"""MAC: the contract of peer rules, that no parameter is sent, and that all sizes gain."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.split import leave_one_out
from droidloop.models.data.synthetic_check_ins import generate_check_ins
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.peer.alike_phones import by_place
from droidloop.models.peer.mac import MAC
from droidloop.models.peer.place_phones import COLUMNS, PlacePhones
from droidloop.models.recommenders.next_place import LocalSettings
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from tests.contracts.peer_rule import PeerRuleContract

DRAWS = Draws(23, "mac")
EVENTS, PLACES = generate_check_ins(70, 60, 12, DRAWS)
SPLIT = leave_one_out(EVENTS)
COUNTS = np.where(np.arange(70) % 7 == 3, 0, SPLIT.train.counts)
KEPT = np.repeat(COUNTS > 0, SPLIT.train.counts)
DATA = UserItems(
    SPLIT.train.items[KEPT],
    np.concatenate([[0], np.cumsum(COUNTS)]),
    SPLIT.train.times_s[KEPT],
    SPLIT.train.ratings[KEPT],
)
DIMS = np.array([4, 6, 8])[np.arange(70) % 3]
PHONES = PlacePhones(PLACES, DATA, DIMS, DRAWS, held=20, length=6)
PRACTICE = LocalSettings(examples=6, negatives=5, length=6)
EVERYONE = np.arange(70)


def rule_of(phones: PlacePhones = PHONES, threads: int = 1, weight: float = 1.0) -> MAC:
    return MAC(phones, PRACTICE, weight, asked=6, candidates=8, visits=3, threads=threads)


class TestMAC(PeerRuleContract):
    rule = rule_of()
    other_threads = rule_of(threads=2)
    recommender = rule_of().recommender
    data = DATA
    store = staticmethod(PHONES.store)


def tick(rule: MAC, store: PrivateStore, pairs: np.ndarray, number: int) -> Messages:
    sent = replace(rule.share(pairs[:, 1], store, number, DRAWS), receiver=pairs[:, 0])
    rule.learn(EVERYONE, sent, store, DATA, number, DRAWS)
    return sent


def test_no_message_holds_a_parameter() -> None:
    rule, store, pairs = rule_of(), PHONES.store(), by_place(SPLIT.train, PLACES, 4)
    for number in range(3):
        before = {name: store.columns[name].copy() for name in COLUMNS}
        sent = tick(rule, store, pairs, number)
        assert sent.kind == "scores"
        assert sent.arrays.keys() == sent.rows.keys() == {"scores"}
        numbers = np.unique(sent.arrays["scores"])
        for name, column in before.items():
            known = column[store.known]
            assert not np.isin(numbers, known[known != 0]).any(), name


def test_a_message_is_as_long_whatever_the_size_of_the_model() -> None:
    sent = rule_of().share(EVERYONE, PHONES.store(), 0, DRAWS)
    assert len(np.unique(sent.nbytes())) == 1


def test_all_phones_of_one_place_are_asked_the_same() -> None:
    asked = rule_of().questions.asked
    areas = PHONES.known.areas
    for one, other in ((0, 1), (5, 9)):
        common = np.intersect1d(areas[one], areas[other])
        both = np.intersect1d(asked[one], asked[other])
        assert np.isin(both, common).all()
    assert (asked >= 0).all()
    assert (np.diff(asked, axis=1) > 0).all()


def test_agreement_brings_scores_closer() -> None:
    quiet = replace(PRACTICE, step=0.05, step_network=0.05)
    rule = MAC(PHONES, quiet, 8.0, keep=1.0, asked=6, candidates=8, visits=3)
    apart = []
    for talk in (False, True):
        store = PHONES.store()
        sent = rule.share(np.array([5]), store, 0, DRAWS)
        inbox = replace(sent, receiver=np.array([0])) if talk else None
        common = np.intersect1d(rule.questions.asked[0], sent.rows["scores"])
        assert len(common) > 0
        for _ in range(5):
            rule.learn(np.array([0]), inbox, store, DATA.take(np.array([0])), 0, DRAWS)
        own = rule.share(np.array([0]), store, 0, DRAWS)
        shares = []
        for message in (own, sent):
            scores = message.arrays["scores"][np.isin(message.rows["scores"], common)]
            grown = np.exp(scores - scores.max(axis=1, keepdims=True))
            shares.append(grown / grown.sum(axis=1, keepdims=True))
        apart.append(float(np.abs(shares[0] - shares[1]).sum()))
    assert apart[1] < 0.8 * apart[0]


def test_the_most_similar_neighbour_is_kept_at_last() -> None:
    rule = MAC(PHONES, PRACTICE, keep=0.5, settle=1, asked=6, candidates=8, visits=3)
    stores = [PHONES.store(), PHONES.store()]
    for store in stores:
        store.ensure(EVERYONE)
        store.columns["age"][0] = 1
    near = rule.share(np.array([0]), stores[0], 0, DRAWS)
    far = replace(near, arrays={"scores": -9 * near.arrays["scores"][:, ::-1]})
    mixed = {"scores": np.concatenate([far.arrays["scores"], near.arrays["scores"]])}
    both = replace(
        rule.share(np.array([0, 0]), stores[0], 0, DRAWS), receiver=np.array([0, 0]), arrays=mixed
    )
    alone = replace(near, receiver=np.array([0]))
    for store, inbox in zip(stores, (both, alone), strict=True):
        rule.learn(np.array([0]), inbox, store, DATA.take(np.array([0])), 0, DRAWS)
    assert stores[0].columns["rows"].tobytes() == stores[1].columns["rows"].tobytes()


def test_parameters_in_a_message_are_refused() -> None:
    rule, store = rule_of(), PHONES.store()
    sent = replace(rule.share(np.array([1]), store, 0, DRAWS), receiver=np.array([0]))
    with pytest.raises(ValueError, match="MAC takes scores"):
        rule.learn(
            np.array([0]), replace(sent, kind="parameters"), store,
            DATA.take(np.array([0])), 0, DRAWS,
        )  # fmt: skip
