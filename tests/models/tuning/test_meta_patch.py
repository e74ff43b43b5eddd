"""MetaPatch: nothing changes by a patch of 0, and a phone trains that patch and nothing else."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import droidloop
from droidloop.models.fitting.fit import Hyperparameters
from droidloop.models.interfaces.learning import init_all
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.recommenders.mf import MF
from droidloop.models.tuning.meta_patch import (
    MetaPatch,
    MetaPatchSection,
    learn_basis,
    older,
    patch_store,
    patched,
)
from droidloop.models.tuning.momo_distill import Taught, momo_distill
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws
from tests.contracts.recommender import RecommenderContract
from tests.contracts.tiny import equal_data

DRAWS = Draws(4, "meta patch")
N_USERS, N_ITEMS, DIM, NUMBERS = 12, 40, 6, 3
DATA = equal_data(DRAWS, N_USERS, N_ITEMS, 8)
MODEL = MF(N_ITEMS, DIM)
CLOUD = init_all(MODEL, DRAWS, N_USERS)
USERS = CLOUD["user"].numpy()
PHONES = np.arange(N_USERS)
TAUGHT = Taught(N_ITEMS, DIM, "log", teacher=CLOUD, beta=0.5)
CHANGES = {
    "data.users": 20,
    "data.items": 30,
    "data.interactions": 12,
    "training": {"rule": "meta-patch", "numbers": 3, "basis_epochs": 1},
    "protocol": {"kind": "local", "rounds": 2},
    "delivery.variant": "none",
    "evaluation.candidates": 10,
    "evaluation.baselines": [],
}


@cache
def basis() -> Array:
    """The patches of which phones choose a mixture, learned once."""
    return learn_basis(MODEL, CLOUD, DATA, DATA, NUMBERS, 3, DRAWS)


def rule_of(l2: float | None = None, threads: int = 1) -> MetaPatch:
    """Return the rule as it is, or otherwise."""
    section = MetaPatchSection(numbers=NUMBERS)
    section = section if l2 is None else MetaPatchSection(numbers=NUMBERS, l2=l2)
    return MetaPatch(MODEL, CLOUD, basis(), section, threads=threads)


def store() -> PrivateStore:
    return patch_store(NUMBERS, N_USERS)


def learned(rule: MetaPatch | None = None, turns: int = 1) -> PrivateStore:
    rule, found = rule or rule_of(), store()
    for turn in range(turns):
        rule.learn(PHONES, None, found, DATA, turn, DRAWS)
    return found


def loss_of(users: np.ndarray) -> float:
    """Return the mean log loss of all pairs, each user's items as many as its others count."""
    scores = torch.from_numpy(users) @ CLOUD["item"].T
    had = torch.zeros(N_USERS, N_ITEMS)
    had[np.repeat(PHONES, DATA.counts), DATA.items] = 1
    pairs = torch.nn.functional.binary_cross_entropy_with_logits(scores, had, reduction="none")
    return float((pairs * had).sum(1).mean() + 4 * 8 / 32 * (pairs * (1 - had)).sum(1).mean())


def test_a_patch_of_0_leaves_every_bit_of_the_model() -> None:
    zero = store().gather(PHONES)["patch"]
    assert not zero.any()
    assert patched(USERS, zero, basis()).tobytes() == USERS.tobytes()


def test_a_patch_is_a_residual_of_theta_which_is_the_basis_times_z() -> None:
    z = np.array([[1.0, -2.0, 0.5]], np.float32).repeat(N_USERS, 0)
    theta = z[0] @ basis()
    expected = USERS + theta[:DIM] * USERS + theta[DIM:]
    np.testing.assert_allclose(patched(USERS, z, basis()), expected, atol=1e-6)


def test_phones_train_the_patch_alone_and_it_lowers_their_loss() -> None:
    before = {name: value.clone() for name, value in CLOUD.items()}
    found = learned(turns=3).gather(PHONES)
    assert found.keys() == {"patch", "turns"}
    assert all(torch.equal(value, CLOUD[name]) for name, value in before.items())
    assert found["patch"].any(axis=1).all()
    assert loss_of(patched(USERS, found["patch"], basis())) < loss_of(USERS)


def test_strong_l2_keeps_a_patch_near_0() -> None:
    strong = rule_of(l2=5.0)
    weak, held = (np.abs(learned(one).gather(PHONES)["patch"]).max() for one in (rule_of(), strong))
    assert held < weak / 2


def test_a_phone_learns_the_same_alone_and_among_others() -> None:
    alone = store()
    rule_of().learn(PHONES[5:6], None, alone, DATA.take(PHONES[5:6]), 0, DRAWS)
    both = learned(rule_of(threads=2)).gather(PHONES[5:6])["patch"]
    assert alone.gather(PHONES[5:6])["patch"].tobytes() == both.tobytes()


def test_the_latest_share_of_each_users_events_is_set_apart() -> None:
    seen, recent = older(DATA, 0.25)
    assert set(seen.counts.tolist()) == {6}
    for user in PHONES.tolist():
        assert [*seen.of(user), *recent.of(user)] == DATA.of(user).tolist()


def test_a_scenario_has_phones_that_patch(tmp_path: Path) -> None:
    scenario = droidloop.load("quickstart").with_(CHANGES)
    result = droidloop.run(scenario, tmp_path / "run")
    models = set(result.table("metrics")["model"].to_pylist())
    assert {"trained", "cloud"} <= models
    jobs = result.table("jobs").to_pylist()
    assert {one["up_bytes"] for one in jobs if one["kind"] == "tune"} == {0}


def test_the_cloud_comes_nearer_to_its_phones_and_without_teachers_it_is_plain_training() -> None:
    patches = learned(turns=3).gather(PHONES)["patch"]
    device = patched(USERS, 5 * patches, basis())
    chosen = Hyperparameters(epochs=8, lr=0.02, batch=32, negatives=4)

    def distance(beta: float) -> float:
        after = momo_distill(MODEL, CLOUD, device, DATA, chosen, beta=beta, draws=DRAWS)
        scores = after["user"] @ after["item"].T
        wanted = torch.from_numpy(device) @ CLOUD["item"].T
        return float((torch.sigmoid(scores) - torch.sigmoid(wanted)).square().mean())

    assert distance(10.0) < distance(1.0) < distance(0.0)


def test_teachers_ask_for_the_log_loss() -> None:
    chosen = Hyperparameters(epochs=1, lr=0.02, batch=32, negatives=4)
    with pytest.raises(ValueError, match="the loss is log, not bpr"):
        momo_distill(MF(N_ITEMS, DIM, "bpr"), CLOUD, USERS, DATA, chosen, beta=1.0, draws=DRAWS)


class TestTaught(RecommenderContract):
    recommender = TAUGHT
    n_users, n_items = N_USERS, N_ITEMS
