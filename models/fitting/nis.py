"""NIS: a policy picks how many ids have a vector and how wide it is, by reinforcement.

Joglekar, Li, Adams, Khaitan, Le: Neural Input Search for Large Scale Recommendation Models (KDD
2020), in its form with one size for each table: the table is cut into blocks of rows, the most
popular ids first, and of columns; a choice keeps the first of both. The model trains on choices
drawn from the policy, and the policy by REINFORCE (Williams 1992): the reward of a choice is its
quality on a batch of validation less a price of what it keeps. Ids that are left out have a vector
of zeros; in the paper they share one.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, cycle

import numpy as np
import torch

from droidloop.models.interfaces.learning import Batch, Params, Recommender
from droidloop.models.metrics.auc import auc
from droidloop.models.recommenders.vector_model import on_tables
from droidloop.models.tables.masked import MaskedTable
from droidloop.platform.arrays import BoolArray, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DroidloopError

from .retrain import Fitted, retrain
from .torch_descent import Feed
from .training import Judge, Training


@dataclass(frozen=True)
class Policy:
    """How the policy is trained; the numbers are ours.

    Attributes:
        valid: batches of validation, of which the AUC is the quality.
        rows: shares of the ids, growing, that a choice may keep.
        columns: shares of the numbers of a vector, likewise.
        price: of the share of the largest choice's numbers that one keeps, in units of AUC.
        lr: step of the logits.
        warm: epochs in which choices are uniform before rewards count.
        memory: of the running mean of rewards that a reward is held to.
        budget_bytes: the most that a choice of a table may ship; None: any.
    """

    valid: Feed
    rows: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 1.0)
    columns: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0)
    price: float = 0.05
    lr: float = 2.0
    warm: int = 3
    memory: float = 0.95
    budget_bytes: int | None = None


@dataclass(frozen=True)
class Learned:
    """What the policy prefers in the end, and the reward of every sample on the way."""

    masks: dict[str, BoolArray]
    kept: dict[str, tuple[float, float]]
    rewards: FloatArray


class _Grid:
    """The choices of one table, and what the policy thinks of them."""

    def __init__(self, name: str, counts: IntArray, dim: int, policy: Policy) -> None:
        place = np.empty(len(counts), np.int64)
        place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        self.masks: list[MaskedTable] = []
        self.numbers: list[int] = []
        self.kept: list[tuple[float, float]] = []
        for rows in policy.rows:
            for columns in policy.columns:
                there = (place < max(1, round(rows * len(counts))))[:, None] & (
                    np.arange(dim) < max(1, round(columns * dim))
                )
                table = MaskedTable.of(there, name=name)
                if policy.budget_bytes is None or table.nbytes <= policy.budget_bytes:
                    self.masks.append(table)
                    self.numbers.append(int(there.sum()))
                    self.kept.append((rows, columns))
        if not self.masks:
            raise DroidloopError(
                f"table {name!r}: no choice fits in {policy.budget_bytes} bytes; offer fewer rows"
            )
        self.logits = np.zeros(len(self.masks))

    @property
    def chances(self) -> FloatArray:
        """The chance of each choice."""
        odds = np.exp(self.logits - self.logits.max())
        return np.asarray(odds / odds.sum())

    def draw(self, chance: float) -> int:
        """Return a choice by a uniform *chance*."""
        found = int(np.searchsorted(np.cumsum(self.chances), chance))
        return min(found, len(self.logits) - 1)

    def learn(self, choice: int, gain: float) -> None:
        """Move the logits along the slope of the log chance of *choice*, times *gain*."""
        slope = -self.chances
        slope[choice] += 1
        self.logits = self.logits + gain * slope


def search(
    model: Recommender,
    params: Params,
    counts: Mapping[str, IntArray],
    training: Training,
    policy: Policy,
) -> Learned:
    """Return what the policy learns of the tables that *counts* name.

    Args:
        model: on dense tables.
        params: its first values.
        counts: how often each id of a table was trained on.
        training: of the numbers; each of its steps after the warm epochs gives one reward.
        policy: how choices are made and judged.

    Raises:
        DroidloopError: no choice of a table fits the policy's budget.
    """
    grids = {
        name: _Grid(name, often, model.tables[name].dim, policy) for name, often in counts.items()
    }
    whole = sum(max(grid.numbers) for grid in grids.values())
    draws, held = training.draws.child("policy"), _held(policy.valid)
    descent, steps = training.descent(model, params), count()
    rewards: list[float] = []
    mean: float | None = None
    for epoch in range(training.epochs):
        for batch in training.feed(epoch):
            picked = _pick(grids, draws, next(steps))
            descent.step_on(batch, _with(model, grids, picked))
            if epoch < policy.warm:
                continue
            picked = _pick(grids, draws.child("judged"), next(steps))
            kept = sum(grids[name].numbers[one] for name, one in picked.items())
            quality = _quality(_with(model, grids, picked), descent.values, next(held))
            reward = quality - policy.price * kept / whole
            rewards.append(reward)
            mean = reward if mean is None else mean
            for name, one in picked.items():
                grids[name].learn(one, policy.lr * (reward - mean))
            mean = policy.memory * mean + (1 - policy.memory) * reward
    best = {name: int(grid.logits.argmax()) for name, grid in grids.items()}
    return Learned(
        {name: grids[name].masks[one].there for name, one in best.items()},
        {name: grids[name].kept[one] for name, one in best.items()},
        np.array(rewards),
    )


def nis(
    model: Recommender,
    first: Params,
    counts: Mapping[str, IntArray],
    hunt: Training,
    policy: Policy,
    training: Training,
    judge: Judge,
) -> tuple[Fitted, Learned]:
    """Return *model* on what the policy prefers, trained from *first*; see ``search``."""
    started = time.process_time()
    learned = search(model, first, counts, hunt, policy)
    took = time.process_time() - started
    return retrain(model, first, learned.masks, training, judge, search_s=took), learned


def _pick(grids: Mapping[str, _Grid], draws: Draws, step: int) -> dict[str, int]:
    return {
        name: grid.draw(float(draws.child(name).uniform(0, step))) for name, grid in grids.items()
    }


def _with(model: Recommender, grids: Mapping[str, _Grid], picked: Mapping[str, int]) -> Recommender:
    return on_tables(model, {name: grids[name].masks[one] for name, one in picked.items()})


def _quality(model: Recommender, params: Params, batch: Batch) -> float:
    with torch.no_grad():
        scores = model.score(params, batch.users, batch.items)
    return auc(batch.labels.numpy(), scores.numpy())


def _held(feed: Feed) -> Iterator[Batch]:
    return cycle(list(feed(0)))
