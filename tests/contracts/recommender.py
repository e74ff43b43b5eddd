"""What every recommender promises. Subclass, name the class Test..., set ``recommender``."""

import numpy as np
import torch

from droidloop.models.interfaces.learning import Batch, Params, Recommender, init_all
from droidloop.platform.draws import Draws

DRAWS = Draws(5, "recommender")


class RecommenderContract:
    """A suite for one recommender on ``n_users`` users and ``n_items`` items."""

    recommender: Recommender
    n_users: int = 5
    n_items: int

    @property
    def params(self) -> Params:
        return init_all(self.recommender, DRAWS, self.n_users)

    def batch(self, size: int = 6, k: int = 3) -> Batch:
        rows = np.arange(size)
        negatives = DRAWS.child("negatives").integers(rows[:, None], np.arange(k), self.n_items)
        negatives[0, 0] = -1
        return Batch(
            users=torch.from_numpy(DRAWS.child("users").integers(rows, 0, self.n_users)),
            items=torch.from_numpy(DRAWS.child("items").integers(rows, 0, self.n_items)),
            labels=torch.ones(size),
            negatives=torch.from_numpy(negatives),
        )

    def test_shared_and_private_parameters_have_different_names(self) -> None:
        shared = self.recommender.init(DRAWS).keys()
        private = self.recommender.init_private(DRAWS, np.arange(2)).keys()
        assert private == self.recommender.private
        assert not shared & private

    def test_private_values_of_a_user_do_not_depend_on_the_others(self) -> None:
        some = self.recommender.init_private(DRAWS, np.array([4, 1]))
        every = self.recommender.init_private(DRAWS, np.arange(self.n_users))
        for name, value in some.items():
            assert torch.equal(value, every[name][[4, 1]])

    def test_scores_broadcast_users_against_items_bit_for_bit(self) -> None:
        users, items = torch.arange(self.n_users), torch.arange(self.n_items)
        grid = self.recommender.score(self.params, users[:, None], items[None, :])
        assert grid.shape == (self.n_users, self.n_items)
        for user in users:
            alone = self.recommender.score(self.params, user[None], items)
            assert torch.equal(grid[user], alone)

    def test_there_is_one_loss_for_each_example_whatever_else_is_in_the_batch(self) -> None:
        batch = self.batch()
        losses = self.recommender.loss(self.params, batch)
        assert losses.shape == (len(batch.users),)
        assert batch.negatives is not None
        for k in range(len(batch.users)):
            part = slice(k, k + 1)
            one = Batch(
                batch.users[part], batch.items[part], batch.labels[part], batch.negatives[part]
            )
            assert torch.equal(self.recommender.loss(self.params, one), losses[part])

    def test_an_absent_negative_costs_nothing(self) -> None:
        batch = self.batch(1, 2)
        assert batch.negatives is not None
        assert batch.negatives[0, 0] == -1
        without = Batch(batch.users, batch.items, batch.labels, batch.negatives[:, 1:])
        with_absent = self.recommender.loss(self.params, batch)
        torch.testing.assert_close(self.recommender.loss(self.params, without), with_absent)

    def test_a_small_step_against_the_gradient_lowers_the_loss(self) -> None:
        params = {name: value.requires_grad_() for name, value in self.params.items()}
        loss = self.recommender.loss(params, self.batch()).sum()
        slopes = torch.autograd.grad(loss, list(params.values()), allow_unused=True)
        moved = {
            name: value.detach() - 1e-3 * (0 if slope is None else slope)
            for (name, value), slope in zip(params.items(), slopes, strict=True)
        }
        assert self.recommender.loss(moved, self.batch()).sum() < loss

    def test_nothing_it_is_given_is_changed(self) -> None:
        params = self.params
        before = {name: value.clone() for name, value in params.items()}
        self.recommender.loss(params, self.batch())
        self.recommender.score(params, torch.tensor([0]), torch.tensor([0]))
        assert all(torch.equal(value, before[name]) for name, value in params.items())

    def test_costs_of_a_cohort_are_those_of_its_phones_and_grow_with_the_examples(self) -> None:
        counts = np.array([0, 1, 10, 1000])
        every = self.recommender.cost(counts)
        for k, count in enumerate(counts):
            one = self.recommender.cost(int(count))
            for column in ("flops", "moved_bytes", "ram_bytes"):
                assert np.asarray(getattr(every, column))[k] == getattr(one, column)
        for values in (every.flops, every.moved_bytes, every.ram_bytes):
            assert np.all(np.diff(np.asarray(values)) > 0)
