from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.fitting.fit import Hyperparameters, fit, scorer
from droidloop.models.interfaces.learning import Params, init_all
from droidloop.models.recommenders.mf import MF, Loss
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError, DroidloopError
from tests.contracts.tiny import tiny_data

DRAWS = Draws(19, "fit")
N_USERS, N_ITEMS = 30, 20
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)


def trained(
    mf: MF,
    draws: Draws = DRAWS,
    epochs: int = 3,
    lr: float = 0.01,
    validate: Callable[[Params], float] | None = None,
    **options: Any,
) -> Params:
    return fit(
        *(mf, init_all(mf, DRAWS, N_USERS), DATA),
        Hyperparameters(epochs=epochs, lr=lr, batch=16, negatives=4, **options),
        n_items=N_ITEMS,
        draws=draws,
        validate=validate,
    )


def area_under_curve(mf: MF, params: Params) -> float:
    """Return the share of (item of a user, other item) pairs that the scores order rightly."""
    scores = scorer(mf, params, N_ITEMS)(np.arange(N_USERS))
    wins = []
    for user in range(N_USERS):
        own = np.zeros(N_ITEMS, bool)
        own[DATA.of(user)] = True
        wins.append((scores[user, own][:, None] > scores[user, ~own]).ravel())
    return float(np.concatenate(wins).mean())


@pytest.mark.parametrize("loss_name", ["log", "bpr", "squared"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_orders_what_users_have_before_what_they_have_not(
    loss_name: Loss, optimizer: str
) -> None:
    mf = MF(N_ITEMS, 8, loss_name)
    params = trained(mf, epochs=60, lr=0.02, optimizer=optimizer)
    assert area_under_curve(mf, init_all(mf, DRAWS, N_USERS)) < 0.6
    assert area_under_curve(mf, params) > 0.9


def test_the_same_draws_give_the_same_bits_and_others_do_not() -> None:
    mf = MF(N_ITEMS, 4)
    first, again, other = trained(mf), trained(mf), trained(mf, DRAWS.child("other"))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["item"], other["item"])


def test_the_number_of_torch_threads_changes_no_bit_and_is_put_back() -> None:
    mf, before = MF(N_ITEMS, 4), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(trained(mf))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_the_parameters_it_is_given_stay_as_they_are() -> None:
    mf = MF(N_ITEMS, 4)
    params = init_all(mf, DRAWS, N_USERS)
    before = {name: value.clone() for name, value in params.items()}
    fit(
        mf,
        params,
        DATA,
        Hyperparameters(epochs=1, lr=0.1, batch=8, negatives=1),
        n_items=N_ITEMS,
        draws=DRAWS,
    )
    assert all(torch.equal(params[name], before[name]) for name in params)


def test_the_parameters_of_the_best_epoch_are_returned() -> None:
    seen: list[Params] = []

    def validate(params: Params) -> float:
        seen.append(params)
        return [0.1, 0.5, 0.3, 0.5][len(seen) - 1]

    best = trained(MF(N_ITEMS, 4), epochs=4, validate=validate)
    assert len(seen) == 4
    assert all(torch.equal(best[name], seen[1][name]) for name in best)


def test_training_stops_when_patience_ends() -> None:
    calls = []

    def validate(params: Params) -> float:
        calls.append(1)
        return -len(calls)

    trained(MF(N_ITEMS, 4), epochs=50, validate=validate, patience=3)
    assert len(calls) == 4


def test_excluded_items_are_never_drawn_as_negatives() -> None:
    mf = MF(N_ITEMS, 4)
    every = UserItems.bare(np.tile(np.arange(N_ITEMS), N_USERS), np.arange(N_USERS + 1) * N_ITEMS)
    untouched = np.setdiff1d(np.arange(N_ITEMS), DATA.of(int(np.argmax(DATA.counts))))
    one = UserItems.bare(DATA.of(int(np.argmax(DATA.counts))), np.array([0, DATA.counts.max()]))
    start = init_all(mf, DRAWS, 1)
    end = fit(
        *(mf, start, one),
        Hyperparameters(epochs=2, lr=0.1, batch=4, negatives=4, optimizer="sgd"),
        n_items=N_ITEMS,
        exclude=every.take(np.array([0])),
        draws=DRAWS,
    )
    assert torch.equal(start["item"][untouched], end["item"][untouched])


def test_a_loss_that_diverges_ends_training_in_one_line() -> None:
    with pytest.raises(DroidloopError, match="lower lr"):
        trained(MF(N_ITEMS, 4, "squared"), epochs=50, lr=1e4, optimizer="sgd")


def test_empty_training_data_are_refused() -> None:
    mf = MF(N_ITEMS, 4)
    nothing = UserItems.bare(np.empty(0, np.int64), np.array([0, 0]))
    with pytest.raises(DataError, match="0 interactions"):
        fit(
            *(mf, init_all(mf, DRAWS, 1), nothing),
            Hyperparameters(epochs=1, lr=0.1, batch=4, negatives=1),
            n_items=N_ITEMS,
            draws=DRAWS,
        )


def test_a_scorer_gives_all_items_or_those_that_are_asked_for() -> None:
    mf = MF(N_ITEMS, 4)
    params, users = init_all(mf, DRAWS, N_USERS), np.array([4, 2])
    score = scorer(mf, params, N_ITEMS)
    every = score(users)
    expected = params["user"][users].numpy() @ params["item"].numpy().T
    np.testing.assert_allclose(every, expected, rtol=1e-5, atol=1e-7)
    items = np.array([[3, 5, 7], [0, 1, 2]])
    np.testing.assert_array_equal(score(users, items), np.take_along_axis(every, items, 1))


def test_a_step_that_decays_to_nothing_ends_where_it_was() -> None:
    mf = MF(N_ITEMS, 4)
    one, three, full = (
        trained(mf, epochs=epochs, decay=decay) for epochs, decay in ((1, 0.0), (3, 0.0), (3, 1.0))
    )
    assert all(torch.equal(one[name], three[name]) for name in one)
    assert torch.equal(full["item"], trained(mf)["item"])
    assert not torch.equal(three["item"], full["item"])
