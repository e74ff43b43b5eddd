"""A phone's turn of local training on its own visits, compiled; shared by the peer rules."""

from typing import NamedTuple

import numpy as np

from droidloop.models.numerics.bounds import LARGEST
from droidloop.models.recommenders.place_features import Ground, Weights
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import below_at
from droidloop.platform.law import kernel

from .place_kernels import Desk, answer, contrast, descend, score, softmax


class Local(NamedTuple):
    """One phone's own visits and the places that it holds (``area``, their numbers, rising)."""

    items: IntArray
    times_s: IntArray
    area: IntArray
    slot: IntArray


class Lesson(NamedTuple):
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
    w: Weights, ground: Ground, own: Local, chosen: IntArray, length: int, b: Desk
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
    chosen: int,
    candidates: IntArray,
    key: np.uint64,
    phone: int,
    counter: int,
    counts: IntArray,
    unvisited: bool,
) -> None:
    """Fill *candidates*: the visit *chosen* itself, then negatives; -1 where one does not count.

    That is where it is the visit itself or, with *unvisited*, has been visited (*counts*) by a
    phone that visits the chosen place for the first time.
    """
    candidates[0] = own.items[chosen]
    first = unvisited and counts[candidates[0]] == 0
    for k in range(1, candidates.size):
        if first or k % 2 == 1:
            other = own.area[below_at(key, phone, counter + k, held)]
        else:
            other = own.items[below_at(key, phone, counter + k, own.items.size)]
        known = first and counts[other] > 0
        candidates[k] = -1 if known or other == candidates[0] else other


@kernel
def practise(
    w: Weights,
    ground: Ground,
    own: Local,
    chosen: IntArray,
    lesson: Lesson,
    steps: Float32Array,
    length: int,
    negatives: int,
    unvisited: bool,
    counts: IntArray,
    b: Desk,
    key: np.uint64,
    phone: int,
) -> float:
    """Train *w* on the *chosen* visits; return their mean loss before each step.

    *counts* (places,) is all zero, and so again at the end.
    """
    candidates = np.empty(negatives + 1, np.int64)
    visits, logits = np.empty(negatives + 1, np.int64), np.empty(lesson.others + 1)
    held, total, past = 0, 0.0, 0
    while held < own.area.size and own.area[held] >= 0:
        held += 1
    others = min(lesson.others, lesson.answers.shape[0] - 1)
    for e in range(chosen.size):
        t = chosen[e]
        while past < t:
            counts[own.items[past]] += 1
            past += 1
        first = max(0, t - length)
        items, times_s, now_s = own.items[first:t], own.times_s[first:t], own.times_s[t]
        answer(w, ground, own.slot, items, times_s, now_s, b)
        counter = own.items.size + e * (negatives + 1)
        draw_candidates(own, held, t, candidates, key, phone, counter, counts, unvisited)
        for k in range(candidates.size):
            if candidates[k] >= 0:
                visits[k] = counts[candidates[k]]
                b.p[k] = score(w, ground, own.slot, items, candidates[k], visits[k], b, k)
        total -= softmax(b.p, candidates)
        b.p[0] -= np.float32(1)
        b.du[:] = np.float32(0)
        if others > 0:
            contrast(
                b.u, lesson.answers, e, others, lesson.tau, lesson.weight, b.du, logits
            )  # fmt: skip
        descend(w, ground, own.slot, items, now_s, candidates, visits, steps, b)
    for r in range(past):
        counts[own.items[r]] = 0
    return total / max(1, chosen.size)
