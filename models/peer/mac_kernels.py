"""One tick of MAC on the phones that have a turn, compiled: answer, compare, train, agree."""

import math
from typing import NamedTuple

import numpy as np

from droidloop.models.local.place_kernels import (
    Moment,
    Workspace,
    answer,
    descend,
    desk,
    moment_of,
    score,
    softmax,
)
from droidloop.models.local.place_sgd import Drill, NeighbourAnswers, hold, let_go, practise
from droidloop.models.recommenders.place_features import PlaceData, Weights
from droidloop.platform.arrays import Float32Array, FloatArray, IntArray
from droidloop.platform.law import kernel

from .place_phones import Held, State, ground_of, model
from .place_turn import Tally, Visits, begin, end


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


class Agree(NamedTuple):
    """How neighbours count; see ``mac.MAC``."""

    weight: float
    keep: float
    settle: int


@kernel
def _ask(
    w: Weights, ground: PlaceData, slot: IntArray, questions: Questions, q: int, b: Workspace
) -> Moment:
    """Leave the scores of the candidates of question *q* in ``b.p``; return when it is asked.

    They are those of unvisited places, whatever the visits of the question.
    """
    items, times_s, now_s = questions.items[q], questions.times_s[q], questions.now_s[q]
    moment = moment_of(items, times_s, now_s)
    answer(w, ground, slot, items, times_s, now_s, b)
    for k in range(questions.candidates.shape[1]):
        b.p[k] = score(w, ground, slot, moment, questions.candidates[q, k], b, k)
    return moment


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
    asked: IntArray,
    mine: Float32Array,
    questions: Questions,
    keep: float,
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
    ground: PlaceData,
    slot: IntArray,
    questions: Questions,
    asked: IntArray,
    mean: Float32Array,
    weight: FloatArray,
    pull: float,
    steps: Float32Array,
    b: Workspace,
) -> None:
    """Take a step on the divergence from the neighbours' mean, question by question."""
    for place in range(asked.size):
        if weight[place] <= 0:
            continue
        q = asked[place]
        moment = _ask(w, ground, slot, questions, q, b)
        softmax(b.p, questions.candidates[q])
        for k in range(b.p.size):
            b.p[k] = np.float32(pull) * (b.p[k] - mean[place, k])
        b.du[:], b.da[:] = np.float32(0), np.float32(0)
        descend(
            w, ground, slot, questions.items[q], moment, questions.candidates[q], steps, b
        )  # fmt: skip


@kernel
def learn_from_answers(
    low: int,
    high: int,
    phones: IntArray,
    known: Held,
    state: State,
    tally: Tally,
    visits: Visits,
    questions: Questions,
    got: Answers,
    drill: Drill,
    agree: Agree,
    key: np.uint64,
) -> None:
    """Let phones low..high-1 of *phones* train, then agree with what they got; see ``mac.MAC``."""
    width = questions.candidates.shape[1]
    slot = np.full(known.at_km.shape[0], -1, np.int64)
    for k in range(low, high):
        turn = begin(phones[k], k, known, state, visits, slot, drill, key)
        phone, dim = turn.phone, known.dims[turn.phone]
        w = model(known, phone, turn.rows, turn.user, turn.network)
        none = NeighbourAnswers(np.empty((0, dim), np.float32), 0.0, 1.0, 0)
        b = desk(drill.length, drill.negatives + 1, dim)
        loss = practise(w, turn.ground, turn.own, turn.chosen, none, drill, b, key, phone)
        if got.counts[k] > 0:
            asked = questions.asked[phone]
            asked = asked[asked >= 0]
            b = desk(questions.items.shape[1], width, dim)
            mine = np.empty((asked.size, width), np.float32)
            for place in range(asked.size):
                _ask(w, turn.ground, slot, questions, asked[place], b)
                softmax(b.p, questions.candidates[asked[place]])
                mine[place] = b.p
            settled = min(1.0, tally.age[phone] / max(1, agree.settle))
            keep = 1.0 - (1.0 - agree.keep) * settled
            mean, weight = _opinions(got, k, asked, mine, questions, keep)
            _agree(
                w, turn.ground, slot, questions, asked, mean, weight, agree.weight, drill.steps, b
            )  # fmt: skip
        end(turn, loss, state, tally)
