import pytest
import torch

from droidloop.models.fitting.fit import Engine, Hyperparameters, fit
from droidloop.models.fitting.torch_descent import Optimizer
from droidloop.models.graphs.propagation import Bipartite
from droidloop.models.interfaces.learning import Context, Params, init_all
from droidloop.models.recommenders.lightgcn import LightGCN
from droidloop.models.recommenders.mf import MF, Loss
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DroidloopError
from tests.contracts.tiny import tiny_data

DRAWS = Draws(31, "central")
N_USERS, N_ITEMS = 40, 25
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
GRAPH = Bipartite.of(DATA, N_ITEMS)


def trained(
    model: MF | LightGCN, engine: Engine, lr: float = 0.01, optimizer: Optimizer = "adam"
) -> Params:
    return fit(
        *(model, init_all(model, DRAWS, N_USERS), DATA),
        Hyperparameters(
            epochs=4,
            lr=lr,
            batch=32,
            negatives=3,
            optimizer=optimizer,
            weight_decay=0.01,
            decay=0.8,
        ),
        n_items=N_ITEMS,
        draws=DRAWS,
        engine=engine,
    )


@pytest.mark.parametrize("loss_name", ["log", "bpr", "squared"])
@pytest.mark.parametrize("layers", [None, 0, 2])
def test_both_engines_train_the_same(loss_name: Loss, layers: int | None) -> None:
    model = (
        MF(N_ITEMS, 10, loss_name, l2=0.02)
        if layers is None
        else LightGCN(GRAPH, 10, layers, loss_name, l2=0.02)
    )
    before = init_all(model, DRAWS, N_USERS)
    one, other = trained(model, "numba"), trained(model, "torch")
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=2e-5, rtol=1e-4)
        assert (one[name] - before[name]).abs().max() > 0.05


def test_the_compiled_engine_without_layers_is_mf_bit_for_bit() -> None:
    one = trained(MF(N_ITEMS, 6, "bpr"), "numba")
    other = trained(LightGCN(GRAPH, 6, 0), "numba")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_loss_that_diverges_ends_compiled_training_in_one_line() -> None:
    with pytest.raises(DroidloopError, match="lower lr"):
        trained(MF(N_ITEMS, 6, "squared"), "numba", lr=1e25)


class Cubed(MF):
    def score(
        self,
        params: Params,
        users: torch.Tensor,
        items: torch.Tensor,
        context: Context | None = None,
    ) -> torch.Tensor:
        return super().score(params, users, items) ** 3


def test_what_the_compiled_engine_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="'sgd'"):
        trained(MF(N_ITEMS, 6), "numba", optimizer="sgd")
    with pytest.raises(TypeError, match="MF and LightGCN"):
        trained(Cubed(N_ITEMS, 6), "numba")
