"""One tick of MAC on the phones that have a turn, compiled: answer, compare, train, agree."""

import math
from typing import NamedTuple

import numpy as np

from droidloop.models.local.place_kernels import Desk, answer, descend, desk, score, softmax
from droidloop.models.local.place_sgd import (
    Lesson,
    Local,
    chosen_visits,
    hold,
    let_go,
    moderate,
    practise,
)
from droidloop.models.recommenders.place_features import Ground, Weights
from droidloop.platform.arrays import Float32Array, FloatArray, IntArray
from droidloop.platform.law import kernel

from .dclr_kernels import Tally
from .place_phones import Held, State, ground_of, model


class Questions(NamedTuple):
    """The shared reference set: questions about public, made-up visits.

    Question q: after ``items[q]`` (visits,) at ``times_s[q]``, who will be where at ``now_s[q]``,
    among ``candidates[q]``. Phone p answers ``asked[p]``, numbers of questions, rising, -1 behind
    the last.
    """

    items: IntArray
    times_s: IntArray
    now_s: IntArray
    candidates: IntArray
    asked: IntArray


class Answers(NamedTuple):
    """Scores that phones were sent: receiver k has *counts[k]* messages from *first[k]* on.

    Message m holds the scores ``values[offsets[m]:offsets[m + 1]]`` (questions, candidates) of the
    questions ``ids`` in the same places.
    """

    first: IntArray
    counts: IntArray
    ids: IntArray
    values: Float32Array
    offsets: IntArray
    weight: FloatArray
    ages: IntArray


class Agree(NamedTuple):
    """The numbers of a rule; see ``mac.MAC`` and ``place_training.Practice``."""

    steps: Float32Array
    examples: int
    negatives: int
    length: int
    unvisited: bool
    weight: float
    keep: float
    settle: int


@kernel
def _ask(w: Weights, ground: Ground, slot: IntArray, questions: Questions, q: int, b: Desk) -> None:
    """Leave the scores of the candidates of question *q* in ``b.p``.

    They are those of somebody who visited none of the candidates: what a phone's owner did
    does not speak through the counts of visits.
    """
    items = questions.items[q]
    answer(w, ground, slot, items, questions.times_s[q], questions.now_s[q], b)
    for k in range(questions.candidates.shape[1]):
        b.p[k] = score(w, ground, slot, items, questions.candidates[q, k], 0, b, k)


@kernel
def answer_questions(
    low: int,
    high: int,
    phones: IntArray,
    known: Held,
    state: State,
    questions: Questions,
    offsets: IntArray,
    out: Float32Array,
) -> None:
    """Write what phones low..high-1 of *phones* think of the questions that they are asked."""
    slot = np.full(known.at_km.shape[0], -1, np.int64)
    width = questions.candidates.shape[1]
    for k in range(low, high):
        phone = phones[k]
        w = model(known, phone, state.rows[phone], state.user[phone], state.network[phone])
        ground = ground_of(known, phone)
        hold(slot, known.areas[phone])
        b = desk(questions.items.shape[1], width, known.dims[phone])
        for place in range(offsets[k], offsets[k + 1]):
            _ask(w, ground, slot, questions, questions.asked[phone, place - offsets[k]], b)
            out[place] = b.p
        let_go(slot, known.areas[phone])


@kernel
def _sound(got: Answers, m: int, questions: Questions) -> bool:
    low, high = got.offsets[m], got.offsets[m + 1]
    for k in range(low, high):
        if got.ids[k] < 0 or got.ids[k] >= questions.items.shape[0]:
            return False
    weight = got.weight[m]
    return bool(moderate(got.values[low:high]) and got.ages[m] >= 0 and 0.0 <= weight < np.inf)


@kernel(error_model="numpy")
def _divergence(one: Float32Array, other: Float32Array) -> float:
    """Return the Kullback-Leibler divergence of *other* from *one*."""
    total = 0.0
    for k in range(one.size):
        if one[k] > 0:
            total += one[k] * math.log(one[k] / max(other[k], 1e-12))
    return total


@kernel
def _shared_opinion(
    got: Answers, m: int, asked: IntArray, candidates: IntArray, out: Float32Array
) -> IntArray:
    """Write message *m*'s shares of the candidates for each question *asked*; return which."""
    there = np.zeros(asked.size, np.int64)
    at = got.offsets[m]
    for place in range(asked.size):
        while at < got.offsets[m + 1] and got.ids[at] < asked[place]:
            at += 1
        if at < got.offsets[m + 1] and got.ids[at] == asked[place]:
            out[place] = got.values[at]
            softmax(out[place], candidates[asked[place]])
            there[place] = 1
    return there


