"""LLRec: a small next-place model learns from check-ins and from a larger one that reads more.

Wang et al.: Next Point-of-Interest Recommendation on Resource-Constrained Mobile Devices (WWW
2020). The student is told how the teacher ranks (soft targets) and what its
state is (hidden match, by a matrix that is learned beside and does not ship). Ours: places are told
from some that are drawn for each batch, by their popularity, and not from all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Params
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.recommenders.place_rnn import HOURS, PlaceRNN
from droidloop.platform.arrays import Float32Array, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DroidloopError

from .distil import of_choices


@dataclass(frozen=True)
class Practice:
    """How a model of places is trained.

    Attributes:
        epochs: passes over the check-ins.
        lr: step of Adam, which falls to 0 along a cosine.
        batch: sequences in a step.
        length: visits in a sequence.
        rivals: places drawn for each step.
        decay: weight of the squares of all parameters, decoupled from the step.
        dropout: the share of each state's numbers that a question leaves out.
    """

    epochs: int = 10
    lr: float = 0.005
    batch: int = 64
    length: int = 32
    rivals: int = 512
    decay: float = 0.0
    dropout: float = 0.0


@dataclass(frozen=True)
class PlaceTeaching:
    """What a student hears.

    Attributes:
        model: the teacher.
        params: its parameters.
        soft: the weight of soft targets beside what was visited.
        heat: see ``of_choices``.
        hidden: the weight of the squared distance of the states.
    """

    model: PlaceRNN
    params: Params
    soft: float = 1.0
    heat: float = 1.0
    hidden: float = 0.0


@dataclass(frozen=True)
class Sequences:
    """Pieces of users' visits: (n, length) items, -1 before the first, and their hours.

    ``wanted`` is the item after each, -1 where there is none, ``now`` its hour.
    """

    items: IntArray
    hours: IntArray
    wanted: IntArray
    now: IntArray


def sequences_of(train: UserItems, length: int) -> Sequences:
    """Return all visits in pieces of *length*; a visit is read in one piece and asked for in one.

    A piece begins with the last visit of the one before.
    """
    parts: list[list[IntArray]] = [[], [], [], []]
    hour = train.times_s // 3600 % HOURS
    for user in range(train.n_users):
        first, end = int(train.offsets[user]), int(train.offsets[user + 1])
        for start in range(first, end - 1, length):
            stop = min(start + length, end - 1)
            for values, source, shift in zip(
                parts, (train.items, hour, train.items, hour), (0, 0, 1, 1), strict=True
            ):
                row = np.full(length, -1, np.int64)
                row[length - (stop - start) :] = source[start + shift : stop + shift]
                values.append(row)
    items, hours, wanted, now = (np.array(one).reshape(-1, length) for one in parts)
    return Sequences(items, np.maximum(hours, 0), wanted, np.maximum(now, 0))


def train_places(
    model: PlaceRNN,
    train: UserItems,
    practice: Practice,
    draws: Draws,
    *,
    teaching: PlaceTeaching | None = None,
    validate: Callable[[Params], float] | None = None,
) -> Params:
    """Return the parameters of *model* after the best epoch by *validate*, or the last one.

    Raises:
        DroidloopError: the loss became NaN or infinite.
    """
    data = sequences_of(train, practice.length)
    values = {n: one.requires_grad_() for n, one in model.init(draws.child("first")).items()}
    moved = list(values.values())
    match: torch.Tensor | None = None
    if teaching is not None and teaching.hidden:
        shape = (model.table.dim, teaching.model.table.dim)
        match = torch.zeros(shape).requires_grad_()
        moved.append(match)
    descent = torch.optim.AdamW(moved, lr=practice.lr, weight_decay=practice.decay)
    steps = practice.epochs * -(-len(data.items) // practice.batch)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(descent, max(1, steps))
    popular = np.bincount(train.items, minlength=model.table.n).astype(np.float64) ** 0.75
    best, top, step = model.init(draws.child("first")), -np.inf, 0
    for epoch in range(practice.epochs):
        with one_thread():
            for part in _parts(len(data.items), practice.batch, draws, epoch):
                rivals = _drawn(popular, practice.rivals, draws.child("rivals"), step)
                loss = _loss(model, values, data, part, rivals, practice, teaching, match, draws)
                if not torch.isfinite(loss):
                    raise DroidloopError(f"training: the loss is {loss.item()}; lower lr")
                descent.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                descent.step()
                slower.step()
                step += 1
        now = {name: value.detach().clone() for name, value in values.items()}
        reached = 0.0 if validate is None else validate(now)
        if validate is None or reached > top:
            best, top = now, reached
    return best


def _parts(count: int, size: int, draws: Draws, epoch: int) -> Iterator[IntArray]:
    order = np.argsort(draws.child("order").bits(np.arange(count), epoch), kind="stable")
    for start in range(0, count, size):
        yield order[start : start + size]


def _drawn(popular: FloatArray, count: int, draws: Draws, step: int) -> IntArray:
    """Return *count* different places, more popular ones more often (Efraimidis, Spirakis 2006)."""
    chance = draws.uniform(np.arange(len(popular)), step)
    keys = -np.log(np.maximum(chance, 1e-300)) / np.maximum(popular, 1e-3)
    drawn: IntArray = np.argsort(keys, kind="stable")[:count]
    return drawn


def _loss(
    model: PlaceRNN,
    params: Params,
    data: Sequences,
    part: IntArray,
    rivals: IntArray,
    practice: Practice,
    teaching: PlaceTeaching | None,
    match: torch.Tensor | None,
    draws: Draws,
) -> torch.Tensor:
    items, hours, wanted, now = (
        torch.from_numpy(one[part]) for one in (data.items, data.hours, data.wanted, data.now)
    )
    there = wanted >= 0
    places = torch.unique(torch.cat([wanted[there], torch.from_numpy(rivals)]))
    where = torch.searchsorted(places, wanted[there])
    states = model.states(params, items, hours)[there]
    kept = states
    if practice.dropout:
        chance = draws.child("dropout").uniform(part[:1] + np.arange(states.numel()), int(part[0]))
        mask = torch.from_numpy(chance.reshape(states.shape) >= practice.dropout)
        kept = states * mask.to(states.dtype) / (1 - practice.dropout)
    logits = model.scores(params, model.asked(params, kept, now[there]), places)
    loss = torch.nn.functional.cross_entropy(logits, where)
    if teaching is None:
        return loss
    with torch.no_grad():
        known = teaching.model.states(teaching.params, items, hours)[there]
        asked = teaching.model.asked(teaching.params, known, now[there])
        said = teaching.model.scores(teaching.params, asked, places)
    loss = loss + teaching.soft * of_choices(logits, said, teaching.heat).mean()
    if match is not None:
        loss = loss + teaching.hidden * (states @ match - known).square().mean()
    return loss


def place_scorer(
    model: PlaceRNN, params: Params, length: int
) -> Callable[[IntArray, UserItems, IntArray], Float32Array]:
    """Return what scores all places for questions of users with histories at some times.

    It reads the last *length* visits, and nothing from anywhere else.
    """
    every = torch.arange(model.table.n)
    with torch.no_grad():
        vectors = model.table.lookup(params, every)

    def score(users: IntArray, history: UserItems, now_s: IntArray) -> Float32Array:
        items = np.full((history.n_users, length), -1, np.int64)
        hours = np.zeros_like(items)
        for row in range(history.n_users):
            first, end = int(history.offsets[row]), int(history.offsets[row + 1])
            start = max(first, end - length)
            if end > start:
                items[row, length - (end - start) :] = history.items[start:end]
                hours[row, length - (end - start) :] = history.times_s[start:end] // 3600 % HOURS
        with torch.no_grad():
            states = model.states(params, torch.from_numpy(items), torch.from_numpy(hours))[:, -1]
            now = torch.from_numpy(now_s // 3600 % HOURS)
            scores: Float32Array = (model.asked(params, states, now) @ vectors.T).numpy()
        return scores

    return score
