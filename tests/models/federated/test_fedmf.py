from dataclasses import replace

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.federated.fedmf import FedMF, Upload
from droidloop.models.federated.folds import gradient_descent, row_average
from droidloop.models.federated.uploads import Kind
from droidloop.models.fitting.fit import Hyperparameters, fit
from droidloop.models.interfaces.learning import Cohort, init_all
from droidloop.models.local.cohort import Engine
from droidloop.models.local.sgd import Sgd
from droidloop.models.recommenders.mf import MF, Loss
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from tests.contracts.client_rule import ClientRuleContract
from tests.contracts.tiny import cohort_of, received, tiny_data

DRAWS = Draws(13, "fedmf")
N_ITEMS, N_USERS = 30, 12
MODEL = MF(N_ITEMS, 6)
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)


class TestPartialUploads(ClientRuleContract):
    rule = FedMF(MODEL, Sgd(epochs=2, batch=20))
    recommender = MODEL
    data = DATA
    server = staticmethod(lambda: row_average(MODEL.init(DRAWS)))


class TestFullUploads(ClientRuleContract):
    rule = FedMF(MODEL, upload="full", kind="parameters", threads=2)
    recommender = MODEL
    data = DATA
    server = staticmethod(lambda: row_average(MODEL.init(DRAWS)))


class TestTorchEngine(ClientRuleContract):
    rule = FedMF(MODEL, Sgd(epochs=2, batch=20), engine="torch", kind="gradient")
    recommender = MODEL
    data = DATA
    server = staticmethod(lambda: row_average(MODEL.init(DRAWS)))


def step(rule: FedMF, round_: int = 0, data: UserItems = DATA) -> tuple[Messages, Cohort]:
    cohort = cohort_of(rule.recommender, DRAWS, PHONES, round_)
    inbox = received(row_average(rule.recommender.init(DRAWS)), PHONES)
    return rule.step(cohort, inbox, data, DRAWS), cohort


def table() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return MODEL.init(DRAWS)["item"].numpy()


@pytest.mark.parametrize("loss_name", ["log", "bpr", "squared"])
def test_central_equals_federated(loss_name: Loss) -> None:
    """Full participation, one full batch, plain sum: one central full-batch step, to 1e-6."""
    mf = MF(N_ITEMS, 6, loss_name, l2=0.01)
    lr = 0.05
    central = fit(
        mf,
        init_all(mf, DRAWS, N_USERS),
        DATA,
        Hyperparameters(epochs=1, lr=lr, batch=10**6, negatives=4, optimizer="sgd"),
        n_items=N_ITEMS,
        draws=DRAWS,
    )
    server = gradient_descent(mf.init(DRAWS), step=lr)
    rule = FedMF(mf, Sgd(lr, lr, batch=10**6), kind="gradient")
    cohort = cohort_of(mf, DRAWS, PHONES)
    server.absorb(rule.step(cohort, received(server, PHONES), DATA, DRAWS))
    server.close()
    item = server.params["item"]
    torch.testing.assert_close(item, central["item"], atol=1e-6, rtol=0)
    user = torch.from_numpy(cohort.private["user"])
    torch.testing.assert_close(user, central["user"], atol=1e-6, rtol=0)
    assert (item - mf.init(DRAWS)["item"]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["delta", "parameters", "gradient"])
def test_the_kinds_are_the_same_training_told_in_three_ways(kind: Kind) -> None:
    sgd = Sgd(lr_rows=0.1)
    (sent, _), (deltas, _) = step(FedMF(MODEL, sgd, kind=kind)), step(FedMF(MODEL, sgd))
    assert sent.kind == kind
    change, rows = deltas.arrays["item"], deltas.rows["item"]
    expected = {"delta": change, "parameters": table()[rows] + change, "gradient": change / -0.1}
    np.testing.assert_allclose(sent.arrays["item"], expected[kind], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["delta", "parameters"])
def test_a_full_upload_is_the_partial_one_with_all_other_rows_unchanged(kind: Kind) -> None:
    part, _ = step(FedMF(MODEL, kind=kind))
    full, _ = step(FedMF(MODEL, kind=kind, upload="full"))
    assert "item" not in full.rows
    for k in range(N_USERS):
        expected = np.zeros((N_ITEMS, 6), np.float32) if kind == "delta" else table().copy()
        one = part.take(np.array([k]))
        expected[one.rows["item"]] = one.arrays["item"]
        np.testing.assert_array_equal(full.take(np.array([k])).arrays["item"], expected)


def test_a_partial_upload_holds_the_touched_rows_alone() -> None:
    messages, _ = step(FedMF(MODEL))
    assert messages.offsets["item"][-1] < N_USERS * N_ITEMS
    for k in range(N_USERS):
        rows = messages.take(np.array([k])).rows["item"]
        assert (np.diff(rows) > 0).all()
        assert np.isin(DATA.of(k), rows).all()
        assert len(rows) <= 5 * len(DATA.of(k))


def test_excluded_items_are_never_trained_as_negatives() -> None:
    known = [np.union1d(DATA.of(user), [1, 2]) for user in range(N_USERS)]
    offsets = np.concatenate([[0], np.cumsum([len(items) for items in known])])
    rated = UserItems.bare(np.concatenate(known), offsets)
    messages, _ = step(FedMF(MODEL, exclude=rated))
    for k in range(N_USERS):
        rows = messages.take(np.array([k])).rows["item"]
        assert not np.isin(np.setdiff1d([1, 2], DATA.of(k)), rows).any()


