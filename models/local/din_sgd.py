"""DIN on phones, compiled: what the network reads of a sample, and local SGD of the network.

A phone's item vectors and attention are frozen, so what the network reads is computed once:
v, e and v * e of a sample. The user's fields are the same in all samples of a phone: what they
add is within the bias of its hidden layer, and tuning that bias is tuning them.
"""

import numpy as np
import torch

from droidloop.models.data.samples import Samples
from droidloop.models.interfaces.learning import Params
from droidloop.models.recommenders.din import DIN
from droidloop.platform.arrays import Float32Array, Int32Array, IntArray
from droidloop.platform.draws import Key, below_at
from droidloop.platform.law import kernel

_ONE = np.float32(1)


def network_size(din: DIN) -> int:
    """Return how many numbers a phone tunes: (3 dim + 2) hidden + 1."""
    return (3 * din.dim + 2) * din.hidden + 1


def networks_of(din: DIN, params: Params, n_users: int) -> Float32Array:
    """Return the network of each user as it begins, shape (n_users, network_size)."""
    own = din.own(params, torch.arange(n_users)).numpy()
    dim = 3 * din.dim
    hidden = params["hidden"].numpy()
    bias = params["hidden_bias"].numpy() + (own[:, :, None] * hidden[dim:]).sum(1)
    same = np.concatenate([params["out"].numpy(), params["out_bias"].numpy()])
    parts = [np.broadcast_to(hidden[:dim].reshape(-1), (n_users, dim * din.hidden)), bias]
    return np.concatenate([*parts, np.broadcast_to(same, (n_users, len(same)))], axis=1)


def readings_of(din: DIN, params: Params, items: Int32Array, history: Int32Array) -> Float32Array:
    """Return v, e and v * e of samples, shape (n, 3 dim)."""
    out = np.empty((len(items), 3 * din.dim), np.float32)
    table = din.item_vectors(params).numpy()
    key, ask, both = (params[name].numpy() for name in ("key", "ask", "both"))
    bias, attend, rest = (params[f"attend{end}"].numpy() for end in ("_bias", "", "_out"))
    mean = din.pooling == "mean"
    _read(items, history, table, key, ask, both, bias, attend, rest, mean, out)
    return out


def network_scores(
    networks: Float32Array, readings: Float32Array, samples: Samples
) -> Float32Array:
    """Return the score of each sample by the network of its user, (n,)."""
    hidden = (networks.shape[1] - 1) // (readings.shape[1] + 2)
    out = np.empty(len(readings), np.float32)
    _scores(networks, readings, samples.users, hidden, out)
    return out


@kernel
def _read(
    items: Int32Array,
    history: Int32Array,
    table: Float32Array,
    key: Float32Array,
    ask: Float32Array,
    both: Float32Array,
    bias: Float32Array,
    attend: Float32Array,
    rest: Float32Array,
    mean: bool,
    out: Float32Array,
) -> None:
    dim, width = key.shape
    first = np.empty(width, np.float32)
    asked = np.empty(width, np.float32)
    for row in range(items.size):
        target = table[items[row]]
        vector = out[row, :dim]
        vector[:] = np.float32(0)
        asked[:] = bias
        for d in range(dim):
            asked += target[d] * ask[d]
        count = 0
        for j in range(history.shape[1]):
            if history[row, j] < 0:
                continue
            count += 1
            seen = table[history[row, j]]
            weight = _ONE
            if not mean:
                first[:] = asked
                for d in range(dim):
                    first += seen[d] * (key[d] + target[d] * both[d])
                weight = rest[0]
                for w in range(width):
                    weight += max(first[w], np.float32(0)) * attend[w]
            vector += weight * seen
        if count > 0:
            vector /= np.float32(count)
        out[row, dim : 2 * dim] = target
        out[row, 2 * dim :] = vector * target


@kernel(inline="always")
def _forward(
    network: Float32Array, reading: Float32Array, hidden: int, layer: Float32Array
) -> float:
    dim = reading.size
    layer[:] = network[dim * hidden : (dim + 1) * hidden]
    for d in range(dim):
        for h in range(hidden):
            layer[h] += reading[d] * network[d * hidden + h]
    score: float = network[network.size - 1]
    for h in range(hidden):
        score += max(layer[h], np.float32(0)) * network[(dim + 1) * hidden + h]
    return score


@kernel
def _scores(
    networks: Float32Array, readings: Float32Array, users: IntArray, hidden: int, out: Float32Array
) -> None:
    layer = np.empty(hidden, np.float32)
    for k in range(users.size):
        out[k] = _forward(networks[users[k]], readings[k], hidden, layer)


@kernel
def loss_of(
    network: Float32Array, readings: Float32Array, labels: Float32Array, low: int, high: int
) -> float:
    """Return the mean log loss of rows *low* to *high*; 0 where there are none."""
    hidden = (network.size - 1) // (readings.shape[1] + 2)
    layer = np.empty(hidden, np.float32)
    total: float = 0.0
    for k in range(low, high):
        score = float(_forward(network, readings[k], hidden, layer))
        total += float(max(score, 0.0) + np.log1p(np.exp(-abs(score))) - labels[k] * score)
    mean: float = total / max(high - low, 1)
    return mean


@kernel
def train_network(
    network: Float32Array,
    readings: Float32Array,
    labels: Float32Array,
    rows: IntArray,
    rate: float,
    epochs: int,
    key: Key,
    phone: int,
) -> Float32Array:
    """Return *network* after SGD on *rows*, one at a time, each epoch in an order of its own."""
    out, order = network.copy(), rows.copy()
    dim = readings.shape[1]
    hidden = (out.size - 1) // (dim + 2)
    layer, step, count = np.empty(hidden, np.float32), np.float32(rate), 0
    for _ in range(epochs):
        for k in range(order.size - 1, 0, -1):
            other = below_at(key, phone, count, k + 1)
            count += 1
            order[k], order[other] = order[other], order[k]
        for row in order:
            reading = readings[row]
            score = _forward(out, reading, hidden, layer)
            slope = step * np.float32(1 / (1 + np.exp(-float(score))) - labels[row])
            last = (dim + 1) * hidden
            for h in range(hidden):
                active = layer[h] > 0
                pull = slope * out[last + h] if active else np.float32(0)
                if active:
                    out[last + h] -= slope * layer[h]
                layer[h] = pull
                out[dim * hidden + h] -= pull
            out[out.size - 1] -= slope
            for d in range(dim):
                for h in range(hidden):
                    out[d * hidden + h] -= reading[d] * layer[h]
    return out
