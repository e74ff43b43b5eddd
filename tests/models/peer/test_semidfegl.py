from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.graphs.propagation import Bipartite, propagate
from droidloop.models.interfaces.peers import Groups
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.sgd import Sgd
from droidloop.models.peer.ego_groups import EgoGroups
from droidloop.models.peer.ego_members import Members
from droidloop.models.peer.ego_rule import SemiDFEGL, ego_store
from droidloop.models.recommenders.mf import MF
from droidloop.models.transforms.inspection import Cause, inspect
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from tests.contracts.peer_rule import PeerRuleContract, changed
from tests.contracts.tiny import encoded, tiny_data

DRAWS = Draws(29, "semidfegl")
N_ITEMS, N_USERS, ROWS = 40, 66, 24
MODEL = MF(N_ITEMS, 6)
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)
RULE = SemiDFEGL(MODEL, ROWS, fakes=5, neighbours=3, sgd=Sgd(0.2, 0.2), threads=1)


def apply(groups: Groups, phones: IntArray, store: PrivateStore) -> None:
    """Let *phones* get what the server answered, as the protocol does."""
    store.commit(phones, store.gather(phones) | groups.columns)


def grouped(rule: SemiDFEGL = RULE, count: int = 2, n: int = N_USERS) -> PrivateStore:
    store, data = ego_store(rule, DRAWS, n), DATA.take(np.arange(n))
    server = EgoGroups(rule, data, DRAWS)
    groups = server.group(server.report(np.arange(n), store), count, DRAWS, 0)
    apply(groups, np.arange(n), store)
    return store


class TestSemiDFEGL(PeerRuleContract):
    rule = RULE
    other_threads = replace(RULE, threads=2)
    recommender = MODEL
    data = DATA
    store = staticmethod(grouped)


class TestWithoutFakes(PeerRuleContract):
    rule = replace(RULE, rows=N_ITEMS, fakes=0, layers=1)
    recommender = MODEL
    data = DATA
    store = staticmethod(lambda: grouped(replace(RULE, rows=N_ITEMS, fakes=0, layers=1), 1))


def members(store: PrivateStore, phones: IntArray = PHONES) -> Members:
    return Members(store.gather(phones), N_ITEMS)


def turn(store: PrivateStore, number: int, rule: SemiDFEGL = RULE) -> Messages:
    """Let each phone tell a member of its group; return what was sent."""
    group = store.columns["group"]
    to = np.empty(len(store), np.int64)
    for phone in range(len(store)):
        same = np.flatnonzero((group == group[phone]) & (np.arange(len(store)) != phone))
        to[phone] = same[DRAWS.child("to").integers(phone, number, len(same))]
    order = np.argsort(to, kind="stable")
    inbox = replace(rule.share(order, store, number, DRAWS), receiver=to[order])
    rule.learn(np.arange(len(store)), inbox, store, DATA, number, DRAWS)
    return inbox


@pytest.mark.parametrize("count", [1, 2, 4])
def test_fake_items_connect_the_ego_graphs_of_a_group_and_nothing_else_does(count: int) -> None:
    """Without them there is one component a phone, with them one a group."""
    store = grouped(count=count)
    group = store.columns["group"]
    linked = members(store).linked(DATA)
    together = list(nx.connected_components(linked))
    assert len(together) == len(np.unique(group))
    for component in together:
        phones = [node[1] for node in component if node[0] == "phone"]
        assert phones == [phone for phone in phones if group[phone] == group[phones[0]]]
    alone = linked.copy()
    alone.remove_nodes_from([node for node in linked if node[0] == "fake"])
    apart = list(nx.connected_components(alone))
    assert len(apart) == N_USERS
    assert all(sum(node[0] == "phone" for node in part) == 1 for part in apart)


def test_a_rule_without_fakes_leaves_the_ego_graphs_apart() -> None:
    rule = replace(RULE, fakes=0)
    linked = members(grouped(rule)).linked(DATA)
    assert nx.number_connected_components(linked) == N_USERS


def test_a_phone_holds_the_rows_of_its_group_alone() -> None:
    store = grouped(count=3)
    server = EgoGroups(RULE, DATA, DRAWS)
    for number in range(4):
        turn(store, number)
        ids, group = store.columns["ids"], store.columns["group"]
        assert store.columns["rows"].shape == (N_USERS, ROWS, 6)
        for one in np.unique(group):
            held = ids[group == one]
            assert (held == held[0]).all()
            assert len(np.unique(held[0])) == ROWS
            fake = store.columns["fake"][group == one]
            assert np.isin(fake, held[0]).all()
        groups = server.group(server.report(PHONES, store), 3, DRAWS, number + 1)
        apply(groups, PHONES, store)
    assert not np.array_equal(store.columns["ids"], grouped(count=3).columns["ids"])


def test_only_events_of_held_items_are_local() -> None:
    store = grouped(count=3)
    local = members(store).local(DATA)
    for phone in range(N_USERS):
        ids = store.columns["ids"][phone]
        assert ids[local.of(phone)].tolist() == [i for i in DATA.of(phone).tolist() if i in ids]
    assert 0 < len(local.items) < len(DATA.items)


