from dataclasses import replace

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.cohort import Engine
from droidloop.models.local.sgd import Sgd
from droidloop.models.peer.gossip_mf import GossipMF, gossip_store
from droidloop.models.recommenders.mf import MF, Loss
from droidloop.models.transforms.inspection import Cause, inspect
from droidloop.network.generators import small_world
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from tests.contracts.peer_rule import PeerRuleContract, assert_same
from tests.contracts.tiny import tiny_data

DRAWS = Draws(19, "gossip")
N_ITEMS, N_USERS = 30, 70
MODEL = MF(N_ITEMS, 6)
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)


def store_of(model: MF = MODEL) -> PrivateStore:
    store = gossip_store(model, DRAWS, N_USERS)
    store.ensure(PHONES)
    return store


class TestGossip(PeerRuleContract):
    rule = GossipMF(MODEL, Sgd(epochs=2, batch=20), threads=1)
    other_threads = GossipMF(MODEL, Sgd(epochs=2, batch=20), threads=2)
    recommender = MODEL
    data = DATA
    store = staticmethod(store_of)


class TestRowAges(PeerRuleContract):
    rule = GossipMF(MODEL, updates="once", share_of_rows=0.6, threads=1)
    other_threads = GossipMF(MODEL, updates="once", share_of_rows=0.6, threads=2)
    recommender = MODEL
    data = DATA
    store = staticmethod(lambda: gossip_store(MODEL, DRAWS, N_USERS, by_row=True))


class TestTrainingOnce(PeerRuleContract):
    rule = GossipMF(MODEL, updates="once", threads=1)
    other_threads = GossipMF(MODEL, updates="once", threads=2)
    recommender = MODEL
    data = DATA
    store = staticmethod(store_of)


class TestSampledRows(PeerRuleContract):
    rule = GossipMF(MODEL, share_of_rows=0.3, threads=1)
    other_threads = GossipMF(MODEL, share_of_rows=0.3, threads=2)
    recommender = MODEL
    data = DATA
    store = staticmethod(store_of)


RATINGS = MF(N_ITEMS, 6, "squared", l2=0.1)


class TestRatingsWithoutNegatives(PeerRuleContract):
    rule = GossipMF(RATINGS, Sgd(0.01, 0.01, batch=1), negatives=0)
    recommender = RATINGS
    data = DATA
    store = staticmethod(lambda: store_of(RATINGS))


class TestRatingsInBatches(TestRatingsWithoutNegatives):
    rule = GossipMF(RATINGS, Sgd(0.01, 0.01), negatives=0)

    def test_some_phone_has_a_batch_of_one_for_which_there_is_a_shortcut(self) -> None:
        assert (self.data.counts == 1).any()


class TestTorchEngine(PeerRuleContract):
    rule = GossipMF(MODEL, engine="torch")
    recommender = MODEL
    data = DATA.take(np.argsort(DATA.counts, kind="stable")[::8])
    store = staticmethod(lambda: gossip_store(MODEL, DRAWS, 9))


def tick(rule: GossipMF, store: PrivateStore, number: int, data: UserItems = DATA) -> Messages:
    """Let everybody push to a node drawn for it; return what arrived."""
    phones = np.arange(len(store))
    to = DRAWS.child("to").integers(phones, number, len(store))
    order = np.argsort(to, kind="stable")
    inbox = replace(rule.share(phones[order], store, number, DRAWS), receiver=to[order])
    rule.learn(phones, inbox, store, data, number, DRAWS)
    return inbox


def from_one(rule: GossipMF, store: PrivateStore, sender: int, receiver: int) -> Messages:
    sent = rule.share(np.array([sender]), store, 0, DRAWS)
    return replace(sent, receiver=np.array([receiver]))


@pytest.mark.parametrize("loss_name", ["log", "bpr", "squared"])
@pytest.mark.parametrize("share", [1.0, 0.4])
@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("own", [1.0, 7.0])
def test_both_engines_learn_the_same(
    loss_name: Loss, share: float, by_row: bool, own: float
) -> None:
    model = MF(N_ITEMS, 6, loss_name, l2=0.01)
    stores = []
    engines: tuple[Engine, Engine] = ("numba", "torch")
    for engine in engines:
        sgd = Sgd(batch=20)
        rule = GossipMF(model, sgd, share_of_rows=share, own_weight=own, engine=engine)
        store = gossip_store(model, DRAWS, N_USERS, by_row=by_row)
        for number in range(3):
            tick(rule, store, number)
        stores.append(store)
    for name, column in stores[0].columns.items():
        np.testing.assert_allclose(column, stores[1].columns[name], atol=1e-5)
    assert (stores[0].columns["item"] != store_of(model).columns["item"]).any()


