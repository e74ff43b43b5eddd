"""CH, PPH and HashGNN: they end with codes alone, and popcount ranks as products do."""

import numpy as np
import pytest
import torch

from droidloop.models.fitting.fit import Hyperparameters
from droidloop.models.fitting.hash_gnn import Hashing, hash_gnn, hashed
from droidloop.models.fitting.hashing import (
    Relaxed,
    collaborative_hashing,
    preference_preserving,
    relax,
    turned,
)
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.binary import codes_of, popcount_scores
from droidloop.platform.draws import Draws
from tests.contracts.tiny import equal_data

DRAWS = Draws(7, "hashing")
N_USERS, N_ITEMS, BITS = 30, 40, 8
DATA = equal_data(DRAWS, N_USERS, N_ITEMS, 6)
MODEL = MF(N_ITEMS, BITS)
CHOSEN = Hyperparameters(epochs=6, lr=0.05, batch=64, negatives=2)


def test_ch_ends_with_signs_of_which_about_half_are_above_0() -> None:
    codes = collaborative_hashing(MODEL, DATA, CHOSEN, Relaxed(1.0, 1.0), draws=DRAWS)
    assert 0.45 <= np.mean(np.concatenate([one.numpy() > 0 for one in codes.values()])) <= 0.55
    for name, rows in (("user", N_USERS), ("item", N_ITEMS)):
        side = codes[name].numpy()
        assert side.shape == (rows, BITS)
        assert set(np.unique(side)) == {-1.0, 1.0}


def test_each_term_lowers_what_it_is_of() -> None:
    def asked(relaxed: Relaxed) -> list[float]:
        made = relax(MODEL, DATA, CHOSEN, relaxed, draws=DRAWS)
        item, user = made["item"].numpy(), made["user"].numpy()
        sides = (item, user)
        products = item.T @ item / len(item)
        lengths = np.concatenate([np.square(side).sum(axis=1) for side in sides])
        apart = np.square(products - np.diag(np.diag(products))).sum()
        return [sum(np.square(s.mean(axis=0)).sum() for s in sides), apart, lengths.std()]

    free = asked(Relaxed())
    long = Relaxed(length=5, norm=0.4)
    for term, relaxed in enumerate((Relaxed(balance=5), Relaxed(spread=5), long)):
        assert asked(relaxed)[term] < 0.8 * free[term]


def test_turning_changes_no_product() -> None:
    vectors = relax(MODEL, DATA, CHOSEN, Relaxed(), draws=DRAWS)
    user, item = turned(vectors, DRAWS)
    before = vectors["user"].numpy() @ vectors["item"].numpy().T
    np.testing.assert_allclose(user @ item.T, before, atol=1e-5)


def test_pph_returns_what_its_codes_stand_for() -> None:
    real, codes = preference_preserving(MODEL, DATA, CHOSEN, Relaxed(length=0.1), draws=DRAWS)
    np.testing.assert_array_equal(codes["user"].numpy(), np.where(real["user"] >= 0, 1, -1))
    assert torch.equal(codes["item"], real["item"])


@pytest.mark.parametrize("guided", [0.0, 0.5])
def test_hash_gnn_ends_with_codes_whose_popcount_ranks_as_products_do(guided: float) -> None:
    seen = []

    def judge(codes) -> float:  # type: ignore[no-untyped-def]
        scores = (codes["user"] @ codes["item"].T).numpy()
        owners = np.repeat(np.arange(N_USERS), DATA.counts)
        seen.append(float(scores[owners, DATA.items].mean() - scores.mean()))
        return seen[-1]

    hashing = Hashing(BITS, guided=guided)
    codes = hash_gnn(DATA, N_ITEMS, CHOSEN, hashing, draws=DRAWS, validate=judge)
    user, item = codes["user"].numpy(), codes["item"].numpy()
    assert set(np.unique(np.concatenate([user, item]))) == {-1.0, 1.0}
    products, counted = user @ item.T, popcount_scores(codes_of(user), codes_of(item), BITS)
    np.testing.assert_array_equal(counted, products)
    one, other = (
        np.argsort(-scores, axis=1, kind="stable")[:, :10] for scores in (products, counted)
    )
    np.testing.assert_array_equal(one, other)
    assert judge(codes) == max(seen[int(np.ceil(6 * guided)) :]) > 0.5


def test_guidance_leaves_its_share_real_and_passes_gradients() -> None:
    units = torch.linspace(-2, 2, 4000).reshape(500, 8).requires_grad_()
    half, none = hashed(units, 0.5, DRAWS, 0), hashed(units, 0.0, DRAWS, 0)
    assert set(np.unique(none.detach().numpy())) == {-1.0, 1.0}
    real = (half.detach().abs() < 1).float().mean()
    assert abs(float(real) - 0.5) < 0.05
    none.sum().backward()  # type: ignore[no-untyped-call]
    assert units.grad is not None
    torch.testing.assert_close(units.grad, 1 - torch.tanh(units.detach()).square())