def test_scores_are_those_of_lightgcn_on_the_ego_graph_and_of_held_items_alone() -> None:
    store = grouped()
    for number in range(3):
        turn(store, number)
    phone = int(np.flatnonzero((DATA.counts > 3) & (store.columns["heard"] > 1))[0])
    mine = {name: column[phone] for name, column in store.columns.items()}
    ids, fakes = mine["ids"], np.searchsorted(mine["ids"], mine["fake"])
    known = min(int(mine["heard"]), RULE.neighbours)
    own = np.union1d(np.searchsorted(ids, np.intersect1d(DATA.of(phone), ids)), fakes)
    items = np.concatenate([own, *[fakes] * known])
    offsets = np.cumsum([0, len(own), *[len(fakes)] * known])
    graph = Bipartite.of(UserItems.bare(items, offsets), ROWS)
    users = np.concatenate([mine["user"][None], mine["others"][:known]])
    user, item = propagate(graph, users, mine["rows"], RULE.layers)
    scores = RULE.scores(store.gather(np.array([phone])), DATA.take(np.array([phone])))[0]
    np.testing.assert_allclose(scores[ids], item @ user[0], atol=1e-6)
    np.testing.assert_allclose(mine["ego"], user[0], atol=1e-6)
    assert np.isneginf(np.delete(scores, ids)).all()


def test_neighbours_are_remembered_latest_first_out_and_only_those_of_the_group() -> None:
    store = grouped(count=1)
    to = np.zeros(5, np.int64)
    sent = RULE.share(np.arange(1, 6), store, 0, DRAWS)
    egos = store.columns["ego"].copy()
    sent.arrays["group"][3] += 1  # from another grouping
    one = np.zeros(1, np.int64)
    RULE.learn(one, replace(sent, receiver=to), store, DATA.take(one), 0, DRAWS)
    assert store.columns["heard"][0] == 4
    np.testing.assert_array_equal(store.columns["others"][0], egos[[5, 2, 3]])