def test_both_engines_learn_the_same_rating_by_rating() -> None:
    stores = []
    engines: tuple[Engine, Engine] = ("numba", "torch")
    for engine in engines:
        rule = GossipMF(RATINGS, Sgd(0.02, 0.01, epochs=2, batch=1), negatives=0, engine=engine)
        store = store_of(RATINGS)
        for number in range(3):
            tick(rule, store, number)
        stores.append(store)
    for name, column in stores[0].columns.items():
        np.testing.assert_allclose(column, stores[1].columns[name], atol=1e-5)
    assert (stores[0].columns["item"] != store_of(RATINGS).columns["item"]).any()


def idle(phones: IntArray) -> UserItems:
    return UserItems.bare(np.empty(0, np.int64), np.zeros(len(phones) + 1, np.int64))


def test_a_merge_is_the_average_by_age_and_takes_the_greater_age() -> None:
    store, rule, one = store_of(), GossipMF(MODEL), np.array([1])
    store.columns["item"][0], store.columns["item"][1] = 1.0, 5.0
    store.columns["age"][:2] = 30, 10
    rule.learn(one, from_one(rule, store, 0, 1), store, idle(one), 0, DRAWS)
    assert (store.columns["item"][1] == 2.0).all()
    assert store.columns["age"][1] == 30


def test_merging_equal_tables_changes_nothing_however_often() -> None:
    """An average that does not sum to one would let the tables shrink (or grow) with each merge."""
    store, rule = store_of(), GossipMF(MODEL)
    store.columns["age"][:] = 1 + PHONES
    first = store.columns["item"].copy()
    for number in range(20):
        tick(rule, store, number, idle(PHONES))
    np.testing.assert_allclose(store.columns["item"], first, rtol=1e-5)


def test_gossip_without_training_brings_all_tables_together_within_their_range() -> None:
    store, rule = store_of(), GossipMF(MODEL)
    store.columns["item"] += (
        DRAWS.child("apart").normal(PHONES, 0)[:, None, None].astype(np.float32)
    )
    spread = [np.ptp(store.columns["item"], axis=0).max()]
    low, high = store.columns["item"].min(axis=0), store.columns["item"].max(axis=0)
    for number in range(30):
        tick(rule, store, number, idle(PHONES))
    spread.append(np.ptp(store.columns["item"], axis=0).max())
    assert spread[1] < 0.02 * spread[0]
    assert (store.columns["item"] >= low - 1e-5).all()
    assert (store.columns["item"] <= high + 1e-5).all()


def test_only_the_rows_that_were_sent_are_merged() -> None:
    store, rule, one = store_of(), GossipMF(MODEL, share_of_rows=0.2), np.array([1])
    store.columns["item"][0], store.columns["item"][1] = 1.0, 5.0
    inbox = from_one(rule, store, 0, 1)
    rule.learn(one, inbox, store, idle(one), 0, DRAWS)
    rows = inbox.rows["item"]
    assert len(rows) == 6
    assert (np.diff(rows) > 0).all()
    expected = np.full(N_ITEMS, 5.0)
    expected[rows] = 3.0  # both have age 0
    np.testing.assert_array_equal(store.columns["item"][1, :, 0], expected)


def test_rows_are_drawn_evenly_and_anew_in_every_tick() -> None:
    rule, store = GossipMF(MODEL, share_of_rows=0.5), store_of()
    rows = [rule.share(PHONES, store, number, DRAWS).rows["item"] for number in range(30)]
    assert (rows[0] != rows[1]).any()
    counts = np.bincount(np.concatenate(rows), minlength=N_ITEMS)
    expected = 30 * N_USERS / 2
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected / 2)


def test_messages_are_merged_in_order_of_arrival_with_an_update_after_each() -> None:
    store, one = store_of(), np.array([1])
    rule = GossipMF(MODEL)
    for number in range(3):
        tick(rule, store, number)
    step_by_step = store_of()
    for name, column in store.columns.items():
        step_by_step.columns[name][:] = column
    sent = rule.share(np.array([4, 9]), store, 7, DRAWS)
    inbox = replace(sent, receiver=np.array([1, 1]))
    age = max(store.columns["age"][[1, 4]]) + 1
    rule.learn(one, inbox, store, DATA.take(one), 7, DRAWS)
    assert store.columns["age"][1] == max(age, store.columns["age"][9]) + 1
    reverse = replace(sent.take(np.array([1, 0])), receiver=np.array([1, 1]))
    rule.learn(one, reverse, step_by_step, DATA.take(one), 7, DRAWS)
    assert (store.columns["item"][1] != step_by_step.columns["item"][1]).any()


