"""The next-place model: attention over recent visits, forward and backward, for one question.

A visit t is x_t = e_place + c_category. The question of hour h after the visits 1..n is
q = Q x_n + hour_h; attention a = softmax(q.x_t / sqrt(dim) + gap_t + turn_t + after_t), where
after_t tells how near the visit before t was to visit n. The next place is, as in RepeatNet (Ren
et al., AAAI 2019), one that was visited, with the odds ``habit`` of the phone's owner, or one that
was not. Of the visited, place j has the share sum of a_t over the visits to j: its part in the
user's own visits, each weighed by age and hour. Of the others j has the softmax of
u.(e_j + c_j) + bias_j + near(s, n, j) + clock(h, category of j), with the answer u = V sum_t a_t
x_t + user; s tells whether visit n was only hours ago. Attention after STAN (Luo, Liu, Liu, WWW
2021), with buckets in the place of its interpolated intervals. ``next_place.py`` is the same in
torch.
"""

import math
from typing import NamedTuple

import numpy as np

from droidloop.models.recommenders.place_features import (
    PlaceData,
    Weights,
    gap_of,
    hour_of,
    near_of,
    stay_of,
    turn_of,
)
from droidloop.platform.arrays import Float32Array, FloatArray, IntArray
from droidloop.platform.law import kernel

_ZERO = np.float32(0)
_ONE = np.float32(1)

SMALLEST = np.float32(1e-6)
"""The least share of a visited place: no logarithm of nothing, and no step beyond measure."""


class Moment(NamedTuple):
    """When a question is asked, and where from: after a visit of place ``last``."""

    last: int
    stay: int
    hour: int


@kernel
def moment_of(items: IntArray, times_s: IntArray, now_s: int) -> Moment:
    """Return what is known at *now_s* after the visits *items*, one at least, at *times_s*."""
    return Moment(items[-1], stay_of(now_s - times_s[-1]), hour_of(now_s))


class Workspace(NamedTuple):
    """Working memory for one question at a time: of visits, of the answer, of candidates."""

    x: Float32Array
    dx: Float32Array
    gap: IntArray
    turn: IntArray
    after: IntArray
    attention: Float32Array
    da: Float32Array
    q: Float32Array
    mean: Float32Array
    u: Float32Array
    dq: Float32Array
    dmean: Float32Array
    du: Float32Array
    y: Float32Array
    p: Float32Array


@kernel
def desk(length: int, candidates: int, dim: int) -> Workspace:
    """Return memory for questions after *length* visits at most, about *candidates* at most."""
    f = np.float32
    return Workspace(
        np.zeros((length, dim), f), np.zeros((length, dim), f),
        np.zeros(length, np.int64), np.zeros(length, np.int64), np.zeros(length, np.int64),
        np.zeros(length, f), np.zeros(length, f),
        np.zeros(dim, f), np.zeros(dim, f), np.zeros(dim, f),
        np.zeros(dim, f), np.zeros(dim, f), np.zeros(dim, f),
        np.zeros((candidates, dim), f), np.zeros(candidates, f),
    )  # fmt: skip


@kernel(inline="always")
def _place(w: Weights, ground: PlaceData, slot: IntArray, item: int, out: Float32Array) -> None:
    held, kind = slot[item], ground.category[item]
    for j in range(out.size):
        vector = w.rows[held, j] if held >= 0 else ground.base[item, j]
        out[j] = vector + w.category[kind, j]


@kernel(error_model="numpy")
def answer(
    w: Weights,
    ground: PlaceData,
    slot: IntArray,
    items: IntArray,
    times_s: IntArray,
    now_s: int,
    b: Workspace,
) -> None:
    """Compute ``b.u`` from the visits *items* at *times_s* (oldest first, one at least).

    *slot* gives the row of each place that the phone holds, -1 for the others.
    """
    n, dim, hour = items.size, b.u.size, hour_of(now_s)
    for r in range(n):
        _place(w, ground, slot, items[r], b.x[r])
        b.gap[r] = gap_of(now_s - times_s[r])
        b.turn[r] = turn_of(hour, hour_of(times_s[r]))
        b.after[r] = near_of(ground.at_km, items[r - 1], items[n - 1]) if r > 0 else -1
    for i in range(dim):
        b.q[i] = w.hour[hour, i]
        for j in range(dim):
            b.q[i] += w.query[i, j] * b.x[n - 1, j]
    root, highest, total = np.float32(1 / math.sqrt(dim)), np.float32(-np.inf), _ZERO
    for r in range(n):
        dot = _ZERO
        for j in range(dim):
            dot += b.q[j] * b.x[r, j]
        b.attention[r] = dot * root + w.gap[b.gap[r]] + w.turn[b.turn[r]]
        if r > 0:
            b.attention[r] += w.after[b.after[r]]
        highest = max(highest, b.attention[r])
    for r in range(n):
        b.attention[r] = np.exp(b.attention[r] - highest)
        total += b.attention[r]
    b.mean[:] = _ZERO
    for r in range(n):
        b.attention[r] /= total
        for j in range(dim):
            b.mean[j] += b.attention[r] * b.x[r, j]
    for i in range(dim):
        b.u[i] = w.user[i]
        for j in range(dim):
            b.u[i] += w.value[i, j] * b.mean[j]


