"""Tables of several sizes: what phones of a tier train, send and get, and what the server makes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.federated.hetefedrec import HeteFedRec, tiers_by
from droidloop.models.federated.tier_server import Distillation, Tiers, TierServer, stacked
from droidloop.models.interfaces.learning import Batch, Cohort
from droidloop.models.local.prefix_sgd import decorrelate
from droidloop.models.local.sgd import Examples, Sgd
from droidloop.models.numerics.relations import agreed, similarities
from droidloop.models.recommenders.mf import MF
from droidloop.platform.draws import Draws
from droidloop.platform.messages import HEADER_BYTES, Messages, joined
from tests.contracts.client_rule import ClientRuleContract
from tests.contracts.server_rule import ServerRuleContract
from tests.contracts.tiny import cohort_of, received, tiny_data

DRAWS = Draws(1, "tiers")
N_ITEMS, N_USERS, DIMS = 30, 12, (2, 4, 8)
MODEL = MF(N_ITEMS, DIMS[-1])
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)
MIXED = Tiers(PHONES % 3, DIMS)
ALONE = Tiers(np.full(N_USERS, 2), DIMS)


def server(tiers: Tiers = ALONE, how: Distillation | None = None, step: float = 2.0) -> TierServer:
    return TierServer(MODEL.init(DRAWS)["item"].numpy(), tiers, step, how)


def sent_by(rule: HeteFedRec, at: TierServer, round_: int = 0) -> list[Messages]:
    """One step of all phones: what they send, by tier."""
    cohort = cohort_of(MODEL, DRAWS, PHONES, round_)
    found = []
    for inbox in at.broadcast(PHONES):
        mine = inbox.receiver
        part = Cohort(mine, round_, {"user": cohort.private["user"][mine]})
        found.append(rule.step(part, inbox, DATA.take(mine), DRAWS))
    return found


def uploads() -> Messages:
    [sent] = sent_by(HeteFedRec(MODEL, ALONE), server())
    return sent


class TestRule(ClientRuleContract):
    rule = HeteFedRec(MODEL, ALONE, Sgd(epochs=2), decorrelation=3.0)
    recommender = MODEL
    data = DATA
    server = staticmethod(server)


class TestServer(ServerRuleContract):
    server: Callable[[], TierServer] = staticmethod(
        lambda: server(how=Distillation(10, 0.5, 2, DRAWS))
    )
    uploads = staticmethod(uploads)


def test_with_one_length_and_one_loss_it_is_fedmf() -> None:
    one = Tiers(np.zeros(N_USERS, np.int64), (8,))
    ours, theirs = cohort_of(MODEL, DRAWS, PHONES), cohort_of(MODEL, DRAWS, PHONES)
    inbox = received(server(one), PHONES)
    sent = HeteFedRec(MODEL, one, Sgd(epochs=2)).step(ours, inbox, DATA, DRAWS)
    plain = row_average(MODEL.init(DRAWS))
    other = FedMF(MODEL, Sgd(epochs=2)).step(theirs, received(plain, PHONES), DATA, DRAWS)
    np.testing.assert_allclose(sent.arrays["item-0"], other.arrays["item"], atol=1e-6)
    np.testing.assert_array_equal(sent.rows["item-0"], other.rows["item"])
    np.testing.assert_allclose(ours.private["user"], theirs.private["user"], atol=1e-6)


@pytest.mark.parametrize("loss", ["log", "bpr"])
def test_a_step_goes_down_the_sum_of_the_losses_at_every_length(loss: str) -> None:
    """One batch, one epoch: the change is the step times the gradient that torch finds."""
    model = MF(N_ITEMS, 8, loss)  # type: ignore[arg-type]
    phone, at = np.array([int(np.argmax(DATA.counts))]), server()
    cohort, inbox = cohort_of(model, DRAWS, phone), at.broadcast(phone)[0]
    user = torch.tensor(cohort.private["user"].copy(), requires_grad=True)
    rule = HeteFedRec(model, ALONE, Sgd(0.01, 0.01, 1, 10_000))

    examples = Examples.of(rule, phone, DATA.take(phone), DRAWS, 0)
    table = torch.tensor(stacked(at, ALONE)[2], requires_grad=True)
    total = torch.zeros(())
    for dim in DIMS:
        short = MF(N_ITEMS, dim, loss)  # type: ignore[arg-type]
        batch = Batch(
            torch.zeros(len(examples.data.items), dtype=torch.int64),
            torch.from_numpy(examples.data.items),
            torch.ones(len(examples.data.items)),
            torch.from_numpy(examples.negatives.astype(np.int64)),
        )
        total = total + short.loss({"user": user[:, :dim], "item": table[:, :dim]}, batch).sum()
    total.backward()  # type: ignore[no-untyped-call]
    sent = rule.step(cohort, inbox, DATA.take(phone), DRAWS)
    assert table.grad is not None
    assert user.grad is not None
    moved = np.concatenate([sent.arrays[f"item-{k}"] for k in range(3)], axis=1)
    np.testing.assert_allclose(
        moved, -0.01 * table.grad.numpy()[sent.rows["item-0"]], atol=2e-6, rtol=1e-4
    )
    np.testing.assert_allclose(
        cohort.private["user"], (user - 0.01 * user.grad).detach().numpy(), atol=2e-6
    )


def test_decorrelation_goes_down_the_slope_of_the_squared_correlations() -> None:
    rows = DRAWS.normal(np.arange(100), 0).reshape(20, 5).astype(np.float32)
    rows[:, 1] += rows[:, 0]
    values = torch.tensor(rows.astype(np.float64), requires_grad=True)
    unit = (values - values.mean(0)) / values.std(0, unbiased=False)
    square = (unit.T @ unit / 20).square()
    ((square.sum() - square.diagonal().sum()) / (2 * 5 * 4)).backward()  # type: ignore[no-untyped-call]
    moved = rows.copy()
    decorrelate(moved, 1.0)
    assert values.grad is not None
    np.testing.assert_allclose(rows - moved, values.grad.numpy(), atol=1e-6)


def test_tables_that_are_distilled_agree_more_on_the_items_and_stay_elsewhere() -> None:
    tables = [DRAWS.child(d).normal(np.arange(20 * d), 0).reshape(20, d) for d in DIMS]
    items = np.array([1, 4, 5, 9, 16])
    wanted = np.mean([similarities(one[items]) for one in tables], axis=0)
    moved = agreed(tables, items, 0.3, 10)
    for table, rows in zip(tables, moved, strict=True):
        before, after = (
            float(np.square(similarities(one) - wanted).mean()) for one in (table[items], rows)
        )
        assert after < before
    at = server(MIXED, Distillation(5, 0.5, 1, DRAWS))
    plain = server(MIXED)
    for sent in sent_by(HeteFedRec(MODEL, MIXED), at):
        at.absorb(sent)
        plain.absorb(sent)
    at.close()
    plain.close()
    differ = [(at.table(tier) != plain.table(tier)).any(axis=1).sum() for tier in range(3)]
    assert differ == [5, 5, 5]


def test_bytes_of_a_tier_are_what_the_formula_says() -> None:
    at = server(MIXED)
    batches = {int(MIXED.of[one.receiver[0]]): one for one in at.broadcast(PHONES)}
    for tier, dim in enumerate(DIMS):
        assert set(batches[tier].nbytes().tolist()) == {HEADER_BYTES + 4 * dim * N_ITEMS}
    for sent in sent_by(HeteFedRec(MODEL, MIXED), at):
        tier = int(MIXED.of[sent.sender[0]])
        rows = np.diff(sent.offsets["item-0"])
        each = 4 * DIMS[tier] + 4 * (tier + 1)
        np.testing.assert_array_equal(sent.nbytes(), HEADER_BYTES + rows * each)


def test_a_block_is_averaged_over_the_phones_that_have_it() -> None:
    at, before = server(MIXED, step=1.0), server(MIXED)
    sent = sent_by(HeteFedRec(MODEL, MIXED), at)
    for one in sent:
        at.absorb(one)
    at.close()
    for block in range(3):
        name = f"item-{block}"
        holding = [one for one in sent if name in one.arrays]
        assert len(holding) == 3 - block
        total, counts = np.zeros_like(before.params[name].numpy(), np.float64), np.zeros(N_ITEMS)
        for one in holding:
            np.add.at(total, one.rows[name], one.arrays[name])
            np.add.at(counts, one.rows[name], 1)
        mean = total / np.maximum(counts, 1)[:, None]
        np.testing.assert_allclose(
            at.params[name].numpy(), before.params[name].numpy() + mean, atol=1e-6
        )


def test_short_vectors_begin_the_long_ones() -> None:
    at = server(MIXED)
    for sent in sent_by(HeteFedRec(MODEL, MIXED), at):
        at.absorb(sent)
    at.close()
    np.testing.assert_array_equal(at.table(0), at.table(2)[:, :2])
    np.testing.assert_array_equal(at.table(1), at.table(2)[:, :4])


def test_a_longer_vector_costs_more_memory_and_more_operations() -> None:
    rule = HeteFedRec(MODEL, Tiers(np.array([0, 1, 2]), DIMS))
    data = DATA.take(np.repeat(int(np.argmax(DATA.counts)), 3))
    cost = rule.cost(Cohort(np.arange(3), 0, {}), data)
    for column in (cost.flops, cost.moved_bytes, cost.ram_bytes):
        assert (np.diff(np.asarray(column)) > 0).all()


def test_tiers_by_data_are_the_shares_of_those_with_the_least() -> None:
    tiers = tiers_by(np.array([5, 1, 9, 3, 7, 2, 8, 4, 6, 0]), [5.0, 3.0, 2.0], DIMS)
    assert tiers.of.tolist() == [1, 0, 2, 0, 1, 0, 2, 0, 1, 0]


def test_phones_of_two_tiers_do_not_train_together() -> None:
    inbox = server().broadcast(PHONES)[0]
    with pytest.raises(ValueError, match="train no table together"):
        HeteFedRec(MODEL, MIXED).step(cohort_of(MODEL, DRAWS, PHONES), inbox, DATA, DRAWS)
    assert len(joined(sent_by(HeteFedRec(MODEL, ALONE), server()))) == N_USERS
