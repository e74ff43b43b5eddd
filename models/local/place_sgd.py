"""A phone's turn of local training on its own visits, compiled; shared by the peer rules."""

import math
from typing import NamedTuple

import numpy as np

from droidloop.models.numerics.bounds import LARGEST
from droidloop.models.recommenders.place_features import PlaceData, Weights
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import below_at
from droidloop.platform.law import kernel

from .place_kernels import (
    Workspace,
    answer,
    contrast,
    descend,
    moment_of,
    returned,
    score,
    softmax,
)


class Local(NamedTuple):
    """One phone's own visits and the places that it holds (``area``, their numbers, rising)."""

    items: IntArray
    times_s: IntArray
    area: IntArray
    slot: IntArray


class Drill(NamedTuple):
    """How a phone trains: the numbers of ``next_place.LocalSettings``."""

    steps: Float32Array
    examples: int
    negatives: int
    length: int


class NeighbourAnswers(NamedTuple):
    """Neighbours' answers to one's own examples, and how strongly to agree with them.

    ``answers`` (examples, dim) has no row where there is no neighbour.
    """

    answers: Float32Array
    weight: float
    tau: float
    others: int


@kernel
def hold(slot: IntArray, area: IntArray) -> None:
    """Note in *slot* (all -1) which row each of the places *area* has; -1 ends the area."""
    for row in range(area.size):
        if area[row] >= 0:
            slot[area[row]] = row


@kernel
def let_go(slot: IntArray, area: IntArray) -> None:
    """Undo ``hold``."""
    for row in range(area.size):
        if area[row] >= 0:
            slot[area[row]] = -1


@kernel
def chosen_visits(count: int, most: int, key: np.uint64, phone: int) -> IntArray:
    """Return *most* of the visits 1..count-1, rising; all of them, if they are fewer."""
    every = np.arange(1, max(count, 1))
    if every.size <= most:
        return every
    for k in range(most):
        other = k + np.int64(below_at(key, phone, k, every.size - k))
        every[k], every[other] = every[other], every[k]
    return np.sort(every[:most])


@kernel
def moderate(values: Float32Array) -> bool:
    """Return whether all of *values* are numbers of a sensible size."""
    sound = True
    for value in values.flat:
        sound = sound and bool(abs(value) <= LARGEST)
    return sound


@kernel
def answers_to(
    w: Weights, ground: PlaceData, own: Local, chosen: IntArray, length: int, b: Workspace
) -> Float32Array:
    """Return the model's answer before each of the *chosen* visits, (chosen, dim)."""
    out = np.empty((chosen.size, b.u.size), np.float32)
    for e in range(chosen.size):
        t = chosen[e]
        first = max(0, t - length)
        answer(
            w, ground, own.slot, own.items[first:t], own.times_s[first:t], own.times_s[t], b
        )  # fmt: skip
        out[e] = b.u
    return out


@kernel
def draw_candidates(
    own: Local,
    held: int,
    items: IntArray,
    item: int,
    candidates: IntArray,
    key: np.uint64,
    phone: int,
    counter: int,
) -> None:
    """Fill *candidates*: *item* and places of the area; -1 where one is *item* or of *items*."""
    candidates[0] = item
    for k in range(1, candidates.size):
        other = own.area[below_at(key, phone, counter + k, held)]
        candidates[k] = -1 if other == item or (items == other).any() else other


@kernel
def learn_habit(w: Weights, back: bool, rate: float) -> float:
    """Take a step on the odds of a return, which the next visit was or not; return the loss."""
    chance = 1.0 / (1.0 + math.exp(-w.habit[0]))
    w.habit[0] -= np.float32(rate * (chance - (1.0 if back else 0.0)))
    return -math.log(chance if back else 1.0 - chance)


@kernel
def practise(
    w: Weights,
    ground: PlaceData,
    own: Local,
    chosen: IntArray,
    lesson: NeighbourAnswers,
    drill: Drill,
    b: Workspace,
    key: np.uint64,
    phone: int,
) -> float:
    """Train *w* on the *chosen* visits; return their mean loss before each step.

    A return is told from the other visits, a first visit from places of the area that are new.
    """
    every, none = np.empty(drill.negatives + 1, np.int64), np.empty(0, np.int64)
    logits = np.empty(lesson.others + 1)
    held, total = 0, 0.0
    while held < own.area.size and own.area[held] >= 0:
        held += 1
    others = min(lesson.others, lesson.answers.shape[0] - 1)
    for e in range(chosen.size):
        t = chosen[e]
        first = max(0, t - drill.length)
        items, times_s, now_s = own.items[first:t], own.times_s[first:t], own.times_s[t]
        answer(w, ground, own.slot, items, times_s, now_s, b)
        moment = moment_of(items, times_s, now_s)
        share, candidates = returned(items, own.items[t], b), none
        back = share <= 0.0
        total += learn_habit(w, back, drill.steps[2])
        if back:
            total -= share
        else:
            candidates = every
            counter = own.items.size + e * (drill.negatives + 1)
            draw_candidates(own, held, items, own.items[t], candidates, key, phone, counter)
            for k in range(candidates.size):
                if candidates[k] >= 0:
                    b.p[k] = score(w, ground, own.slot, moment, candidates[k], b, k)
            total -= softmax(b.p, candidates)
            b.p[0] -= np.float32(1)
        b.du[:] = np.float32(0)
        if others > 0:
            contrast(
                b.u, lesson.answers, e, others, lesson.tau, lesson.weight, b.du, logits
            )  # fmt: skip
        descend(w, ground, own.slot, items, moment, candidates, drill.steps, b)
    return total / max(1, chosen.size)
