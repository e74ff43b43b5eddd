"""Clipping and Laplace noise: what it does to numbers, and what it costs in epsilon."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.interfaces.transforms import Setting
from droidloop.models.recommenders.mf import MF
from droidloop.models.transforms.clip_laplace import ClipLaplace, ClipLaplaceSection, build
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from tests.contracts.tiny import tiny_data

DRAWS = Draws(8, "noise")
PHONES, ROWS, DIM = 20, 500, 8
TOGETHER = np.arange(PHONES)


def transform(**keys: object) -> ClipLaplace:
    model = MF(ROWS, DIM)
    store = PrivateStore.of(model, DRAWS, PHONES)
    setting = Setting(PHONES, DRAWS, model, tiny_data(DRAWS, PHONES, ROWS), store, None)
    return build(ClipLaplaceSection.model_validate(keys), setting)


def uploads(scale: float = 1.0) -> Messages:
    """One whole table a phone, and a number that is not to be blurred."""
    values = scale * DRAWS.normal(np.arange(PHONES * ROWS)[:, None], np.arange(DIM))
    one = np.arange(PHONES + 1)
    return Messages(
        kind="delta",
        sender=TOGETHER,
        receiver=np.full(PHONES, SERVER),
        arrays={"item": values.astype(np.float32), "group": np.arange(PHONES)},
        weight=np.ones(PHONES),
        base=np.zeros(PHONES, np.int64),
        offsets={"item": one * ROWS, "group": one},
    )


@pytest.mark.parametrize("scale", [0.05, 0.5])
def test_noise_has_the_variance_of_laplace(scale: float) -> None:
    sent = uploads(0.0)
    one = transform(clip=1.0, noise=scale)
    turns = [one.seal(sent, TOGETHER, turn).arrays["item"] for turn in range(8)]
    noise = np.concatenate(turns).astype(np.float64)
    assert noise.size == 640_000  # the variance's standard error is sqrt(5 / n), 0.3 %
    assert abs(noise.mean()) < 4 * scale * np.sqrt(2 / noise.size)
    assert noise.var() == pytest.approx(2 * scale**2, rel=0.02)
    # half of a Laplace variable lies within ln 2 of its scale; of a like normal one 38 %
    assert np.mean(np.abs(noise) < scale * np.log(2)) == pytest.approx(0.5, abs=0.01)


def test_numbers_are_clipped_before_they_get_noise() -> None:
    sealed = transform(clip=0.25, noise=1e-9).seal(uploads(), TOGETHER, 0)
    plain = uploads()
    np.testing.assert_allclose(
        sealed.arrays["item"], np.clip(plain.arrays["item"], -0.25, 0.25), atol=1e-6
    )
    np.testing.assert_array_equal(sealed.arrays["group"], plain.arrays["group"])
    assert (sealed.nbytes() == plain.nbytes()).all()


def test_a_message_is_shrunk_to_the_sum_of_magnitudes_that_it_may_have() -> None:
    sealed = transform(clip=3.0, noise=1e-9, of="message").seal(uploads(), TOGETHER, 0)
    sums = np.abs(sealed.arrays["item"].astype(np.float64)).reshape(PHONES, -1).sum(axis=1)
    np.testing.assert_allclose(sums, 3.0, rtol=1e-4)


def test_sealing_is_pure_and_differs_by_phone_and_turn() -> None:
    one, sent = transform(), uploads(0.0)
    first = one.seal(sent, TOGETHER, 0).arrays["item"]
    np.testing.assert_array_equal(first, one.seal(sent, TOGETHER, 0).arrays["item"])
    part = one.seal(sent.take(np.array([4])), TOGETHER, 0).arrays["item"]
    np.testing.assert_array_equal(part, first[4 * ROWS : 5 * ROWS])
    assert not np.array_equal(first, one.seal(sent, TOGETHER, 1).arrays["item"])
    assert not np.array_equal(first[:ROWS], first[ROWS : 2 * ROWS])
    assert not sent.arrays["item"].any(), "what the rule made is not changed"


def test_epsilon_is_what_one_calculates_by_hand() -> None:
    one = transform(clip=0.5, noise=0.1)
    assert one.epsilon == 10.0  # 2 x 0.5 / 0.1
    one.left(np.array([1, 2]), 0)
    one.left(np.array([2]), 1)
    assert one.spent[:4].tolist() == [0.0, 10.0, 20.0, 0.0]
    assert one.notes() == {
        "epsilon_message_ppm": 10_000_000,
        "epsilon_most_ppm": 20_000_000,
        "epsilon_mean_ppm": 1_500_000,  # 30 over 20 phones
    }


def test_who_has_spent_the_budget_sends_no_more() -> None:
    one = transform(clip=0.1, noise=1.0, budget=0.6)
    for turn in range(3):
        assert one.may_send(np.array([3])).tolist() == [True], turn
        one.left(np.array([3]), turn)
    assert one.may_send(np.array([3, 4])).tolist() == [False, True]


def test_the_account_is_one_array_and_comes_back() -> None:
    one, other = transform(), transform()
    one.left(np.array([0, 5]), 0)
    other.restore({name: array.copy() for name, array in one.state().items()})
    np.testing.assert_array_equal(other.spent, one.spent)
    assert one.state()["spent"] is one.spent


def test_the_cost_counts_every_number_once() -> None:
    cost = transform().cost(uploads())
    assert (np.asarray(cost.flops) == 50 * ROWS * DIM).all()
    assert (np.asarray(cost.moved_bytes) == 8 * ROWS * DIM).all()
    bare = replace(uploads(), arrays={"group": np.arange(PHONES)}, offsets={"group": np.arange(21)})
    assert not np.asarray(transform().cost(bare).flops).any()
