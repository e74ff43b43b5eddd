"""The compiled kernel and torch do the same arithmetic."""

import numpy as np
import pytest
import torch

from droidloop.models.data.negatives import draw_negatives
from droidloop.models.local.cohort import train_locally
from droidloop.models.local.sgd import Examples, Sgd
from droidloop.models.local.torch_sgd import train_phone
from droidloop.models.recommenders.mf import MF, Loss
from droidloop.platform.draws import Draws
from tests.contracts.tiny import tiny_data

DRAWS = Draws(9, "local")
N_ITEMS = 25
DATA = tiny_data(DRAWS, 14, N_ITEMS)
PHONES = np.arange(14) + 100


@pytest.mark.parametrize("loss_name", ["log", "bpr", "squared"])
@pytest.mark.parametrize(("dim", "epochs", "batch", "l2"), [(8, 1, 256, 0.0), (13, 3, 16, 0.02)])
def test_numba_equals_torch(loss_name: Loss, dim: int, epochs: int, batch: int, l2: float) -> None:
    mf = MF(N_ITEMS, dim, loss_name, l2=l2)
    shared = {name: value.numpy() for name, value in mf.init(DRAWS).items()}
    negatives = draw_negatives(DATA, 3, N_ITEMS, DATA, phones=PHONES, draws=DRAWS, counter=1)
    negatives[1, 2] = -1
    examples, sgd = Examples(PHONES, DATA, negatives, DRAWS, 1), Sgd(0.04, 0.03, epochs, batch)
    private = [{"user": mf.init_private(DRAWS, PHONES)["user"].numpy()} for _ in range(2)]
    compiled = train_locally(mf, shared, private[0], examples, sgd, "numba")
    reference = train_locally(mf, shared, private[1], examples, sgd, "torch")
    assert np.abs(reference.values["item"]).max() > 1e-3
    np.testing.assert_allclose(compiled.values["item"], reference.values["item"], atol=2e-6)
    np.testing.assert_allclose(private[0]["user"], private[1]["user"], atol=2e-6)


def test_one_full_batch_step_is_the_gradient_of_the_summed_loss() -> None:
    mf = MF(N_ITEMS, 4)
    params = mf.init(DRAWS) | mf.init_private(DRAWS, PHONES[:1])
    items, negatives = np.array([3, 4]), np.array([[1, 2], [9, 1]], np.int32)
    order = np.array([[1, 0]])
    trained = train_phone(mf, params, items, np.ones(2), negatives, order, Sgd(0.1, 0.2))
    p, q = params["user"][0].double(), params["item"].double()
    labels = {3: 1.0, 4: 1.0, 1: 0.0, 2: 0.0, 9: 0.0}
    slope = {i: torch.sigmoid(p @ q[i]) - label for i, label in labels.items()}
    slope[1] = 2 * slope[1]  # drawn twice
    expected = p - 0.1 * sum((s * q[i] for i, s in slope.items()), torch.zeros(4))
    torch.testing.assert_close(trained["user"][0].double(), expected, atol=1e-6, rtol=0)
    for i, s in slope.items():
        torch.testing.assert_close(trained["item"][i].double(), q[i] - 0.2 * s * p)


def test_rows_that_are_not_touched_do_not_move() -> None:
    mf = MF(N_ITEMS, 4)
    params = mf.init(DRAWS) | mf.init_private(DRAWS, PHONES[:1])
    negatives = np.array([[5]], np.int32)
    trained = train_phone(mf, params, np.array([2]), np.ones(1), negatives, np.array([[0]]), Sgd())
    moved = (trained["item"] != params["item"]).any(dim=1)
    assert torch.nonzero(moved).flatten().tolist() == [2, 5]
