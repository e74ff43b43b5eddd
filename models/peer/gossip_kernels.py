"""Gossip learning of matrix factorisation, compiled: snapshots, merges and local SGD in place.

Receivers are independent of one another, so any number of threads gives the same bits.
"""

import numpy as np

from droidloop.models.local.mf_sgd import dot, fill_slots, step_rows
from droidloop.models.local.sgd import shuffle
from droidloop.models.numerics.bounds import LARGEST
from droidloop.platform.arrays import Array, Float32Array, Int32Array, IntArray
from droidloop.platform.draws import uniform_at
from droidloop.platform.law import kernel


@kernel
def copy_tables(
    low: int, high: int, phones: IntArray, column: Float32Array, out: Float32Array
) -> None:
    """Copy the tables of *phones* low..high-1 from *column* to *out*, table after table."""
    n = column.shape[1]
    for k in range(low, high):
        out[k * n : (k + 1) * n] = column[phones[k]]


@kernel
def copy_some_rows(
    low: int,
    high: int,
    phones: IntArray,
    column: Float32Array,
    each: int,
    key: np.uint64,
    rows: IntArray,
    out: Float32Array,
) -> None:
    """Copy *each* rows of every table, drawn by (key, phone), in order (Knuth's algorithm S)."""
    n = column.shape[1]
    for k in range(low, high):
        at = k * each
        end = at + each
        for row in range(n):
            if uniform_at(key, phones[k], row) * (n - row) < end - at:
                rows[at] = row
                out[at] = column[phones[k], row]
                at += 1


@kernel
def moderate(values: Float32Array) -> bool:
    """Return whether all of a phone's own *values* are numbers of moderate size."""
    good, flat = True, values.reshape(-1)
    for k in range(flat.size):
        good &= abs(flat[k]) <= LARGEST
    return good


@kernel
def share_of(mine: int, theirs: int, own: float = 1.0) -> float:
    """Return the weight of a table of age *theirs* beside one of age *mine*, which counts *own*."""
    return theirs / (own * mine + theirs) if mine + theirs > 0 else 0.5


@kernel
def merge_into(table: Float32Array, values: Float32Array, rows: IntArray, share: float) -> None:
    """Move *table* towards *values* (of *rows*; of all if there are none) by *share*."""
    take = np.float32(share)
    keep = np.float32(1.0 - share)
    if rows.size == 0:
        mine, theirs = table.reshape(-1), values.reshape(-1)
        for k in range(theirs.size):
            mine[k] = keep * mine[k] + take * theirs[k]
        return
    for t in range(rows.size):
        row = rows[t]  # read once: writing the table could change it, as far as a compiler knows
        for j in range(table.shape[1]):
            table[row, j] = keep * table[row, j] + take * values[t, j]


@kernel(error_model="numpy")
def fit_ratings(
    order: IntArray,
    items: IntArray,
    labels: Array,
    table: Float32Array,
    vector: Float32Array,
    steps: Float32Array,
) -> None:
    """Take a step of squared error on one example after the other: batches of one, no negatives.

    What ``step_rows`` does with such batches, to the bit, without what a batch costs.
    """
    lr_user, lr_rows = steps[0], steps[1]
    keep_user, keep_row = np.float32(1) - lr_user * steps[2], np.float32(1) - lr_rows * steps[2]
    for example in order:
        i = items[example]
        gap = dot(table, i, vector) - np.float32(labels[example])
        slope = gap + gap
        down = lr_rows * slope
        for j in range(vector.size):
            old = table[i, j]
            table[i, j] = keep_row * old - down * vector[j]
            vector[j] = keep_user * vector[j] - lr_user * (slope * old)


@kernel
def merge_rows(
    table: Float32Array,
    row_age: Float32Array,
    values: Float32Array,
    rows: IntArray,
    their_age: Float32Array,
    own: np.float32,
) -> None:
    """Move each row towards the neighbour's by the share of its age; ages are averaged likewise.

    One's own age counts *own* times. A row that nobody has trained yet does not move, one that the
    neighbour alone has is taken.
    """
    for t in range(values.shape[0]):
        row = rows[t] if rows.size > 0 else t
        mine, theirs = row_age[row], their_age[t]
        if theirs == 0:
            continue
        take = np.float32(theirs / (own * mine + theirs))
        keep = np.float32(1) - take
        row_age[row] = keep * mine + take * theirs
        for j in range(table.shape[1]):
            table[row, j] = keep * table[row, j] + take * values[t, j]


@kernel
def grow_older(
    row_age: Float32Array, items: IntArray, negatives: Int32Array, seen_at: IntArray, now: int
) -> None:
    """Add one to the age of each row that a pass has touched; *seen_at* marks rows with *now*."""
    for e in range(items.size):
        if seen_at[items[e]] != now:
            seen_at[items[e]] = now
            row_age[items[e]] += np.float32(1)
        for s in range(negatives.shape[1]):
            other = negatives[e, s]
            if other >= 0 and seen_at[other] != now:
                seen_at[other] = now
                row_age[other] += np.float32(1)


Sent = tuple[Float32Array, IntArray, IntArray, IntArray, Float32Array]
"""Messages: values, row numbers (none: all rows), where each begins, ages, and ages of rows."""


