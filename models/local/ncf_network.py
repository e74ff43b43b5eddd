"""One pair of NeuMF, forward and backward, and the step of a batch, compiled.

Inner loops run over neighbouring numbers, so that the compiler may use vectors without being
allowed to reorder sums.
"""

from typing import NamedTuple

import numpy as np

from droidloop.models.recommenders.neumf import NeuMF
from droidloop.platform.arrays import Array, Float32Array, IntArray
from droidloop.platform.law import kernel

_ZERO = np.float32(0)


class Network(NamedTuple):
    """Dense parameters, or their gradients; layers are padded to the widest.

    ``weight[k, i, o]`` goes from input i to output o of layer k; ``turned`` is the same with
    outputs first, so that both directions run over neighbours.
    """

    weight: Float32Array
    turned: Float32Array
    bias: Float32Array
    out: Float32Array
    out_bias: Float32Array


class Scratch(NamedTuple):
    """What the pairs of a batch share: outputs of layers, slopes, and the users' first layer."""

    value: Float32Array
    slope: Float32Array
    below: Float32Array
    start: Float32Array


def packed(model: NeuMF, shared: dict[str, Array]) -> Network:
    """Return the dense parameters of *shared*, padded."""
    widths = model.widths
    layers = max(0, len(widths) - 1)
    weight = np.zeros((layers, max(widths[:-1], default=0), max(widths[1:], default=0)), np.float32)
    bias = np.zeros((layers, weight.shape[2]), np.float32)
    for k in range(layers):
        weight[k, : widths[k], : widths[k + 1]] = shared[f"weight{k}"]
        bias[k, : widths[k + 1]] = shared[f"bias{k}"]
    turned = np.ascontiguousarray(weight.transpose(0, 2, 1))
    out, out_bias = (np.array(shared[name], np.float32) for name in ("out", "out_bias"))
    return Network(weight, turned, bias, out, out_bias)


def unpacked(model: NeuMF, net: Network) -> dict[str, Array]:
    """Return the dense parameters of stacked networks, client axis first, by name."""
    widths, named = model.widths, {}
    for k in range(len(widths) - 1):
        named[f"weight{k}"] = net.weight[:, k, : widths[k], : widths[k + 1]]
        named[f"bias{k}"] = net.bias[:, k, : widths[k + 1]]
    return {**named, "out": net.out, "out_bias": net.out_bias}


@kernel
def forward(
    row: Float32Array,
    vector: Float32Array,
    net: Network,
    widths: IntArray,
    cut: int,
    scratch: Scratch,
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
    return np.float32(logit)


@kernel
def backward(
    slope: np.float32,
    row: Float32Array,
    vector: Float32Array,
    net: Network,
    widths: IntArray,
    cut: int,
    scratch: Scratch,
    push: Float32Array,
    pull: Float32Array,
    grad: Network,
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


@kernel
def begin(
    vector: Float32Array, net: Network, widths: IntArray, cut: int, start: Float32Array
) -> None:
    """Fill in what the user adds to the first layer, bias included."""
    if widths.size:
        for o in range(widths[1]):
            start[o] = net.bias[0, o]
        for i in range(widths[0] // 2):
            for o in range(widths[1]):
                start[o] += vector[cut + i] * net.weight[0, i, o]


@kernel
def descend(
    lr_user: np.float32,
    lr_dense: np.float32,
    vector: Float32Array,
    pull: Float32Array,
    net: Network,
    grad: Network,
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


@kernel
def add(net: Network, other: Network, sign: np.float32) -> None:
    """Add *sign* times the parameters of *other*, in place; ``turned`` stays as it is."""
    for k in range(net.bias.shape[0]):
        for o in range(net.bias.shape[1]):
            net.bias[k, o] += sign * other.bias[k, o]
        for i in range(net.weight.shape[1]):
            for o in range(net.weight.shape[2]):
                net.weight[k, i, o] += sign * other.weight[k, i, o]
    for j in range(net.out.size):
        net.out[j] += sign * other.out[j]
    net.out_bias[0] += sign * other.out_bias[0]