def test_a_phone_without_items_passes_on_what_it_hears() -> None:
    store, rule = store_of(), GossipMF(MODEL)
    empty = np.flatnonzero(DATA.counts == 0)[:1]
    user = store.columns["user"][empty].copy()
    store.columns["item"][0] = 3.0
    store.columns["age"][0] = 8
    inbox = from_one(rule, store, 0, int(empty[0]))
    rule.learn(empty, inbox, store, DATA.take(empty), 0, DRAWS)
    assert (store.columns["item"][empty] == 3.0).all()
    assert store.columns["age"][empty].tolist() == [8]
    np.testing.assert_array_equal(store.columns["user"][empty], user)


@pytest.mark.parametrize("engine", ["numba", "torch"])
def test_a_diverged_phone_keeps_what_it_had_and_is_counted(engine: Engine) -> None:
    model = MF(N_ITEMS, 6, "squared")
    rule, store = GossipMF(model, Sgd(1e4, 1e4, epochs=9), engine=engine), store_of(model)
    with np.errstate(all="ignore"):
        rule.learn(PHONES, None, store, DATA, 0, DRAWS)
    assert store.columns["diverged"].tolist() == (DATA.counts > 0).astype(int).tolist()
    store.columns["diverged"][:] = 0
    assert_same(store, store_of(model))


def test_a_message_with_rows_that_do_not_exist_is_refused() -> None:
    rule, store = GossipMF(MODEL, share_of_rows=0.2), store_of()
    inbox = from_one(rule, store, 0, 1)
    wrong = replace(inbox, rows={"item": inbox.rows["item"] + N_ITEMS})
    assert inspect(inbox, rule.form(store), known=PHONES).tolist() == [Cause.NONE]
    assert inspect(wrong, rule.form(store), known=PHONES).tolist() == [Cause.ROWS]


def test_messages_carry_the_age_and_name_no_receiver_yet() -> None:
    store, rule = store_of(), GossipMF(MODEL)
    tick(rule, store, 0)
    sent = rule.share(PHONES[::-1], store, 1, DRAWS)
    np.testing.assert_array_equal(sent.base, store.columns["age"][::-1])
    assert (sent.receiver == SERVER).all()
    assert sent.nbytes().tolist() == [32 + 4 * 6 * N_ITEMS] * N_USERS


def test_everybody_starts_with_the_same_table_and_a_user_vector_of_its_own() -> None:
    columns = store_of().columns
    assert (columns["item"] == MODEL.init(DRAWS)["item"].numpy()).all()
    np.testing.assert_array_equal(columns["user"], MODEL.init_private(DRAWS, PHONES)["user"])


def wins_of(gossiping: bool) -> float:
    """Return how often users rank an unseen item of their own kind above one of the other."""
    mf, n_users, n_items, each = MF(20, 8), 40, 20, 6
    rows = [DRAWS.child(u).choose(np.arange(u % 2, n_items, 2), each, 0) for u in range(n_users)]
    data = UserItems.bare(np.concatenate(rows), np.arange(n_users + 1) * each)
    graph = small_world(n_users, 6, 0.2, DRAWS)
    rule, store, phones = GossipMF(mf), gossip_store(mf, DRAWS, n_users), np.arange(n_users)
    for number in range(60):
        inbox = None
        if gossiping:
            pick = DRAWS.integers(phones, number, 2**20) % graph.degrees
            to = graph.neighbours[graph.offsets[phones] + pick]
            order = np.argsort(to, kind="stable")
            inbox = replace(rule.share(order, store, number, DRAWS), receiver=to[order])
        rule.learn(phones, inbox, store, data, number, DRAWS)
    scores = (store.columns["user"][:, None] * store.columns["item"]).sum(-1)
    unseen = np.ones((n_users, n_items), bool)
    unseen[np.repeat(phones, each), data.items] = False
    own = (phones[:, None] % 2 == np.arange(n_items) % 2) & unseen
    other = (phones[:, None] % 2 != np.arange(n_items) % 2) & unseen
    better = scores[:, :, None] > scores[:, None, :]
    return float(better[own[:, :, None] & other[:, None, :]].mean())


def test_gossip_tells_phones_about_items_that_they_never_saw() -> None:
    """Users of even and odd number like even and odd items; alone they can only guess."""
    assert wins_of(gossiping=True) > 0.95
    assert wins_of(gossiping=False) < 0.6


