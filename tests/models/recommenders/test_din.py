"""DIN: what a recommender promises, attention by its formula, and a taste that history tells."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from droidloop.models.data.fields import Fields
from droidloop.models.data.interactions import UserItems
from droidloop.models.data.samples import TEST, TRAIN, VALID, parts, samples_of
from droidloop.models.fitting.fit_din import scores_of, train_din
from droidloop.models.interfaces.learning import Batch, Context, Params, init_all
from droidloop.models.metrics.auc import auc
from droidloop.models.recommenders.din import DIN, Pooling
from droidloop.platform.draws import Draws
from tests.contracts.recommender import RecommenderContract

DRAWS = Draws(4, "din")
FLAGS = np.eye(9, 3, dtype=np.float32)
FIELDS = Fields({"age": np.array([0, 1, 1, 0, 1])}, {"age": 2}, FLAGS)
HISTORY = torch.tensor([[-1, 2, 5], [0, 1, 7]])


class NearlyTheSame(RecommenderContract):
    """Its products of matrices differ in the last bits with the batch: phones use no torch."""

    n_items = 9

    def test_scores_broadcast_users_against_items_bit_for_bit(self) -> None:
        users, items = torch.arange(self.n_users), torch.arange(self.n_items)
        grid = self.recommender.score(self.params, users[:, None], items[None, :])
        for user in users:
            alone = self.recommender.score(self.params, user[None], items)
            torch.testing.assert_close(grid[user], alone)

    def test_there_is_one_loss_for_each_example_whatever_else_is_in_the_batch(self) -> None:
        batch = self.batch()
        losses = self.recommender.loss(self.params, batch)
        assert batch.negatives is not None
        for k in range(len(batch.users)):
            part = slice(k, k + 1)
            one = Batch(
                batch.users[part], batch.items[part], batch.labels[part], batch.negatives[part]
            )
            torch.testing.assert_close(self.recommender.loss(self.params, one), losses[part])


class TestAttention(NearlyTheSame):
    recommender = DIN(9, FIELDS, dim=4, width=5, hidden=6, length=3)


class TestMean(NearlyTheSame):
    recommender = DIN(9, FIELDS, dim=4, width=5, hidden=6, length=3, pooling="mean")


class TestWithoutUsers(NearlyTheSame):
    recommender = DIN(9, FIELDS, dim=4, width=5, hidden=6, length=3, personal=False)


class TestWithNothingOfUsers(NearlyTheSame):
    recommender = DIN(9, dim=4, width=5, hidden=6, length=3, personal=False)


class TestWithoutFields(NearlyTheSame):
    recommender = DIN(9, dim=4, width=5, hidden=6, length=3)
    shown: ClassVar[str] = "a user and an item alone"


def made(pooling: Pooling = "attention") -> tuple[DIN, Params]:
    din = DIN(9, FIELDS, dim=4, width=5, hidden=6, length=3, pooling=pooling)
    return din, init_all(din, DRAWS, 5)


def test_the_user_vector_is_the_mean_of_weighted_items_by_the_network_on_four_parts() -> None:
    din, params = made()
    table = din.item_vectors(params)
    first = torch.cat(
        [
            params["key"] - 0.3,
            params["ask"] + 0.3,
            params["both"],
            0.3 * torch.ones_like(params["key"]),
        ]
    )
    items = torch.tensor([4, 3])
    vectors = din.user_vector(params, items, Context(HISTORY))
    for row, count in enumerate((2, 3)):
        target, expected = table[items[row]], torch.zeros(4)
        for j in HISTORY[row].tolist():
            if j < 0:
                continue
            read = torch.cat([table[j], target, table[j] * target, table[j] - target])
            hidden = torch.relu(read @ first + params["attend_bias"])
            expected += (hidden @ params["attend"] + params["attend_out"][0]) * table[j]
        torch.testing.assert_close(vectors[row], expected / count)


def test_the_user_vector_changes_with_the_target_and_the_mean_does_not() -> None:
    items = torch.arange(9)[None].expand(2, 9)
    cases: list[tuple[Pooling, bool]] = [("attention", True), ("mean", False)]
    for pooling, changes in cases:
        din, params = made(pooling)
        vectors = din.user_vector(params, items, Context(HISTORY))
        assert bool((vectors.std(dim=1) > 1e-6).any()) == changes


def test_the_order_of_padding_and_absent_items_say_nothing() -> None:
    din, params = made()
    items = torch.tensor([4])
    one = din.user_vector(params, items, Context(torch.tensor([[-1, 2, 5]])))
    other = din.user_vector(params, items, Context(torch.tensor([[2, 5]])))
    torch.testing.assert_close(one, other)


def same_kind(users: int, length: int, kinds: int, of_each: int) -> UserItems:
    """Return events that are liked if the user had an item of the same kind liked before.

    Or, one in three, by chance, so that there is something to begin with.
    """
    rows, steps = np.arange(users)[:, None], np.arange(length)
    items = DRAWS.child("items").integers(rows, steps, kinds * of_each)
    lucky = DRAWS.child("luck").uniform(rows, steps) < 1 / 3
    ratings = np.zeros((users, length))
    for user in range(users):
        liked: list[int] = []
        for step in range(length):
            kind = int(items[user, step]) // of_each
            if kind in liked or (lucky[user, step] and len(liked) < kinds // 2):
                ratings[user, step] = 5.0
                liked.append(kind)
    offsets = np.arange(users + 1) * length
    return UserItems(items.reshape(-1), offsets, items.reshape(-1) * 0, ratings.reshape(-1))


def test_attention_learns_a_taste_that_the_history_tells_better_than_the_mean() -> None:
    events = same_kind(150, 40, 24, 2)
    samples, part = samples_of(events, 20), parts(events.counts)
    train, valid, test = (samples.take(part == which) for which in (TRAIN, VALID, TEST))
    reached = {}
    pooling: Pooling
    for pooling in ("attention", "mean"):
        din = DIN(48, dim=6, width=8, hidden=16, length=20, pooling=pooling)
        params = train_din(din, train, valid, DRAWS, epochs=30, lr=0.01, batch=256, patience=30)
        reached[pooling] = auc(test.labels, scores_of(din, params, test))
    assert reached["attention"] > 0.8
    assert reached["attention"] > reached["mean"] + 0.01


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(ValueError, match="no pooling"):
        DIN(3, pooling="max")  # type: ignore[arg-type]
