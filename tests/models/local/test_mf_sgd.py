import numpy as np
import pytest

from droidloop.models.data.negatives import draw_negatives, touched_rows
from droidloop.models.local.mf_sgd import train_mf_cohort
from droidloop.models.local.sgd import Examples, Sgd, order_of
from droidloop.models.recommenders.mf import MF, Loss
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import Float32Array, Int32Array
from droidloop.platform.draws import Draws
from tests.contracts.tiny import tiny_data

DRAWS = Draws(8, "kernels")
N_ITEMS, N_USERS = 60, 300
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)


def negatives() -> Int32Array:
    return draw_negatives(DATA, 4, N_ITEMS, DATA, phones=PHONES, draws=DRAWS, counter=0, threads=1)


def trained(
    threads: int = 1,
    dim: int = 12,
    sgd: Sgd | None = None,
    loss_name: Loss = "log",
    l2: float = 0.0,
) -> tuple[Float32Array, Float32Array]:
    """Return the change of rows and the user vectors after local training."""
    table = normal_rows(DRAWS.child("item"), np.arange(N_ITEMS), dim, 0.1)
    user = normal_rows(DRAWS.child("user"), PHONES, dim, 0.1)
    drawn = negatives()
    ids, offsets = touched_rows(DATA, drawn, N_ITEMS, threads)
    model = MF(N_ITEMS, dim, loss_name, l2)
    examples = Examples(PHONES, DATA, drawn, DRAWS, 0)
    change = train_mf_cohort(model, table, user, examples, ids, offsets, sgd or Sgd(), threads)
    return change, user


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("loss_name", ["log", "bpr"])
def test_the_number_of_threads_changes_no_bit(threads: int, loss_name: Loss) -> None:
    sgd = Sgd(epochs=2, batch=20)
    one, many = trained(1, 12, sgd, loss_name), trained(threads, 12, sgd, loss_name)
    assert one[0].tobytes() == many[0].tobytes()
    assert one[1].tobytes() == many[1].tobytes()


def test_without_a_step_nothing_changes() -> None:
    change, user = trained(sgd=Sgd(lr_user=0.0, lr_rows=0.0))
    assert not change.any()
    np.testing.assert_array_equal(user, normal_rows(DRAWS.child("user"), PHONES, 12, 0.1))


def test_a_user_without_items_stays_as_it_is() -> None:
    idle = DATA.counts == 0
    assert idle.any()
    _, user = trained()
    before = normal_rows(DRAWS.child("user"), PHONES, 12, 0.1)
    np.testing.assert_array_equal(user[idle], before[idle])
    assert (user[~idle] != before[~idle]).any(axis=1).all()


def test_every_touched_row_moves() -> None:
    change, _ = trained()
    assert change.any(axis=1).all()


def test_a_batch_larger_than_the_data_is_one_step() -> None:
    whole, huge = trained(sgd=Sgd(batch=5 * 12)), trained(sgd=Sgd(batch=10**9))
    assert whole[0].tobytes() == huge[0].tobytes()


def test_an_item_and_its_negatives_stay_in_one_batch() -> None:
    assert Sgd(batch=256).group(4) == 51
    assert Sgd(batch=3).group(4) == 1


def test_the_order_of_examples_is_a_permutation_that_differs_by_phone_epoch_and_round() -> None:
    orders = order_of(DRAWS, 3, 0, 50, 2)
    assert (np.sort(orders, axis=1) == np.arange(50)).all()
    others = [orders[1], order_of(DRAWS, 4, 0, 50, 1)[0], order_of(DRAWS, 3, 1, 50, 1)[0]]
    assert all(not np.array_equal(orders[0], other) for other in others)


def test_first_places_in_the_order_are_uniform() -> None:
    firsts = np.array([order_of(DRAWS, phone, 0, 5, 1)[0, 0] for phone in range(2000)])
    counts = np.bincount(firsts, minlength=5)
    # Chi-squared with four degrees of freedom: above 35 less than once in a million.
    assert ((counts - 400) ** 2 / 400).sum() < 35