@kernel
def _opinions(
    got: Answers,
    receiver: int,
    phone: int,
    asked: IntArray,
    mine: Float32Array,
    questions: Questions,
    keep: float,
    tally: Tally,
) -> tuple[Float32Array, FloatArray]:
    """Return the neighbours' mean shares for each question asked, and the weight behind it.

    Of the neighbours with a common question, the share *keep* whose shares are nearest to one's
    own counts (at least one of them).
    """
    count, width = got.counts[receiver], questions.candidates.shape[1]
    every = np.zeros((count, asked.size, width), np.float32)
    there, gap = np.zeros((count, asked.size), np.int64), np.full(count, np.inf)
    for f in range(count):
        m = got.first[receiver] + f
        if not _sound(got, m, questions):
            tally.refused[phone] += 1
            continue
        there[f] = _shared_opinion(got, m, asked, questions.candidates, every[f])
        total = 0.0
        for place in range(asked.size):
            if there[f, place]:
                total += _divergence(every[f, place], mine[place])
        if there[f].sum() > 0:
            gap[f] = total / there[f].sum()
    order = np.argsort(gap, kind="mergesort")
    usable = int(np.count_nonzero(gap < np.inf))
    kept = max(1, math.ceil(keep * usable))
    mean, weight = np.zeros((asked.size, width), np.float32), np.zeros(asked.size, np.float64)
    for place in range(usable):
        if place >= kept:
            break
        f = order[place]
        trust = got.weight[got.first[receiver] + f]
        for q in range(asked.size):
            if there[f, q]:
                weight[q] += trust
                mean[q] += np.float32(trust) * every[f, q]
    for q in range(asked.size):
        if weight[q] > 0:
            mean[q] /= np.float32(weight[q])
    return mean, weight


@kernel
def _agree(
    w: Weights,
    ground: Ground,
    slot: IntArray,
    questions: Questions,
    asked: IntArray,
    mean: Float32Array,
    weight: FloatArray,
    agree: Agree,
    b: Desk,
) -> None:
    """Take a step on the divergence from the neighbours' mean, question by question."""
    nothing = np.zeros(questions.candidates.shape[1], np.int64)
    for place in range(asked.size):
        if weight[place] <= 0:
            continue
        q = asked[place]
        _ask(w, ground, slot, questions, q, b)
        softmax(b.p, questions.candidates[q])
        for k in range(b.p.size):
            b.p[k] = np.float32(agree.weight) * (b.p[k] - mean[place, k])
        b.du[:] = np.float32(0)
        descend(
            w, ground, slot, questions.items[q], questions.now_s[q],
            questions.candidates[q], nothing, agree.steps, b,
        )  # fmt: skip


@kernel
def learn_from_answers(
    low: int,
    high: int,
    phones: IntArray,
    known: Held,
    state: State,
    tally: Tally,
    items: IntArray,
    times_s: IntArray,
    offsets: IntArray,
    questions: Questions,
    got: Answers,
    agree: Agree,
    key: np.uint64,
) -> None:
    """Let phones low..high-1 of *phones* train, then agree with what they got; see ``mac.MAC``."""
    n_places, width = known.at_km.shape[0], questions.candidates.shape[1]
    slot, counts = np.full(n_places, -1, np.int64), np.zeros(n_places, np.int64)
    for k in range(low, high):
        phone, dim = phones[k], known.dims[phones[k]]
        area, ground = known.areas[phone], ground_of(known, phone)
        own = Local(
            items[offsets[k] : offsets[k + 1]], times_s[offsets[k] : offsets[k + 1]], area, slot
        )
        rows, user = state.rows[phone].copy(), state.user[phone].copy()
        network = state.network[phone].copy()
        w = model(known, phone, rows, user, network)
        hold(slot, area)
        chosen = chosen_visits(own.items.size, agree.examples, key, phone)
        none = Lesson(np.empty((0, dim), np.float32), 0.0, 1.0, 0)
        loss = practise(
            w, ground, own, chosen, none, agree.steps, agree.length, agree.negatives,
            agree.unvisited, counts, desk(agree.length, agree.negatives + 1, dim), key, phone,
        )  # fmt: skip
        if got.counts[k] > 0:
            asked = questions.asked[phone]
            asked = asked[asked >= 0]
            b = desk(questions.items.shape[1], width, dim)
            mine = np.empty((asked.size, width), np.float32)
            for place in range(asked.size):
                _ask(w, ground, slot, questions, asked[place], b)
                softmax(b.p, questions.candidates[asked[place]])
                mine[place] = b.p
            settled = min(1.0, tally.age[phone] / max(1, agree.settle))
            keep = 1.0 - (1.0 - agree.keep) * settled
            mean, weight = _opinions(got, k, phone, asked, mine, questions, keep, tally)
            _agree(w, ground, slot, questions, asked, mean, weight, agree, b)
        let_go(slot, area)
        if moderate(rows) and moderate(user) and moderate(network):
            state.rows[phone], state.user[phone], state.network[phone] = rows, user, network
            if chosen.size:
                tally.age[phone] += 1
                tally.loss[phone] = loss
        else:
            tally.diverged[phone] += 1