def test_exclusions_are_looked_up_by_phone_not_by_place_in_the_cohort() -> None:
    exclude = UserItems.bare(np.arange(N_ITEMS), np.array([0] * 12 + [N_ITEMS]))
    rule, last = FedMF(MODEL, exclude=exclude), np.array([N_USERS - 1])
    data = UserItems.bare(np.array([3]), np.array([0, 1]))
    inbox = received(row_average(MODEL.init(DRAWS)), last)
    message = rule.step(cohort_of(MODEL, DRAWS, last), inbox, data, DRAWS)
    assert message.rows["item"].tolist() == [3]


@pytest.mark.parametrize("upload", ["part", "full"])
def test_both_engines_send_the_same(upload: Upload) -> None:
    sent = {}
    engines: tuple[Engine, Engine] = ("numba", "torch")
    for engine in engines:
        sent[engine] = step(FedMF(MODEL, Sgd(epochs=3), upload=upload, engine=engine))
    (one, a), (other, b) = sent.values()
    np.testing.assert_allclose(one.arrays["item"], other.arrays["item"], atol=2e-6)
    np.testing.assert_allclose(a.private["user"], b.private["user"], atol=2e-6)


def test_messages_weigh_the_number_of_local_items_and_go_to_the_server() -> None:
    messages, _ = step(FedMF(MODEL))
    assert messages.weight.tolist() == DATA.counts.tolist()
    assert (messages.receiver == SERVER).all()


def test_a_diverged_phone_keeps_its_user_vector_and_its_upload_is_refused() -> None:
    rule = FedMF(MF(N_ITEMS, 6, "squared"), Sgd(1e4, 1e4, epochs=9))
    messages, cohort = step(rule)
    fresh = cohort_of(rule.recommender, DRAWS, PHONES)
    assert np.isfinite(cohort.private["user"]).all()
    np.testing.assert_array_equal(cohort.private["user"], fresh.private["user"])
    server = row_average(MODEL.init(DRAWS))
    assert server.absorb(messages).tolist() == (DATA.counts == 0).tolist()
    server.close()
    assert server.params["item"].isfinite().all()


def test_the_cost_counts_items_and_negatives_in_every_epoch() -> None:
    cohort = cohort_of(MODEL, DRAWS, PHONES)
    once = FedMF(MODEL, negatives=4).cost(cohort, DATA)
    thrice = FedMF(MODEL, Sgd(epochs=3), negatives=4).cost(cohort, DATA)
    expected = MODEL.cost(5 * DATA.counts)
    np.testing.assert_array_equal(once.flops, expected.flops)
    np.testing.assert_array_equal(thrice.flops, 3 * np.asarray(expected.flops))
    np.testing.assert_array_equal(thrice.ram_bytes, once.ram_bytes)


def test_federated_training_recovers_groups_of_taste() -> None:
    """Users of even and odd number like the even and the odd items: scores must tell them apart."""
    mf, n_users, n_items = MF(20, 8), 40, 20
    rows = [DRAWS.child(u).choose(np.arange(u % 2, n_items, 2), 6, 0) for u in range(n_users)]
    data = UserItems.bare(np.concatenate(rows), np.arange(n_users + 1) * 6)
    rule, server = FedMF(mf), row_average(mf.init(DRAWS))
    phones = np.arange(n_users)
    cohort = cohort_of(mf, DRAWS, phones)
    for round_ in range(60):
        cohort = replace(cohort, round=round_)
        server.absorb(rule.step(cohort, received(server, phones), data, DRAWS))
        server.close()
    scores = cohort.private["user"] @ server.params["item"].numpy().T
    unseen = np.ones((n_users, n_items), bool)
    unseen[np.repeat(phones, 6), data.items] = False
    own = (phones[:, None] % 2 == np.arange(n_items) % 2) & unseen
    other = (phones[:, None] % 2 != np.arange(n_items) % 2) & unseen
    wins = (scores[:, :, None] > scores[:, None, :])[own[:, :, None] & other[:, None, :]]
    assert wins.mean() > 0.95


def test_what_the_rule_cannot_train_is_refused() -> None:
    server = row_average(MODEL.init(DRAWS))
    cohort, inbox = cohort_of(MODEL, DRAWS, PHONES), received(server, PHONES)
    rule = FedMF(MODEL)
    with pytest.raises(ValueError, match="one table"):
        rule.step(cohort, None, DATA, DRAWS)
    with pytest.raises(ValueError, match="one table"):
        FedMF(MF(N_ITEMS, 7)).step(cohort, inbox, DATA, DRAWS)
    with pytest.raises(ValueError, match="addressed"):
        rule.step(cohort, received(server, PHONES[::-1]), DATA, DRAWS)
    beyond = UserItems.bare(np.array([N_ITEMS]), np.array([0] + [1] * N_USERS))
    with pytest.raises(ValueError, match=f"0..{N_ITEMS - 1}"):
        rule.step(cohort, inbox, beyond, DRAWS)


def test_settings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="'half'"):
        FedMF(MODEL, upload="half")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="0 negatives"):
        FedMF(MODEL, negatives=0)
