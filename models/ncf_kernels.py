"""Local SGD of NeuMF on ragged rows, for a cohort, compiled.

Every client works on its own copies of the rows that it touches and of the network. ``local.py``
does the same arithmetic with torch. Inner loops run over neighbouring numbers, so that the
compiler may use vectors without being allowed to reorder sums.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from droidloop.platform.draws import Draws, IntArray
from droidloop.platform.messages import Array

from .interactions import UserItems
from .kernels import Float32Array, Sgd, shuffle, sigmoid
from .neumf import NeuMF
from .sampling import Int32Array, for_chunks

_ONE = np.float32(1)
_ZERO = np.float32(0)


class _Network(NamedTuple):
    """Dense parameters, or their gradients; layers are padded to the widest.

    ``weight[k, i, o]`` goes from input i to output o of layer k; ``turned`` is the same with
    outputs first, so that both directions run over neighbours.
    """

    weight: Float32Array
    turned: Float32Array
    bias: Float32Array
    out: Float32Array
    out_bias: Float32Array


class _Scratch(NamedTuple):
    """What the pairs of a batch share: outputs of layers, slopes, and the users' first layer."""

    value: Float32Array
    slope: Float32Array
    below: Float32Array
    start: Float32Array


def train_ncf_cohort(
    model: NeuMF,
    shared: dict[str, Array],
    data: UserItems,
    negatives: Int32Array,
    ids: Int32Array,
    offsets: IntArray,
    *,
    phones: IntArray,
    user: Float32Array,
    sgd: Sgd,
    draws: Draws,
    counter: int,
    threads: int | None = None,
) -> dict[str, Array]:
    """Train each client on its own copies; return the changes by name.

    That of ``item`` has shape (len(ids), dim), those of dense parameters (clients, ...). *user*
    (clients, dim) is trained in place.
    """
    widths = np.array(model.widths, np.int64)
    net, m = _packed(model, shared), len(phones)
    change = np.empty((len(ids), model.dim), np.float32)
    moved = _Network(*(np.zeros((m, *part.shape), np.float32) for part in net))
    moved = moved._replace(turned=np.zeros((0, *net.turned.shape), np.float32))  # not an outcome
    key = np.uint64(draws.child(f"order/{counter}").key)
    lr_dense = sgd.lr_rows if sgd.lr_dense is None else sgd.lr_dense
    steps = np.array([sgd.lr_user, sgd.lr_rows, lr_dense], np.float32)
    group = max(1, min(sgd.group(negatives.shape[1]), int(data.counts.max(initial=1))))

    def work(low: int, high: int) -> None:
        _train(
            *(low, high, phones, data.items, data.offsets, negatives, ids, offsets),
            *(shared["item"], user, change, net, moved, widths, model.gmf_dim),
            *(steps, sgd.epochs, group, key),
        )

    for_chunks(work, m, threads)
    return {"item": change, **_unpacked(model, moved)}


def _packed(model: NeuMF, shared: dict[str, Array]) -> _Network:
    widths = model.widths
    layers = max(0, len(widths) - 1)
    weight = np.zeros((layers, max(widths[:-1], default=0), max(widths[1:], default=0)), np.float32)
    bias = np.zeros((layers, weight.shape[2]), np.float32)
    for k in range(layers):
        weight[k, : widths[k], : widths[k + 1]] = shared[f"weight{k}"]
        bias[k, : widths[k + 1]] = shared[f"bias{k}"]
    turned = np.ascontiguousarray(weight.transpose(0, 2, 1))
    out, out_bias = (np.array(shared[name], np.float32) for name in ("out", "out_bias"))
    return _Network(weight, turned, bias, out, out_bias)


def _unpacked(model: NeuMF, net: _Network) -> dict[str, Array]:
    """Return stacked dense parameters, client axis first, by name."""
    widths, named = model.widths, {}
    for k in range(len(widths) - 1):
        named[f"weight{k}"] = net.weight[:, k, : widths[k], : widths[k + 1]]
        named[f"bias{k}"] = net.bias[:, k, : widths[k + 1]]
    return {**named, "out": net.out, "out_bias": net.out_bias}


