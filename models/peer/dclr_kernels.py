"""One tick of DCLR on the phones that have a turn, compiled: weigh, merge, agree, train."""

import math
from typing import NamedTuple

import numpy as np

from droidloop.models.local.place_kernels import Desk, desk
from droidloop.models.local.place_sgd import (
    Lesson,
    Local,
    answers_to,
    chosen_visits,
    hold,
    let_go,
    moderate,
    practise,
)
from droidloop.models.recommenders.place_features import Ground
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.law import kernel

from .place_phones import Held, State, ground_of, model


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
    ages: IntArray


class Turn(NamedTuple):
    """The numbers of a rule; see ``dclr.DCLR`` and ``place_training.Practice``."""

    steps: Float32Array
    examples: int
    negatives: int
    length: int
    unvisited: bool
    probes: int
    sharpness: float
    weight: float
    tau: float
    others: int


class Tally(NamedTuple):
    """Columns of the store that count."""

    age: IntArray
    loss: Float32Array
    refused: IntArray
    diverged: IntArray


@kernel
def _sound(inbox: Inbox, m: int, n_places: int) -> bool:
    """Return whether message *m* can be used."""
    low, high = inbox.offsets[m], inbox.offsets[m + 1]
    for k in range(low, high):
        if inbox.ids[k] < 0 or inbox.ids[k] >= n_places:
            return False
    whole = moderate(inbox.values[low:high]) and moderate(inbox.networks[m])
    return bool(whole and inbox.ages[m] >= 0)


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
    items: IntArray,
    times_s: IntArray,
    offsets: IntArray,
    inbox: Inbox,
    turn: Turn,
    key: np.uint64,
) -> None:
    """Let phones low..high-1 of *phones* merge what they got and train; see ``dclr.DCLR``."""
    n_places = known.at_km.shape[0]
    slot, counts = np.full(n_places, -1, np.int64), np.zeros(n_places, np.int64)
    for k in range(low, high):
        phone = phones[k]
        area, ground = known.areas[phone], ground_of(known, phone)
        own = Local(
            items[offsets[k] : offsets[k + 1]], times_s[offsets[k] : offsets[k + 1]], area, slot
        )
        rows, user = state.rows[phone].copy(), state.user[phone].copy()
        network = state.network[phone].copy()
        hold(slot, area)
        b = desk(turn.length, turn.negatives + 1, known.dims[phone])
        chosen = chosen_visits(own.items.size, turn.examples, key, phone)
        lesson = _merge(
            known, phone, ground, own, chosen, inbox, k, tally, turn, rows, user, network, b
        )  # fmt: skip
        w = model(known, phone, rows, user, network)
        loss = practise(
            w, ground, own, chosen, lesson, turn.steps, turn.length, turn.negatives,
            turn.unvisited, counts, b, key, phone,
        )  # fmt: skip
        let_go(slot, area)
        if moderate(rows) and moderate(user) and moderate(network):
            state.rows[phone], state.user[phone], state.network[phone] = rows, user, network
            if chosen.size:
                tally.age[phone] += 1
                tally.loss[phone] = loss
        else:
            tally.diverged[phone] += 1


@kernel
def _merge(
    known: Held,
    phone: int,
    ground: Ground,
    own: Local,
    chosen: IntArray,
    inbox: Inbox,
    receiver: int,
    tally: Tally,
    turn: Turn,
    rows: Float32Array,
    user: Float32Array,
    network: Float32Array,
    b: Desk,
) -> Lesson:
    """Average *rows* and *network* with the sound messages; return the neighbours' answers."""
    none = np.empty((0, b.u.size), np.float32)
    used = np.empty(inbox.counts[receiver], np.int64)
    n_used = 0
    for m in range(inbox.first[receiver], inbox.first[receiver] + inbox.counts[receiver]):
        if _sound(inbox, m, known.at_km.shape[0]):
            used[n_used] = m
            n_used += 1
        else:
            tally.refused[phone] += 1
    if n_used == 0:
        return Lesson(none, turn.weight, turn.tau, turn.others)
    shares = np.full(n_used + 1, np.float32(1))
    sums = np.empty_like(rows)
    probes = chosen[:: max(1, chosen.size // turn.probes)]
    if chosen.size:
        mine = answers_to(
            model(known, phone, rows, user, network), ground, own, probes, turn.length, b
        )
        for f in range(n_used):
            _worn(inbox, used[f], own.slot, rows, sums)
            theirs = model(known, phone, sums, user, inbox.networks[used[f]])
            alike = _agreement(mine, answers_to(theirs, ground, own, probes, turn.length, b))
            shares[f + 1] = np.float32(math.exp(turn.sharpness * (alike - 1.0)))
    shares /= shares.sum()
    row_weight, net = np.empty(rows.shape[0], np.float32), np.empty_like(network)
    _average(inbox, used[:n_used], shares, own.slot, rows, network, sums, row_weight, net)
    if turn.weight == 0.0 or chosen.size == 0:
        return Lesson(none, turn.weight, turn.tau, turn.others)
    theirs = model(known, phone, sums, user, net)
    answers = answers_to(theirs, ground, own, chosen, turn.length, b)
    return Lesson(answers, turn.weight, turn.tau, turn.others)
