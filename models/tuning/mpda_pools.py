"""The cloud's part of MPDA: who is like whom, and which of their samples a phone is offered."""

import numpy as np

from droidloop.models.data.samples import Samples
from droidloop.models.interfaces.learning import Params
from droidloop.models.recommenders.din import DIN
from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages, ragged


def propose(
    samples: Samples,
    phones: IntArray,
    donors: IntArray,
    size: int,
    draws: Draws,
) -> Messages:
    """Return a pool of at most *size* samples, drawn anew, of each donor of each of *phones*.

    Args:
        samples: what the cloud has, of all users.
        phones: the receivers, sorted.
        donors: the users whose samples they are offered, (len(phones), pools).
        size: samples in a pool.
        draws: the chance.
    """
    given = donors.reshape(-1)
    to = np.repeat(phones, donors.shape[1])
    rows, starts = ragged(samples.offsets, given)
    counts = np.diff(starts)
    pool = np.repeat(np.arange(len(given)), counts)
    # of each donor's samples the smallest keys, as ``Draws.choose`` has it
    order = np.lexsort((rows, draws.bits(rows, to[pool]), pool))
    place = np.arange(len(rows)) - starts[:-1][pool]
    every = rows[np.sort(order[place < size])]
    offsets = np.concatenate([[0], np.cumsum(np.minimum(counts, size))]).astype(np.int64)
    arrays: dict[str, Array] = {
        "items": samples.items[every],
        "labels": samples.labels[every],
        "history": samples.history[every],
    }
    m = len(to)
    return Messages(
        *("samples", np.full(m, SERVER), to, arrays, np.ones(m), np.zeros(m, np.int64)),
        offsets=dict.fromkeys(arrays, offsets),
    )


def tastes_of(din: DIN, cloud: Params, samples: Samples) -> FloatArray:
    """Return for each user the sum of the vectors of samples, liked ones for and others against.

    Each counts by its label less the mean of all labels. Shape (n_users, dim).
    """
    table = din.item_vectors(cloud).numpy().astype(np.float64)
    weight = samples.labels.astype(np.float64) - samples.labels.mean(dtype=np.float64)
    out = np.zeros((len(samples.offsets) - 1, din.dim))
    np.add.at(out, samples.users, weight[:, None] * table[samples.items])
    return out


def similar_users(vectors: FloatArray, count: int) -> IntArray:
    """Return for each user the *count* others of the largest cosine, best first, ties by number."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    near = (unit[:, None, :] * unit[None]).sum(-1) if len(unit) < 64 else unit @ unit.T
    np.fill_diagonal(near, -np.inf)
    return np.argsort(-near, axis=1, kind="stable")[:, :count].astype(np.int64)
