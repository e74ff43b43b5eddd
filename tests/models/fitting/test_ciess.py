"""CIESS: the walk of the authors' code, an agent that learns, and sizes that fall with lambda."""

import numpy as np
import torch

from droidloop.models.fitting.ciess import FAR, WALK, Episodes, ciess, prefixes, search, walk
from droidloop.models.fitting.td3 import TD3, Rates
from droidloop.models.interfaces.learning import Params, Recommender
from droidloop.platform.arrays import FloatArray
from droidloop.platform.draws import Draws
from tests.models.fitting.judged_world import DIM, ITEMS, world

WORLD = world()
MODEL = WORLD.model()
FIRST = WORLD.first(MODEL)
COUNTS = {"item": WORLD.counts}
QUICK = Rates(hidden=16, lr=0.01, batch=256, updates=20)


def test_a_walk_goes_near_most_often_and_never_outside() -> None:
    passed = walk(np.full(20_000, 50), 128, Draws(1, "walk"), 0)
    assert passed.shape == (20_000, 1 + WALK)
    moved = np.abs(np.diff(passed, axis=1))
    assert moved.min() == 1
    assert moved.max() == FAR
    shares = np.bincount(moved[:, 0], minlength=FAR + 1)[1:] / 20_000
    odds = 1 / np.arange(1, FAR + 1)
    np.testing.assert_allclose(shares, odds / odds.sum(), atol=0.02)
    edge = walk(np.array([1, 128] * 500), 128, Draws(1, "walk"), 0)
    assert edge.min() >= 1
    assert edge.max() <= 128


def test_an_agent_finds_the_action_that_pays() -> None:
    draws = Draws(2, "td3")
    agent = TD3(3, draws, QUICK)
    states = draws.uniform(np.arange(200)[:, None], np.arange(3))
    for turn in range(24):
        actions = draws.child("random").uniform(np.arange(200), turn)
        if turn % 2:
            actions = np.clip(agent.act(states) + 0.2 * (actions - 0.5), 0, 1)
        agent.remember(states, actions, -4 * np.square(actions - 0.3), states)
        agent.learn()
    assert abs(agent.act(states).mean() - 0.3) < 0.1
    assert agent.value(states, np.full(200, 0.3)).mean() > agent.value(states, np.ones(200)).mean()


def quality(model: Recommender, params: Params) -> dict[str, FloatArray]:
    """Return what popular items make of their size: more numbers, better."""
    every = torch.arange(ITEMS)
    there = (model.tables["item"].lookup(params, every) != 0).sum(-1).numpy() / DIM
    return {"item": 0.5 + 0.5 * np.sqrt(there)}


def test_sizes_fall_with_lambda_and_what_is_found_is_trained() -> None:
    means = []
    for price in (0.0, 3.0):
        episodes = Episodes(price, episodes=4, steps=4, batches=1, warm=1, rates=QUICK)
        found = search(MODEL, FIRST, COUNTS, WORLD.training(1), quality, episodes)
        means.append(found.sizes["item"].mean())
        assert found.rewards.shape == (16,)
    assert means[1] < means[0] - 1
    episodes = Episodes(0.1, episodes=1, steps=1, batches=2, warm=1, rates=QUICK)
    fitted, found = ciess(
        *(MODEL, FIRST, COUNTS, WORLD.training(1), quality, episodes),
        *(WORLD.training(4), WORLD.judge),
    )
    masks = prefixes(MODEL, found.sizes)
    np.testing.assert_array_equal(masks["item"].sum(axis=1), found.sizes["item"])
    there = fitted.params["item"].numpy() != 0
    np.testing.assert_array_equal(there, masks["item"])