@kernel(inline="always")
def score(
    w: Weights,
    ground: PlaceData,
    slot: IntArray,
    moment: Moment,
    item: int,
    b: Workspace,
    k: int,
) -> np.float32:
    """Return what speaks for *item* among unvisited places; after ``answer``.

    Leaves the vector of the place in ``b.y[k]``.
    """
    _place(w, ground, slot, item, b.y[k])
    held = slot[item]
    total = w.rows[held, b.u.size] if held >= 0 else ground.popular[item]
    total += w.near[moment.stay, near_of(ground.at_km, moment.last, item)]
    total += w.clock[moment.hour, ground.category[item]]
    for j in range(b.u.size):
        total += b.u[j] * b.y[k, j]
    return np.float32(total)


@kernel(error_model="numpy")
def score_all(
    w: Weights,
    ground: PlaceData,
    slot: IntArray,
    items: IntArray,
    moment: Moment,
    b: Workspace,
    out: Float32Array,
) -> None:
    """Write the logarithm of the probability of every place to *out* (places,); after ``answer``.

    Of what is visited: the share of the attention.
    """
    share = np.full(out.size, np.float32(-1))
    for r in range(items.size):
        share[items[r]] = max(share[items[r]], _ZERO) + b.attention[r]
    highest, total = np.float32(-np.inf), _ZERO
    for item in range(out.size):
        if share[item] < 0:
            out[item] = score(w, ground, slot, moment, item, b, 0)
            highest = max(highest, out[item])
    for item in range(out.size):
        if share[item] < 0:
            total += np.exp(out[item] - highest)
    known, new = -np.log1p(np.exp(-w.habit[0])), -np.log1p(np.exp(w.habit[0]))
    for item in range(out.size):
        if share[item] < 0:
            out[item] = new + out[item] - highest - np.log(total)
        else:
            out[item] = known + np.log(max(share[item], SMALLEST))


@kernel(error_model="numpy")
def returned(items: IntArray, item: int, b: Workspace) -> float:
    """Return the logarithm of the share of the visits to *item*, 1 where there is none.

    Leaves the derivative of its negative by the attention in ``b.da``.
    """
    share = _ZERO
    for r in range(items.size):
        b.da[r] = _ZERO
        if items[r] == item:
            share += b.attention[r]
            b.da[r] = -_ONE
    if share == _ZERO:
        return 1.0
    share = max(share, SMALLEST)
    for r in range(items.size):
        b.da[r] /= share
    return float(np.log(share))


@kernel(error_model="numpy")
def softmax(values: Float32Array, candidates: IntArray) -> float:
    """Replace *values* by their softmax over the candidates that are there (not -1).

    Returns the logarithm of the first one's share.
    """
    highest, total = np.float32(-np.inf), _ZERO
    for k in range(candidates.size):
        if candidates[k] >= 0:
            highest = max(highest, values[k])
    first = values[0] - highest
    for k in range(candidates.size):
        if candidates[k] >= 0:
            values[k] = np.exp(values[k] - highest)
            total += values[k]
    for k in range(candidates.size):
        values[k] = values[k] / total if candidates[k] >= 0 else _ZERO
    return float(first - np.log(total))