@njit(cache=True, nogil=True)
def _forward(
    row: Float32Array,
    vector: Float32Array,
    net: _Network,
    widths: IntArray,
    cut: int,
    scratch: _Scratch,
) -> np.float32:
    """Return the logit of a pair; the outputs of the layers stay in ``scratch.value``."""
    value, dim = scratch.value, (widths[0] // 2 if widths.size else 0)
    logit = net.out_bias[0]
    for j in range(cut):
        logit += vector[j] * row[j] * net.out[j]
    for k in range(widths.size - 1):
        n_out = widths[k + 1]
        inputs = dim if k == 0 else widths[k]
        first = dim if k == 0 else 0
        for o in range(n_out):
            value[k, o] = scratch.start[o] if k == 0 else net.bias[k, o]
        for i in range(inputs):
            x = row[cut + i] if k == 0 else value[k - 1, i]
            if x != _ZERO:
                for o in range(n_out):
                    value[k, o] += x * net.weight[k, first + i, o]
        for o in range(n_out):
            value[k, o] = max(value[k, o], _ZERO)
    if widths.size:
        for o in range(widths[-1]):
            logit += value[widths.size - 2, o] * net.out[cut + o]
    return logit


@njit(cache=True, nogil=True)
def _backward(
    slope: np.float32,
    row: Float32Array,
    vector: Float32Array,
    net: _Network,
    widths: IntArray,
    cut: int,
    scratch: _Scratch,
    push: Float32Array,
    pull: Float32Array,
    grad: _Network,
) -> None:
    """Add the gradients of a pair to those of its row, *push*, of its user, *pull*, and *grad*.

    Of the first layer only the item's half; the slopes of its outputs are summed in ``grad.bias``.
    """
    grad.out_bias[0] += slope
    for j in range(cut):
        through = slope * net.out[j]
        grad.out[j] += slope * vector[j] * row[j]
        push[j] += through * vector[j]
        pull[j] += through * row[j]
    if widths.size == 0:
        return
    value, above, below = scratch.value, scratch.slope, scratch.below
    last, dim = widths.size - 2, widths[0] // 2
    for o in range(widths[-1]):
        grad.out[cut + o] += slope * value[last, o]
        above[o] = slope * net.out[cut + o] if value[last, o] > _ZERO else _ZERO
    for k in range(last, -1, -1):
        n_out, inputs = widths[k + 1], dim if k == 0 else widths[k]
        first = dim if k == 0 else 0
        for i in range(inputs):
            x = row[cut + i] if k == 0 else value[k - 1, i]
            below[i] = _ZERO
            if x != _ZERO:
                for o in range(n_out):
                    grad.weight[k, first + i, o] += x * above[o]
        for o in range(n_out):
            grad.bias[k, o] += above[o]
            if above[o] != _ZERO:
                for i in range(inputs):
                    below[i] += above[o] * net.turned[k, o, first + i]
        for i in range(inputs):
            if k == 0:
                push[cut + i] += below[i]
            else:
                above[i] = below[i] if value[k - 1, i] > _ZERO else _ZERO


@njit(cache=True, nogil=True)
def _start(
    vector: Float32Array, net: _Network, widths: IntArray, cut: int, start: Float32Array
) -> None:
    """Fill in what the user adds to the first layer, bias included."""
    if widths.size:
        for o in range(widths[1]):
            start[o] = net.bias[0, o]
        for i in range(widths[0] // 2):
            for o in range(widths[1]):
                start[o] += vector[cut + i] * net.weight[0, i, o]


@njit(cache=True, nogil=True)
def _descend(
    lr_user: np.float32,
    lr_dense: np.float32,
    vector: Float32Array,
    pull: Float32Array,
    net: _Network,
    grad: _Network,
    widths: IntArray,
    cut: int,
) -> None:
    """Take the step of the user and of the network; clear their gradients."""
    if widths.size:  # the user's half of the first layer
        for i in range(widths[0] // 2):
            for o in range(widths[1]):
                grad.weight[0, i, o] = vector[cut + i] * grad.bias[0, o]
                pull[cut + i] += grad.bias[0, o] * net.weight[0, i, o]
    for k in range(widths.size - 1):
        for i in range(widths[k]):
            for o in range(widths[k + 1]):
                net.weight[k, i, o] -= lr_dense * grad.weight[k, i, o]
                net.turned[k, o, i] = net.weight[k, i, o]
                grad.weight[k, i, o] = _ZERO
        for o in range(widths[k + 1]):
            net.bias[k, o] -= lr_dense * grad.bias[k, o]
            grad.bias[k, o] = _ZERO
    for j in range(net.out.size):
        net.out[j] -= lr_dense * grad.out[j]
        grad.out[j] = _ZERO
    net.out_bias[0] -= lr_dense * grad.out_bias[0]
    grad.out_bias[0] = _ZERO
    for j in range(vector.size):
        vector[j] -= lr_user * pull[j]
        pull[j] = _ZERO


@njit(cache=True, nogil=True)
def _step(
    slots: Int32Array,
    width: int,
    rows: Float32Array,
    push: Float32Array,
    hit: Array,
    vector: Float32Array,
    pull: Float32Array,
    net: _Network,
    grad: _Network,
    widths: IntArray,
    cut: int,
    scratch: _Scratch,
    steps: Float32Array,
) -> None:
    """Take one step on the sum of the losses of a batch, in place; -1 in *slots*: no pair."""
    _start(vector, net, widths, cut, scratch.start)
    for q in range(slots.size):
        r = slots[q]
        if r >= 0:
            row = rows[r]
            logit = _forward(row, vector, net, widths, cut, scratch)
            slope = sigmoid(logit) - (_ONE if q % width == 0 else _ZERO)
            _backward(slope, row, vector, net, widths, cut, scratch, push[r], pull, grad)
            hit[r] = True
    for q in range(slots.size):
        r = slots[q]
        if r >= 0 and hit[r]:
            hit[r] = False
            for j in range(vector.size):
                rows[r, j] -= steps[1] * push[r, j]
                push[r, j] = _ZERO
    _descend(steps[0], steps[2], vector, pull, net, grad, widths, cut)


@njit(cache=True, nogil=True)
def _train(
    low: int,
    high: int,
    phones: IntArray,
    items: IntArray,
    offsets: IntArray,
    negatives: Int32Array,
    ids: Int32Array,
    row_offsets: IntArray,
    table: Float32Array,
    user: Float32Array,
    change: Float32Array,
    start: _Network,
    moved: _Network,
    widths: IntArray,
    cut: int,
    steps: Float32Array,
    epochs: int,
    group: int,
    key: np.uint64,
) -> None:
    dim, width = table.shape[1], 1 + negatives.shape[1]
    slot = np.empty(table.shape[0], np.int32)
    most = np.max(row_offsets[low + 1 : high + 1] - row_offsets[low:high])
    push, hit = np.zeros((most, dim), np.float32), np.zeros(most, np.bool_)
    pull, slots = np.zeros(dim, np.float32), np.empty(group * width, np.int32)
    grad = _Network(
        np.zeros_like(start.weight), start.turned, np.zeros_like(start.bias),
        np.zeros_like(start.out), np.zeros_like(start.out_bias),
    )  # fmt: skip
    inputs, outputs = start.weight.shape[1:]
    scratch = _Scratch(
        np.zeros(start.bias.shape, np.float32), np.zeros(max(inputs, outputs), np.float32),
        np.zeros(inputs, np.float32), np.zeros(outputs, np.float32),
    )  # fmt: skip
    turned = np.empty_like(start.turned)
    for client in range(low, high):
        first = row_offsets[client]
        rows, vector = change[first : row_offsets[client + 1]], user[client]
        for r in range(rows.shape[0]):
            slot[ids[first + r]] = r
            rows[r] = table[ids[first + r]]
        net = _Network(
            moved.weight[client], turned, moved.bias[client],
            moved.out[client], moved.out_bias[client],
        )  # fmt: skip
        _add(net, start, _ONE)
        turned[:] = start.turned
        order = np.arange(offsets[client], offsets[client + 1])
        for epoch in range(epochs):
            shuffle(order, key, phones[client], epoch)
            for begin in range(0, order.size, group):
                end = min(begin + group, order.size)
                for k in range(begin, end):
                    example, q = order[k], (k - begin) * width
                    slots[q] = slot[items[example]]
                    for s in range(width - 1):
                        other = negatives[example, s]
                        slots[q + 1 + s] = slot[other] if other >= 0 else -1
                _step(
                    slots[: (end - begin) * width], width, rows, push, hit, vector, pull,
                    net, grad, widths, cut, scratch, steps,
                )  # fmt: skip
        for r in range(rows.shape[0]):
            rows[r] -= table[ids[first + r]]
        _add(net, start, -_ONE)


@njit(cache=True, nogil=True)
def _add(net: _Network, other: _Network, sign: np.float32) -> None:
    net.weight[:] += sign * other.weight
    net.bias[:] += sign * other.bias
    net.out[:] += sign * other.out
    net.out_bias[:] += sign * other.out_bias
