"""What phones make of messages with ego vectors and item rows, compiled: average and remember."""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import Array, Float32Array, IntArray
from droidloop.platform.law import kernel
from droidloop.platform.messages import Messages

from .gossip_kernels import share_of


@dataclass(frozen=True)
class Exchange:
    """Messages as arrays: of each its ego vector, its group, its age and its item rows."""

    ego: Float32Array
    group: IntArray
    ages: IntArray
    values: Float32Array
    ids: IntArray
    offsets: IntArray

    @classmethod
    def of(cls, inbox: Messages, dim: int) -> "Exchange":
        """Read *inbox*.

        Raises:
            ValueError: it holds other arrays.
        """
        shapes = {name: array.shape[1:] for name, array in inbox.arrays.items()}
        if shapes != {"ego": (dim,), "item": (dim,), "group": ()} or "item" not in inbox.rows:
            raise ValueError(f"members exchange an ego vector and rows of {dim}, not {shapes}")
        if not inbox.offsets.keys() == inbox.arrays.keys():
            raise ValueError("an array belongs to all messages; an ego vector belongs to one phone")
        values = np.ascontiguousarray(inbox.arrays["item"], np.float32)
        ego = np.ascontiguousarray(inbox.arrays["ego"], np.float32)
        group, ids = inbox.arrays["group"], inbox.rows["item"]
        return cls(ego, group, inbox.base, values, ids, inbox.offsets["item"])


def merge_exchanged(
    sent: Exchange, first: IntArray, count: IntArray, mine: dict[str, Array]
) -> None:
    """Put what receivers got into their columns *mine*, in place.

    Receiver k got *count[k]* messages from *first[k]* on. The rows that it holds are averaged by
    age; an ego vector of its group takes the place of the oldest one that it knows.
    """
    _merge(
        *(first, count, sent.ego, sent.group, sent.ages, sent.values, sent.ids, sent.offsets),
        *(mine["rows"], mine["ids"], mine["group"], mine["others"]),
        *(mine["heard"], mine["age"]),
    )


@kernel
def _average(
    rows: Float32Array, ids: IntArray, values: Float32Array, theirs: IntArray, share: float
) -> None:
    """Move *rows* towards *values* by *share* where both have an id; both are sorted by id."""
    take, keep, at = np.float32(share), np.float32(1.0 - share), 0
    for t in range(theirs.size):
        while at < ids.size and ids[at] < theirs[t]:
            at += 1
        if at < ids.size and ids[at] == theirs[t]:
            for j in range(rows.shape[1]):
                rows[at, j] = keep * rows[at, j] + take * values[t, j]


@kernel
def _merge(
    first: IntArray,
    count: IntArray,
    ego: Float32Array,
    groups: IntArray,
    ages: IntArray,
    values: Float32Array,
    value_ids: IntArray,
    offsets: IntArray,
    rows: Float32Array,
    ids: IntArray,
    group: IntArray,
    others: Float32Array,
    heard: IntArray,
    age: IntArray,
) -> None:
    for k in range(first.size):
        for m in range(first[k], first[k] + count[k]):
            part = slice(offsets[m], offsets[m + 1])
            if group[k] < 0:
                continue
            _average(rows[k], ids[k], values[part], value_ids[part], share_of(age[k], ages[m]))
            age[k] = max(age[k], ages[m])
            if groups[m] == group[k]:
                others[k, heard[k] % others.shape[1]] = ego[m]
                heard[k] += 1