@kernel(error_model="numpy")
def descend(
    w: Weights,
    ground: PlaceData,
    slot: IntArray,
    items: IntArray,
    moment: Moment,
    candidates: IntArray,
    steps: Float32Array,
    b: Workspace,
) -> None:
    """Take one step of SGD; after ``answer`` and ``score``.

    ``b.p`` holds the derivatives of the loss by the candidates' scores; ``b.du`` and ``b.da`` what
    the loss adds to the derivatives by u and by the attention on other ways; *steps* are those of
    rows, of the network and of what weighs visits.
    """
    n, dim = items.size, b.u.size
    rate, slow, quick = steps[0], steps[1], steps[2]
    root = np.float32(1 / math.sqrt(dim))
    for k in range(candidates.size):
        if candidates[k] >= 0:
            for j in range(dim):
                b.du[j] += b.p[k] * b.y[k, j]
    for i in range(dim):
        b.dmean[i] = _ZERO
        b.dq[i] = _ZERO
        for j in range(dim):
            b.dmean[i] += w.value[j, i] * b.du[j]
    mean = _ZERO
    for r in range(n):
        for j in range(dim):
            b.da[r] += b.dmean[j] * b.x[r, j]
        mean += b.attention[r] * b.da[r]
    for r in range(n):
        slope = b.attention[r] * (b.da[r] - mean)
        for j in range(dim):
            b.dx[r, j] = b.attention[r] * b.dmean[j] + slope * root * b.q[j]
            b.dq[j] += slope * root * b.x[r, j]
        w.gap[b.gap[r]] -= quick * slope
        w.turn[b.turn[r]] -= quick * slope
        if r > 0:
            w.after[b.after[r]] -= quick * slope
    for i in range(dim):
        for j in range(dim):
            b.dx[n - 1, i] += w.query[j, i] * b.dq[j]
    for i in range(dim):
        w.hour[moment.hour, i] -= slow * b.dq[i]
        w.user[i] -= rate * b.du[i]
        for j in range(dim):
            w.query[i, j] -= slow * b.dq[i] * b.x[n - 1, j]
            w.value[i, j] -= slow * b.du[i] * b.mean[j]
    _move_places(w, ground, slot, items, moment, candidates, rate, slow, b)


@kernel
def _move_places(
    w: Weights,
    ground: PlaceData,
    slot: IntArray,
    items: IntArray,
    moment: Moment,
    candidates: IntArray,
    rate: np.float32,
    slow: np.float32,
    b: Workspace,
) -> None:
    """Move the rows of the candidates and of the visits, and the weights of their features."""
    dim = b.u.size
    for k in range(candidates.size):
        item = candidates[k]
        if item < 0:
            continue
        held, kind = slot[item], ground.category[item]
        if held >= 0:
            w.rows[held, dim] -= rate * b.p[k]
            for j in range(dim):
                w.rows[held, j] -= rate * b.p[k] * b.u[j]
        for j in range(dim):
            w.category[kind, j] -= slow * b.p[k] * b.u[j]
        w.near[moment.stay, near_of(ground.at_km, moment.last, item)] -= slow * b.p[k]
        w.clock[moment.hour, kind] -= slow * b.p[k]
    for r in range(items.size):
        held, kind = slot[items[r]], ground.category[items[r]]
        for j in range(dim):
            if held >= 0:
                w.rows[held, j] -= rate * b.dx[r, j]
            w.category[kind, j] -= slow * b.dx[r, j]


@kernel
def contrast(
    own: Float32Array, theirs: Float32Array, mine: int, others: int, tau: float, weight: float,
    out: Float32Array, logits: FloatArray,
) -> None:  # fmt: skip
    """Add to *out* the derivative of InfoNCE by *own*, times *weight* (van den Oord et al. 2018).

    Positive is row *mine* of *theirs*, negatives are the *others* rows after it, in a circle; the
    similarity is the cosine over *tau*. Minimising it raises a bound of the mutual information.
    """
    size = 1e-9
    for j in range(own.size):
        size += own[j] * own[j]
    size = math.sqrt(size)
    total, m = 0.0, theirs.shape[0]
    for k in range(others + 1):
        row = (mine + k) % m
        dot, norm = 0.0, 1e-9
        for j in range(own.size):
            dot += own[j] * theirs[row, j]
            norm += theirs[row, j] * theirs[row, j]
        logits[k] = dot / (size * math.sqrt(norm))
        total += math.exp(logits[k] / tau)
    for k in range(others + 1):
        row = (mine + k) % m
        norm = 1e-9
        for j in range(own.size):
            norm += theirs[row, j] * theirs[row, j]
        norm = math.sqrt(norm)
        slope = math.exp(logits[k] / tau) / total - (1.0 if k == 0 else 0.0)
        slope *= weight / tau
        for j in range(own.size):
            across = theirs[row, j] / norm - logits[k] * own[j] / size
            out[j] += np.float32(slope * across / size)