def test_rows_are_averaged_by_age_where_both_phones_hold_them() -> None:
    store, one, rule = grouped(count=1), np.zeros(1, np.int64), replace(RULE, rows=ROWS)
    nothing = UserItems.bare(np.empty(0, np.int64), np.zeros(2, np.int64))
    store.columns["rows"][0], store.columns["rows"][1] = 1.0, 5.0
    store.columns["age"][:2] = 10, 30
    store.columns["ids"][1] = np.sort(np.setdiff1d(np.arange(N_ITEMS), store.columns["ids"][0]))[
        np.arange(ROWS) % (N_ITEMS - ROWS)
    ]
    store.columns["ids"][1, : ROWS // 2] = store.columns["ids"][0, : ROWS // 2]
    store.columns["ids"][1].sort()
    inbox = replace(rule.share(np.array([1]), store, 0, DRAWS), receiver=one)
    rule.learn(one, inbox, store, nothing, 0, DRAWS)
    both = np.isin(store.columns["ids"][0], store.columns["ids"][1])
    assert 0 < both.sum() < ROWS
    np.testing.assert_array_equal(store.columns["rows"][0, :, 0], np.where(both, 4.0, 1.0))
    assert store.columns["age"][0] == 30


def test_a_message_does_not_depend_on_which_items_are_the_senders_own() -> None:
    """What is sent are the group's rows; two members send rows of the same ids."""
    store = grouped(count=1)
    turn(store, 0)
    sent = RULE.share(PHONES, store, 1, DRAWS)
    rows = sent.rows["item"].reshape(N_USERS, ROWS)
    assert (rows == rows[0]).all()


def test_bytes_between_phones_and_to_the_server_can_be_told_apart() -> None:
    store = grouped()
    server = EgoGroups(RULE, DATA, DRAWS)
    inbox = turn(store, 0)
    report = server.report(PHONES, store)
    answer = server.group(report, 2, DRAWS, 1).answer
    assert answer is not None
    assert (inbox.receiver != SERVER).all()
    assert (inbox.sender != SERVER).all()
    assert (report.receiver == SERVER).all()
    assert (answer.sender == SERVER).all()
    row_bytes = ROWS * (6 * 4 + 4)
    assert (inbox.nbytes() == 32 + 6 * 4 + row_bytes + 8).all()
    assert (answer.nbytes() == 32 + row_bytes + 5 * 8 + 8).all()
    for messages in (report, answer):
        lengths = [len(encoded(messages, k)) for k in range(len(messages))]
        assert messages.nbytes().tolist() == lengths


def test_what_the_server_is_told_holds_nothing_private_and_no_phones_items() -> None:
    store = ego_store(RULE, DRAWS, N_USERS)
    server = EgoGroups(RULE, DATA, DRAWS)
    first = server.report(PHONES, store)
    assert "user" not in first.arrays
    assert len(first.rows["item"]) == 0
    assert len(np.unique(first.arrays["ego"][:, 0])) == N_USERS


def test_the_grouping_is_a_function_of_the_reports_and_the_draws() -> None:
    answers = []
    for _ in range(2):
        store = ego_store(RULE, DRAWS, N_USERS)
        server = EgoGroups(RULE, DATA, DRAWS)
        answers.append(server.group(server.report(PHONES, store), 3, DRAWS, 0))
    assert answers[0].members.tobytes() == answers[1].members.tobytes()
    for name, column in answers[0].columns.items():
        assert column.tobytes() == answers[1].columns[name].tobytes()


def test_the_server_averages_the_rows_that_members_report() -> None:
    store = grouped(count=1)
    server = EgoGroups(RULE, DATA, DRAWS)
    store.columns["rows"][:] = PHONES[:, None, None]
    server.group(server.report(PHONES, store), 1, DRAWS, 1)
    held = store.columns["ids"][0]
    np.testing.assert_allclose(server.table[held], PHONES.mean())
    other = np.setdiff1d(np.arange(N_ITEMS), held)
    np.testing.assert_array_equal(server.table[other], MODEL.init(DRAWS)["item"].numpy()[other])


@pytest.mark.parametrize(
    ("number", "cause"),
    [(np.nan, Cause.NUMBER), (np.inf, Cause.NUMBER), (2.0**40, Cause.BOUND)],
)
def test_broken_reports_are_refused_by_their_form(number: float, cause: Cause) -> None:
    store, server = grouped(count=1), EgoGroups(RULE, DATA, DRAWS)
    store.columns["rows"][7, 3] = number
    causes = inspect(server.report(PHONES, store), server.form(store), known=PHONES)
    assert np.flatnonzero(causes).tolist() == [7]
    assert causes[7] == cause


def test_phones_without_a_group_wait() -> None:
    store = ego_store(RULE, DRAWS, N_USERS)
    sent = RULE.share(PHONES[:4], store, 0, DRAWS)
    assert sent.offsets["item"].tolist() == [0] * 5
    RULE.learn(PHONES, replace(sent, receiver=PHONES[:4]), store, DATA, 0, DRAWS)
    assert not changed(store, filled()).any()
    assert np.isneginf(RULE.scores(store.gather(PHONES), DATA)).all()


def filled() -> PrivateStore:
    store = ego_store(RULE, DRAWS, N_USERS)
    store.ensure(PHONES)
    return store


def test_a_diverged_phone_keeps_what_it_had_and_is_counted() -> None:
    model = MF(N_ITEMS, 6, "squared")
    rule = SemiDFEGL(model, ROWS, fakes=5, sgd=Sgd(1e4, 1e4, epochs=9))
    store, before = grouped(rule), grouped(rule)
    rule.learn(PHONES, None, store, DATA, 0, DRAWS)
    some = members(before).local(DATA).counts > 0
    assert store.columns["diverged"].tolist() == some.astype(int).tolist()
    np.testing.assert_array_equal(store.columns["user"], before.columns["user"])
    np.testing.assert_array_equal(store.columns["rows"], before.columns["rows"])


def test_members_learn_their_group_s_taste_and_better_together() -> None:
    """Users of even and odd number like even and odd items; what one has not, others have."""
    n_users, n_items, each = 40, 20, 6
    rows = [DRAWS.child(u).choose(np.arange(u % 2, n_items, 2), each, 0) for u in range(n_users)]
    data = UserItems.bare(np.concatenate(rows), np.arange(n_users + 1) * each)
    phones, wins = np.arange(n_users), {}
    for talk in (True, False):
        rule = SemiDFEGL(MF(n_items, 8), n_items, fakes=2, layers=1, sgd=Sgd(0.1, 0.1))
        store = ego_store(rule, DRAWS, n_users)
        server = EgoGroups(rule, data, DRAWS)
        apply(server.group(server.report(phones, store), 1, DRAWS, 0), phones, store)
        for number in range(60):
            to = (phones + 1 + DRAWS.child("to").integers(phones, number, n_users - 1)) % n_users
            order = np.argsort(to, kind="stable")
            inbox = replace(rule.share(order, store, number, DRAWS), receiver=to[order])
            rule.learn(phones, inbox if talk else None, store, data, number, DRAWS)
        scores = rule.scores(store.gather(phones), data)
        unseen = np.ones((n_users, n_items), bool)
        unseen[np.repeat(phones, each), data.items] = False
        own = (phones[:, None] % 2 == np.arange(n_items) % 2) & unseen
        other = (phones[:, None] % 2 != np.arange(n_items) % 2) & unseen
        better = scores[:, :, None] > scores[:, None, :]
        wins[talk] = better[own[:, :, None] & other[:, None, :]].mean()
    assert wins[True] > 0.9
    assert wins[False] < 0.65


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rows must lie in 1\.\.40"):
        SemiDFEGL(MODEL, 41)
    with pytest.raises(ValueError, match=r"fakes must lie in 0\.\.24"):
        SemiDFEGL(MODEL, 24, fakes=25)
    with pytest.raises(ValueError, match="at least 1"):
        SemiDFEGL(MODEL, 24, layers=0)