def test_what_the_rule_cannot_learn_is_refused() -> None:
    store, rule = store_of(), GossipMF(MODEL)
    beyond = UserItems.bare(np.array([N_ITEMS]), np.array([0, 1]))
    with pytest.raises(ValueError, match=f"0..{N_ITEMS - 1}"):
        rule.learn(PHONES[:1], None, store, beyond, 0, DRAWS)
    narrow = replace(
        from_one(rule, store, 0, 1), arrays={"item": np.zeros((N_ITEMS, 5), np.float32)}
    )
    with pytest.raises(ValueError, match="rows of 'item' of 6"):
        rule.learn(PHONES, narrow, store, DATA, 0, DRAWS)
    with pytest.raises(ValueError, match="0 negatives"):
        GossipMF(MODEL, negatives=0)
    with pytest.raises(ValueError, match="share_of_rows"):
        GossipMF(MODEL, share_of_rows=0.0)
    with pytest.raises(ValueError, match="'jax'"):
        GossipMF(MODEL, engine="jax")  # type: ignore[arg-type]


def test_the_cost_counts_merges_and_an_update_after_each() -> None:
    rule, merged = GossipMF(MODEL), np.zeros(N_USERS, np.int64)
    none, one, two = (rule.cost(PHONES, merged + k, DATA) for k in range(3))
    training = np.asarray(MODEL.cost(5 * DATA.counts).flops)
    np.testing.assert_array_equal(none.flops, training)
    np.testing.assert_array_equal(one.flops, training + 3 * N_ITEMS * 6)
    np.testing.assert_array_equal(two.flops, 2 * training + 6 * N_ITEMS * 6)
    assert (np.asarray(two.ram_bytes) > np.asarray(one.ram_bytes)).all()


def test_rows_are_merged_by_how_often_each_was_trained() -> None:
    """What one has never seen is taken from who has; what nobody has trained stays as it was."""
    store, rule = gossip_store(MODEL, DRAWS, 2, by_row=True), GossipMF(MODEL, updates="once")
    store.ensure(np.arange(2))
    table, ages = store.columns["item"], store.columns["row_age"]
    table[1] += 1.0
    ages[0, :3], ages[1, 2:6] = [4.0, 1.0, 1.0], [3.0, 2.0, 2.0, 5.0]
    before, theirs = table[0].copy(), table[1].copy()
    nothing = UserItems.bare(np.empty(0, np.int64), np.zeros(2, np.int64))
    inbox = from_one(rule, store, 1, 0)
    rule.learn(np.array([0]), inbox, store, nothing, 0, DRAWS)
    np.testing.assert_array_equal(table[0][:2], before[:2])
    np.testing.assert_allclose(table[0][2], before[2] + 0.75, atol=1e-6)
    np.testing.assert_array_equal(table[0][3:6], theirs[3:6])
    np.testing.assert_array_equal(table[0][6:], before[6:])
    np.testing.assert_allclose(ages[0][:6], [4.0, 1.0, 2.5, 2.0, 2.0, 5.0], atol=1e-6)


@pytest.mark.parametrize("by_row", [False, True])
def test_what_a_phone_has_trained_itself_counts_as_often_as_it_says(by_row: bool) -> None:
    store = gossip_store(MODEL, DRAWS, 2, by_row=by_row)
    rule = GossipMF(MODEL, updates="once", own_weight=4.0)
    store.ensure(np.arange(2))
    table, ages = store.columns["item"], store.columns["row_age" if by_row else "age"]
    table[1] += 1.0
    ages[0], ages[1] = 3, 8  # 12 beside 8
    before, nothing = table[0].copy(), UserItems.bare(np.empty(0, np.int64), np.zeros(2, np.int64))
    rule.learn(np.array([0]), from_one(rule, store, 1, 0), store, nothing, 0, DRAWS)
    np.testing.assert_allclose(table[0], before + 0.4, atol=1e-6)


@pytest.mark.parametrize(
    ("age", "cause"), [(np.nan, Cause.NUMBER), (-1.0, Cause.BOUND), (np.inf, Cause.NUMBER)]
)
def test_ages_of_rows_that_cannot_be_are_refused(age: float, cause: Cause) -> None:
    store, rule = gossip_store(MODEL, DRAWS, 2, by_row=True), GossipMF(MODEL, updates="once")
    sent = from_one(rule, store, 1, 0)
    sent.arrays["row_age"][7] = age
    assert inspect(sent, rule.form(store), known=np.arange(2)).tolist() == [cause]
