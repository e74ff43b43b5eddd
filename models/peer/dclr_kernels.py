"""One tick of DCLR on the phones that have a turn, compiled: weigh, merge, agree, train."""

import math
from typing import NamedTuple

import numpy as np

from droidloop.models.local.place_kernels import Workspace, desk
from droidloop.models.local.place_sgd import Drill, NeighbourAnswers, answers_to, practise
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.law import kernel

from .place_phones import Held, State, model
from .place_turn import Tally, Turn, Visits, begin, end


class Inbox(NamedTuple):
    """Models that phones were sent: receiver k has *counts[k]* of them from *first[k]* on.

    Message m holds the rows ``ids[offsets[m]:offsets[m + 1]]`` and one network vector.
    """

    first: IntArray
    counts: IntArray
    ids: IntArray
    values: Float32Array
    offsets: IntArray
    networks: Float32Array


class Attention(NamedTuple):
    """How neighbours count; see ``dclr.DCLR``."""

    probes: int
    sharpness: float
    weight: float
    tau: float
    others: int


@kernel
def _worn(inbox: Inbox, m: int, slot: IntArray, rows: Float32Array, out: Float32Array) -> None:
    """Put on message *m*: its rows where the phone holds the place, one's own elsewhere."""
    out[:] = rows
    for k in range(inbox.offsets[m], inbox.offsets[m + 1]):
        held = slot[inbox.ids[k]]
        if held >= 0:
            out[held] = inbox.values[k]


@kernel(error_model="numpy")
def _agreement(one: Float32Array, other: Float32Array) -> float:
    """Return the cosine of two sets of answers."""
    dot, size, length = 0.0, 1e-12, 1e-12
    for r in range(one.shape[0]):
        for j in range(one.shape[1]):
            dot += one[r, j] * other[r, j]
            size += one[r, j] * one[r, j]
            length += other[r, j] * other[r, j]
    return dot / math.sqrt(size * length)


@kernel
def _average(
    inbox: Inbox,
    used: IntArray,
    shares: Float32Array,
    slot: IntArray,
    rows: Float32Array,
    network: Float32Array,
    sums: Float32Array,
    row_weight: Float32Array,
    net: Float32Array,
) -> None:
    """Make *rows* and *network* the average with the messages *used*; *sums* and *net* theirs.

    ``shares[0]`` is that of one's own model, the others follow; they sum to one. A row is
    averaged over those who hold it.
    """
    sums[:], row_weight[:], net[:] = np.float32(0), np.float32(0), np.float32(0)
    for f in range(used.size):
        m, share = used[f], shares[f + 1]
        net += share * inbox.networks[m]
        for k in range(inbox.offsets[m], inbox.offsets[m + 1]):
            held = slot[inbox.ids[k]]
            if held >= 0:
                row_weight[held] += share
                sums[held] += share * inbox.values[k]
    own = shares[0]
    network[:] = own * network + net
    net /= np.float32(1) - own
    for r in range(rows.shape[0]):
        if row_weight[r] > 0:
            whole = own + row_weight[r]
            merged = (own * rows[r] + sums[r]) / whole
            sums[r] /= row_weight[r]
            rows[r] = merged
        else:
            sums[r] = rows[r]


@kernel
def learn_from_models(
    low: int,
    high: int,
    phones: IntArray,
    known: Held,
    state: State,
    tally: Tally,
    visits: Visits,
    inbox: Inbox,
    drill: Drill,
    attention: Attention,
    key: np.uint64,
) -> None:
    """Let phones low..high-1 of *phones* merge what they got and train; see ``dclr.DCLR``."""
    slot = np.full(known.at_km.shape[0], -1, np.int64)
    for k in range(low, high):
        turn = begin(phones[k], k, known, state, visits, slot, drill, key)
        b = desk(drill.length, drill.negatives + 1, known.dims[turn.phone])
        lesson = _merge(known, turn, inbox, k, drill.length, attention, b)
        w = model(known, turn.phone, turn.rows, turn.user, turn.network)
        loss = practise(
            w, turn.ground, turn.own, turn.chosen, lesson, drill, b, key, turn.phone
        )  # fmt: skip
        end(turn, loss, state, tally)


@kernel
def _merge(
    known: Held, turn: Turn, inbox: Inbox, receiver: int, length: int, attention: Attention,
    b: Workspace,
) -> NeighbourAnswers:  # fmt: skip
    """Average the model of *turn* with the messages; return the neighbours' answers."""
    phone, ground, own, chosen = turn.phone, turn.ground, turn.own, turn.chosen
    rows, user, network = turn.rows, turn.user, turn.network
    none = np.empty((0, b.u.size), np.float32)
    first, count = inbox.first[receiver], inbox.counts[receiver]
    if count == 0:
        return NeighbourAnswers(none, attention.weight, attention.tau, attention.others)
    used = np.arange(first, first + count)
    shares = np.full(count + 1, np.float32(1))
    sums = np.empty_like(rows)
    probes = chosen[:: max(1, chosen.size // attention.probes)]
    if chosen.size:
        mine = answers_to(model(known, phone, rows, user, network), ground, own, probes, length, b)
        for f in range(count):
            _worn(inbox, used[f], own.slot, rows, sums)
            theirs = model(known, phone, sums, user, inbox.networks[used[f]])
            alike = _agreement(mine, answers_to(theirs, ground, own, probes, length, b))
            shares[f + 1] = np.float32(math.exp(attention.sharpness * (alike - 1.0)))
    shares /= shares.sum()
    row_weight, net = np.empty(rows.shape[0], np.float32), np.empty_like(network)
    _average(inbox, used, shares, own.slot, rows, network, sums, row_weight, net)
    if attention.weight == 0.0 or chosen.size == 0:
        return NeighbourAnswers(none, attention.weight, attention.tau, attention.others)
    theirs = model(known, phone, sums, user, net)
    answers = answers_to(theirs, ground, own, chosen, length, b)
    return NeighbourAnswers(answers, attention.weight, attention.tau, attention.others)