@kernel
def merge_tables(
    first: int,
    until: int,
    sent: Sent,
    table: Float32Array,
    age: int,
    row_age: Float32Array,
    own: np.float32,
) -> int:
    """Merge the messages *first*..*until* - 1 into *table*; return its age.

    With ages of rows, (rows,), rows are merged by theirs, else tables by theirs; the ages of one's
    own count *own* times.
    """
    values, rows, offsets, ages, their_row_ages = sent
    by_row = row_age.size > 0
    for m in range(first, until):
        mine = slice(offsets[m], offsets[m + 1])
        if by_row:
            merge_rows(table, row_age, values[mine], rows[mine], their_row_ages[mine], own)
        else:
            merge_into(table, values[mine], rows[mine], share_of(age, ages[m], float(own)))
        age = max(age, ages[m])
    return age


Room = tuple[
    Int32Array, Float32Array, Float32Array, Float32Array, Int32Array, Float32Array, Int32Array
]
"""Room for a batch: slots and scores of pairs, labels, slopes and hits of rows, the gradient.

Last the row of each item, which is its number: a phone's own table has all rows.
"""


@kernel
def fit_batches(
    order: IntArray,
    items: IntArray,
    labels: Array,
    negatives: Int32Array,
    first: int,
    table: Float32Array,
    vector: Float32Array,
    steps: Float32Array,
    code: int,
    room: Room,
) -> None:
    """Take a step on each batch of the examples in *order*; of *first* the negatives are row 0."""
    slots, scores, batch_labels, slopes, hits, gradient, itself = room
    width, group = 1 + negatives.shape[1], batch_labels.size
    for start in range(0, order.size, group):
        batch = order[start : start + group]
        for k in range(batch.size):
            batch_labels[k] = labels[batch[k]]
        fill_slots(batch, items, negatives, first, itself, slots)
        step_rows(
            slots[: batch.size * width], batch_labels, width, code, table, vector,
            steps, scores, slopes, hits, gradient,
        )  # fmt: skip


@kernel
def learn_tables(
    low: int,
    high: int,
    phones: IntArray,
    passes: IntArray,
    first_message: IntArray,
    messages: IntArray,
    sent: Sent,
    items: IntArray,
    offsets: IntArray,
    labels: Array,
    negatives: Int32Array,
    negative_offsets: IntArray,
    user: Float32Array,
    item: Float32Array,
    age: IntArray,
    row_ages: Float32Array,
    diverged: IntArray,
    own: np.float32,
    steps: Float32Array,
    epochs: int,
    group: int,
    code: int,
    key: np.uint64,
) -> None:
    """Let the receivers low..high-1 merge each message and train after it, on a scratch copy.

    Receiver k of ``phones`` has ``messages[k]`` of them from ``first_message[k]`` on, and the
    passes ``passes[k]:passes[k + 1]`` over its examples. With fewer passes than messages the last
    pass follows all that are left. Without row ages, (0, 0), tables are merged by theirs. A phone
    whose numbers run away keeps what it had and is counted in *diverged*. The ages of a receiver's
    own tables and rows count *own* times.
    """
    n, width = item.shape[1], 1 + negatives.shape[1]
    table, vector = np.empty_like(item[0]), np.empty(item.shape[2], np.float32)
    slots, scores = np.empty(group * width, np.int32), np.empty(group * width, np.float32)
    slopes, hits, gradient = np.zeros(n, np.float32), np.zeros(n, np.int32), np.zeros_like(vector)
    row_age, itself = np.zeros(row_ages.shape[1], np.float32), np.arange(n).astype(np.int32)
    room = (slots, scores, np.empty(group, np.float32), slopes, hits, gradient, itself)
    by_row, stamp, seen_at = row_age.size > 0, 0, np.zeros(row_age.size, np.int64)
    for k in range(low, high):
        phone, mine = phones[k], slice(offsets[k], offsets[k + 1])
        table[:], vector[:] = item[phone], user[phone]
        if by_row:
            row_age[:] = row_ages[phone]
        seen, m, turns = age[phone], first_message[k], passes[k + 1] - passes[k]
        for turn in range(turns):
            until = m + 1 if turn < turns - 1 else first_message[k] + messages[k]
            seen, m = merge_tables(m, until, sent, table, seen, row_age, own), until
            order = np.arange(offsets[k], offsets[k + 1])
            if order.size == 0:
                continue
            drawn = negatives[negative_offsets[passes[k] + turn] :]
            for epoch in range(epochs):
                shuffle(order, key, phone + (turn << 32), epoch)
                if group == 1 and width == 1:
                    fit_ratings(order, items, labels, table, vector, steps)
                else:
                    fit_batches(
                        order, items, labels, drawn, offsets[k], table, vector, steps, code, room
                    )
            seen, stamp = seen + 1, stamp + 1
            if by_row:
                grow_older(row_age, items[mine], drawn[: order.size], seen_at, stamp)
        if moderate(table) and moderate(vector):
            item[phone], user[phone], age[phone] = table, vector, seen
            if by_row:
                row_ages[phone] = row_age
        else:
            diverged[phone] += 1
