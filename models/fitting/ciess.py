"""CIESS: an agent gives each user and each item a size of its own, by reinforcement.

Qu, Chen, Zhao, Cui, Zheng, Yin: Continuous Input Embedding Size Search for Recommender Systems
(SIGIR 2023). An agent for users and one for items (TD3) see three numbers of each: how frequent it
is, its quality, and the mean quality of all. An action is a size, 1 to the longest; a short random
walk about the noisy action gives candidates, of which the critic picks one. The model trains on
with vectors of these sizes, and the reward of each is its quality less lambda times its share of
the longest. The walk is that of the authors' code: a step from d goes to d' at most 5 away with a
chance in proportion to 1 / |d' - d|. Quality is ours: 1 / log2(1 + rank) of a user's validation
item, and of an item the mean over its users.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from droidloop.models.interfaces.learning import Batch, EmbeddingTable, Params, Recommender
from droidloop.models.recommenders.vector_model import on_tables
from droidloop.models.tables.masked import MaskedTable
from droidloop.platform.arrays import BoolArray, FloatArray, IntArray
from droidloop.platform.draws import Draws

from .retrain import Fitted, retrain
from .td3 import TD3, Rates
from .torch_descent import Feed, TorchDescent
from .training import Judge, Training

WALK, FAR = 5, 5
"""Steps of the walk, and how far one goes."""

Quality = Callable[[Recommender, Params], dict[str, FloatArray]]
"""Of each id of each table, between 0 and 1."""


@dataclass(frozen=True)
class Episodes:
    """How long to search.

    Attributes:
        price: lambda, of the share of the longest size, in units of quality.
        episodes: M in the paper, 30 there.
        steps: of each, T; 11 there.
        batches: on which the model trains on in each step.
        warm: epochs in which sizes are drawn at random before the agents begin.
        noise: standard deviation of an action, as a share of the longest size.
        rates: of the agents.
    """

    price: float
    episodes: int = 6
    steps: int = 5
    batches: int = 40
    warm: int = 3
    noise: float = 0.1
    rates: Rates = field(default_factory=Rates)


@dataclass(frozen=True)
class Searched:
    """The sizes that the agents end with, and the mean reward of each step."""

    sizes: dict[str, IntArray]
    rewards: FloatArray


def walk(sizes: IntArray, most: int, draws: Draws, counter: int) -> IntArray:
    """Return what a walk of each of *sizes* passes, itself first: (n, 1 + WALK)."""
    passed, far = [sizes], np.concatenate([np.arange(-FAR, 0), np.arange(1, FAR + 1)])
    rows = np.arange(len(sizes))
    for step in range(WALK):
        now = passed[-1]
        inside = (now[:, None] + far >= 1) & (now[:, None] + far <= most)
        odds = np.cumsum(np.where(inside, 1 / np.abs(far), 0.0), axis=1)
        chance = draws.child(f"walk/{step}").uniform(rows, counter) * odds[:, -1]
        passed.append(now + far[np.minimum((odds <= chance[:, None]).sum(axis=1), 2 * FAR - 1)])
    return np.stack(passed, axis=1)


class _Agent:
    """One agent, for the ids of one table."""

    def __init__(self, often: IntArray, most: int, draws: Draws, chosen: Episodes) -> None:
        order = np.argsort(np.argsort(often, kind="stable"), kind="stable")
        self._frequent = order / max(1, len(often) - 1)
        self._most, self._draws, self._noise = most, draws, chosen.noise
        self._price = chosen.price
        self._td3 = TD3(3, draws.child("td3"), chosen.rates)

    def states(self, quality: FloatArray) -> FloatArray:
        """Return frequency, quality and the mean of qualities of each id, (n, 3)."""
        mean = np.full(len(quality), quality.mean())
        return np.stack([self._frequent, quality, mean], axis=1)

    def sizes(self, states: FloatArray, counter: int | None) -> IntArray:
        """Return a size for each id; without a *counter* there is no noise."""
        rows, action = np.arange(len(states)), self._td3.act(states).astype(np.float64)
        if counter is not None:
            action = action + self._noise * self._draws.child("noise").normal(rows, counter)
        about = np.clip(np.round(action * self._most), 1, self._most).astype(np.int64)
        passed = walk(about, self._most, self._draws, counter or 0)
        values = [self._td3.value(states, column / self._most) for column in passed.T]
        best: IntArray = passed[rows, np.stack(values, axis=1).argmax(axis=1)]
        return best

    def learn(
        self, states: FloatArray, sizes: IntArray, quality: FloatArray, after: FloatArray
    ) -> float:
        """Learn from what came of *sizes*; return the mean reward."""
        share = sizes / self._most
        rewards = quality - self._price * share
        self._td3.remember(states, share, rewards, after)
        self._td3.learn()
        return float(rewards.mean())


def search(
    model: Recommender,
    first: Params,
    counts: Mapping[str, IntArray],
    training: Training,
    quality: Quality,
    chosen: Episodes,
) -> Searched:
    """Return sizes for the ids of the tables that *counts* name.

    Args:
        model: on dense tables of the longest size.
        first: its first values, which training goes on from in all episodes.
        counts: how often each id was trained on.
        training: how the model is trained on; its feed is used batch by batch.
        quality: of each id, of a model on tables of some sizes.
        chosen: how long, and at what price.
    """
    draws = training.draws.child("ciess")
    agents = {
        name: _Agent(often, model.tables[name].dim, draws.child(name), chosen)
        for name, often in counts.items()
    }
    descent, feed = training.descent(model, first), _endless(training.feed)
    for epoch in range(chosen.warm):
        for number, batch in enumerate(training.feed(epoch)):
            if number % chosen.batches == 0:
                drawn = _random(model, counts, draws.child(f"warm/{epoch}"), number)
                seen = _cut(model, drawn)
            descent.step_on(batch, seen)
    found, counter = quality(model, descent.values), count()
    rewards: list[float] = []
    for _ in range(chosen.episodes):
        for step in range(chosen.steps):
            before, number = found, next(counter)
            states = {name: one.states(before[name]) for name, one in agents.items()}
            if step == 0:  # every episode begins anywhere
                sizes = _random(model, counts, draws.child("start"), number)
            else:
                sizes = {name: one.sizes(states[name], number) for name, one in agents.items()}
            seen = _cut(model, sizes)
            _train_on(descent, feed, chosen.batches, seen)
            found = quality(seen, descent.values)
            gained = [
                one.learn(states[name], sizes[name], found[name], one.states(found[name]))
                for name, one in agents.items()
            ]
            rewards.append(float(np.mean(gained)))
    last = {name: one.sizes(one.states(found[name]), None) for name, one in agents.items()}
    return Searched(last, np.array(rewards))


def ciess(
    model: Recommender,
    first: Params,
    counts: Mapping[str, IntArray],
    hunt: Training,
    quality: Quality,
    chosen: Episodes,
    training: Training,
    judge: Judge,
) -> tuple[Fitted, Searched]:
    """Return *model* on vectors of the sizes that were found, trained from *first*; ``search``."""
    started = time.process_time()
    found = search(model, first, counts, hunt, quality, chosen)
    took = time.process_time() - started
    masks = prefixes(model, found.sizes)
    return retrain(model, first, masks, training, judge, search_s=took), found


def prefixes(model: Recommender, sizes: Mapping[str, IntArray]) -> dict[str, BoolArray]:
    """Return the masks that keep the first numbers of each vector, as many as *sizes* say."""
    return {name: np.arange(model.tables[name].dim) < mine[:, None] for name, mine in sizes.items()}


def _cut(model: Recommender, sizes: Mapping[str, IntArray]) -> Recommender:
    tables: dict[str, EmbeddingTable] = {
        name: MaskedTable.of(there, name=name) for name, there in prefixes(model, sizes).items()
    }
    return on_tables(model, tables)


def _random(
    model: Recommender, counts: Mapping[str, IntArray], draws: Draws, counter: int
) -> dict[str, IntArray]:
    return {
        name: 1 + draws.child(name).integers(np.arange(len(often)), counter, model.tables[name].dim)
        for name, often in counts.items()
    }


def _train_on(
    descent: TorchDescent, feed: Iterator[Batch], batches: int, seen: Recommender
) -> None:
    for _ in range(batches):
        descent.step_on(next(feed), seen)


def _endless(feed: Feed) -> Iterator[Batch]:
    for epoch in count():
        yield from feed(epoch)
