"""Server rules that are folds: sums of weighted changes, put together when the step closes.

Changes are summed as integers (multiples of 2^-30), so the sum is exact: it depends neither on the
order in which messages arrive nor on how they are cut into shards.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.staleness import Staleness, within
from droidloop.platform.arrays import Array, BoolArray, FloatArray, IntArray
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.state import Stateful
from droidloop.platform.workers import for_chunks

from .fold_kernels import encode, find_peaks, fold

_UNIT = 2.0**30
"""One is this many units of a sum."""
_SMALL = 4.0
"""A bound that honest changes hardly ever pass."""
_WEIGHT_UNIT = 2.0**16
_EXTENT_UNIT = 2.0**20
"""Extents are multiples of its inverse, so that sums of them are exact too."""
_FULL = 2.0**32
"""What the magnitudes in a sum may come to: half of what int64 holds, as each is rounded."""

UNITS = "units"
"""The kind of a message that holds a sum of encoded ones."""

_SIGNS = {"delta": 1.0, "parameters": 1.0, "gradient": -1.0}


@dataclass(frozen=True)
class Sums:
    """What was absorbed for one array: the weighted sum of changes and the weights.

    Attributes:
        change: (rows, values of a row).
        row_weight: sum of the weights of the messages that held the row, (rows,).
        weight: sum of the weights of all messages.
    """

    change: FloatArray
    row_weight: FloatArray
    weight: float


Combine = Callable[[str, Array, Sums], Array]
"""Returns the new values of the array of that name from the old ones, (rows, values)."""

Weigh = Callable[[Messages], FloatArray]
"""Returns the weight of each message, (m,)."""


@final
class Fold(Stateful):
    """A server rule that sums up changes and combines the sums.

    Takes messages of kind ``delta`` (change = value), ``parameters`` (value minus the present
    one) and ``gradient`` (minus the value), for subsets of rows or whole arrays; messages that are
    of its ``form``. Not taken are those that are too old or from a version to come, and those that
    do not fit into the sums any more: of numbers, weighted, up to 2^32 in all.

    A message of kind ``units`` is a sum that somebody else has made of what ``encode`` returns.

    Messages weigh the same in all arrays, or for each array as *weigh* says by its name; with
    *by_extent* a row of a message also weighs as much as the magnitudes of its change sum up to.
    A way to combine that remembers something is part of the fold's state.
    """

    STATE = ("_params", "_version", "_weight", "_absorbed", "_sums", "_memory")

    def __init__(
        self,
        params: Params,
        combine: Combine,
        *,
        weigh: Weigh | Mapping[str, Weigh],
        staleness: Staleness,
        by_extent: bool = False,
        threads: int | None = None,
    ) -> None:
        self._by_extent = by_extent
        self._params = {name: value.detach().clone() for name, value in params.items()}
        self._weigh = weigh if isinstance(weigh, Mapping) else dict.fromkeys(params, weigh)
        self._combine, self._staleness = combine, staleness
        self._memory = combine if isinstance(combine, Stateful) else None
        self._threads = threads
        self._version = 0
        self._reset()

    @property
    def version(self) -> int:
        """How many changes the parameters have seen."""
        return self._version

    @property
    def params(self) -> Params:
        """The shared parameters; a new dictionary of new tensors after each change."""
        return self._params

    @property
    def form(self) -> Form:
        """Changes, values or gradients of the parameters, in full or of some rows."""
        arrays = {name: ArrayForm(tuple(value.shape)) for name, value in self._params.items()}
        return Form(frozenset(_SIGNS), arrays)

    def broadcast(self, phones: IntArray) -> list[Messages]:
        """Return the present parameters, stored once, for *phones*."""
        m = len(phones)
        arrays = {name: value.numpy() for name, value in self._params.items()}
        sender, base = np.full(m, SERVER, np.int64), np.full(m, self._version, np.int64)
        return [Messages("parameters", sender, phones, arrays, np.ones(m), base)]

    def absorb(self, messages: Messages) -> BoolArray:
        """Add *messages* to the sums; return which ones were accepted, (m,).

        Raises:
            ValueError: the kind or a name is not one of this rule, a programming error.
        """
        if messages.kind == UNITS:
            return self._absorb_units(messages)
        weights, factor = self._weights(messages)
        taken = factor > 0
        loads = {name: self._loads(messages, name, weights[name]) for name in messages.arrays}
        for name, load in loads.items():
            if self._filled[name] + load[taken].sum() > _FULL:  # or so it seems
                loads[name] = self._loads(messages, name, weights[name], bound=0.0)
        for name, load in loads.items():
            taken &= np.isfinite(load) & (weights[name] >= 0)
        for name, load in loads.items():
            self._leave_out_what_is_too_much(taken, load, self._filled[name])
        for name, load in loads.items():
            self._filled[name] += float(load[taken].sum())
            self._add(messages, name, np.where(taken, weights[name], 0.0), taken)
        for name, weight in weights.items():
            self._weight[name] += float(weight[taken].sum())
        self._absorbed += int(taken.sum())
        return taken

    def encode(self, messages: Messages) -> dict[str, IntArray]:
        """Return what each message adds to the sums, by name (m, rows + 1, numbers + 1).

        The last number of a row is the row's weight, the last row holds the message's. A message
        with numbers that are not sane adds nothing. Sums of these are what ``UNITS`` messages hold.
        """
        weights, _ = self._weights(messages)
        loads = [self._loads(messages, name, weights[name]) for name in messages.arrays]
        sound = np.logical_and.reduce([np.isfinite(load) for load in loads])
        return {name: self._encode(messages, name, weights[name], sound) for name in self._params}

    def close(self) -> None:
        """Combine what was absorbed into new parameters; without any, nothing changes."""
        if self._absorbed == 0:
            return
        new = dict(self._params)
        for name, (units, rows) in self._sums.items():
            old = self._params[name]
            sums = Sums(units / _UNIT, rows, self._weight[name])
            table = self._combine(name, _two_axes(old.numpy()), sums)
            new[name] = torch.from_numpy(table.astype(np.float32).reshape(old.shape))
        self._params = new
        self._version += 1
        self._reset()

    def take_over(self, params: Params) -> None:
        """Have the parameters be *params*, which others have made: a new version."""
        self._params = {name: value.detach().clone() for name, value in params.items()}
        self._version += 1
        self._reset()

    def _reset(self) -> None:
        self._weight, self._absorbed = dict.fromkeys(self._params, 0.0), 0
        self._filled = dict.fromkeys(self._params, 0.0)
        self._sums: dict[str, tuple[IntArray, FloatArray]] = {}

    def _parts(self, messages: Messages, name: str) -> tuple[Array, IntArray, IntArray]:
        """Return values (rows, numbers), row ids (empty: all in order) and offsets."""
        values, m = messages.arrays[name], len(messages)
        if name not in messages.offsets and m != 1:
            raise ValueError(f"{m} messages share one array {name!r}: an upload belongs to a phone")
        whole = np.array([0, len(values)])
        rows = messages.rows.get(name, np.empty(0, np.int64))
        offsets = messages.offsets.get(name, whole)
        shape = self._params[name].shape
        if values.shape[1:] != shape[1:]:
            raise ValueError(f"rows of {name!r} have shape {tuple(shape[1:])}, not {values.shape}")
        return np.ascontiguousarray(_two_axes(values), np.float32), rows, offsets

    def _weights(self, messages: Messages) -> tuple[dict[str, FloatArray], FloatArray]:
        """Return the weights of messages by array, and the part of them that is left by age."""
        if messages.kind not in _SIGNS or not messages.arrays.keys() <= self._params.keys():
            raise ValueError(f"cannot fold {list(messages.arrays)} of kind {messages.kind!r}")
        age = self._version - messages.base
        factor = np.where(age >= 0, self._staleness(np.maximum(age, 0)), 0.0)
        every = {weigh: _rounded(weigh(messages) * factor) for weigh in self._weigh.values()}
        return {name: every[weigh] for name, weigh in self._weigh.items()}, factor

    def _loads(
        self, messages: Messages, name: str, weight: FloatArray, bound: float = _SMALL
    ) -> FloatArray:
        """Return how much of a sum each message may fill; infinity: of what is no sane number.

        Numbers within *bound* count as that.
        """
        values, _, offsets = self._parts(messages, name)
        peaks = np.empty(len(messages))
        for_chunks(
            lambda low, high: find_peaks(low, high, values, offsets, bound, peaks),
            len(messages),
            self._threads,
        )
        if messages.kind == "parameters":
            peaks += float(np.abs(self._params[name].numpy()).max(initial=0.0))
        if self._by_extent:
            peaks *= peaks * values.shape[1]
        return np.asarray(peaks * np.where(np.isfinite(weight), np.maximum(weight, 1.0), np.inf))

    def _encode(
        self, messages: Messages, name: str, weight: FloatArray, sound: BoolArray
    ) -> IntArray:
        table = _two_axes(self._params[name].numpy())
        out = np.zeros((len(messages), len(table) + 1, table.shape[1] + 1), np.int64)
        out[:, -1, -1] = np.where(sound, np.rint(weight * _WEIGHT_UNIT), 0)
        if name in messages.arrays:
            values, rows, offsets = self._parts(messages, name)
            start = table if messages.kind == "parameters" else np.empty((0, 0), np.float32)
            scale = np.where(sound, weight, 0.0) * _SIGNS[messages.kind] * _UNIT
            args = (values, rows, offsets, sound, scale, start, out)
            for_chunks(lambda low, high: encode(low, high, *args), len(messages), self._threads)
        return out

    @staticmethod
    def _leave_out_what_is_too_much(taken: BoolArray, load: FloatArray, filled: float) -> None:
        if filled + load[taken].sum() <= _FULL:
            return
        for k in np.flatnonzero(taken).tolist():  # rare
            taken[k] = filled + load[k] <= _FULL
            filled += load[k] if taken[k] else 0.0

    def _absorb_units(self, messages: Messages) -> BoolArray:
        """Add the sums in *messages*, one a message, if there is room for all of them."""
        loads = {
            name: float(np.abs(values.astype(np.float64)).max(initial=0.0)) / _UNIT * len(messages)
            for name, values in messages.arrays.items()
        }
        if any(self._filled[name] + load > _FULL for name, load in loads.items()):
            return np.zeros(len(messages), np.bool_)
        for name, values in messages.arrays.items():
            table = _two_axes(self._params[name].numpy())
            units, row_weight = self._sum_of(name)
            whole = values.reshape(len(messages), len(table) + 1, table.shape[1] + 1).sum(axis=0)
            units += whole[:-1, :-1]
            row_weight += whole[:-1, -1] / _WEIGHT_UNIT
            self._weight[name] += float(whole[-1, -1]) / _WEIGHT_UNIT
            self._filled[name] += loads[name]
        self._absorbed += len(messages)
        return np.ones(len(messages), np.bool_)

    def _sum_of(self, name: str) -> tuple[IntArray, FloatArray]:
        if name not in self._sums:
            table = _two_axes(self._params[name].numpy())
            self._sums[name] = np.zeros(table.shape, np.int64), np.zeros(len(table))
        return self._sums[name]

    def _add(self, messages: Messages, name: str, weight: FloatArray, taken: BoolArray) -> None:
        table = _two_axes(self._params[name].numpy())
        units, row_weight = self._sum_of(name)
        values, rows, offsets = self._parts(messages, name)
        start = table if messages.kind == "parameters" else np.empty((0, 0), np.float32)
        scale, extent = weight * _SIGNS[messages.kind] * _UNIT, np.empty(0)
        if self._by_extent:
            if start.size:
                raise ValueError("extents are of changes, not of parameters")
            size = np.where(np.isfinite(values), np.abs(values), 0).sum(axis=1, dtype=np.float64)
            extent = np.rint(size * _EXTENT_UNIT) / _EXTENT_UNIT

        def work(low: int, high: int) -> None:
            args = (values, rows, offsets, taken, weight, scale, extent, start, units, row_weight)
            fold(low, high, *args)

        for_chunks(work, len(table), self._threads, per_thread=1)


def row_average(params: Params, step: float = 2.0, *, staleness: Staleness | None = None) -> Fold:
    """Average the change of each row over the messages that hold it; move by *step* times that.

    Perifanis and Efraimidis, Federated Neural Collaborative Filtering (2022), with a server step:
    rows that few clients touch move as far as those that many touch.
    """
    return Fold(params, _row_mean(step), weigh=equally, staleness=staleness or within(0))


def extent_average(
    params: Params, step: float = 1.0, *, staleness: Staleness | None = None
) -> Fold:
    """Average the change of each row, weighted by how far each message moves it; *step* times that.

    The ActvAGG of Muhammad et al., FedFast (KDD 2020): of the messages that hold a row, those
    count most that changed it most, by the sum of the magnitudes of the change.
    """
    combine, late = _row_mean(step, 1 / _EXTENT_UNIT), staleness or within(0)
    return Fold(params, combine, weigh=equally, staleness=late, by_extent=True)


def mf_fed_avg(
    params: Params,
    tables: Collection[str],
    row_step: float = 2.0,
    step: float = 4.0,
    *,
    staleness: Staleness | None = None,
) -> Fold:
    """Average *tables* as ``row_average`` does and everything else as ``fed_avg`` does.

    The MF-FedAvg of Perifanis and Efraimidis, with server steps: *row_step* for the rows of
    *tables*, *step* for the rest, such as the weights of a network; theirs are 1.
    """
    rows, rest = _row_mean(row_step), _mean(step)

    def combine(name: str, table: Array, sums: Sums) -> Array:
        return (rows if name in tables else rest)(name, table, sums)

    weigh = {name: equally if name in tables else by_items for name in params}
    return Fold(params, combine, weigh=weigh, staleness=staleness or within(0))


def fed_avg(params: Params, step: float = 1.0, *, staleness: Staleness | None = None) -> Fold:
    """Average over all messages, weighted by their numbers of local items (McMahan et al. 2017).

    A row that a message does not hold counts as unchanged.
    """
    return Fold(params, _mean(step), weigh=by_items, staleness=staleness or within(0))


def plain_average(params: Params, step: float = 1.0, *, staleness: Staleness | None = None) -> Fold:
    """Average over all messages, each with the same weight."""
    return Fold(params, _mean(step), weigh=equally, staleness=staleness or within(0))


def gradient_descent(params: Params, step: float, *, staleness: Staleness | None = None) -> Fold:
    """Move by *step* times the sum of all changes: of gradients, one step of gradient descent."""

    def combine(name: str, table: Array, sums: Sums) -> Array:
        return table + step * sums.change

    return Fold(params, combine, weigh=equally, staleness=staleness or within(0))


def equally(messages: Messages) -> FloatArray:
    """Return 1 for each message."""
    return np.ones(len(messages))


def by_items(messages: Messages) -> FloatArray:
    """Return the weight that each message states: its number of local items."""
    return messages.weight


def _row_mean(step: float, least: float = 1 / _WEIGHT_UNIT) -> Combine:
    def combine(name: str, table: Array, sums: Sums) -> Array:
        mean = sums.change / np.maximum(sums.row_weight, least)[:, None]
        return table + step * mean

    return combine


def _mean(step: float) -> Combine:
    def combine(name: str, table: Array, sums: Sums) -> Array:
        return table + step / max(sums.weight, 1 / _WEIGHT_UNIT) * sums.change

    return combine


def _rounded(weight: FloatArray) -> FloatArray:
    return np.rint(weight * _WEIGHT_UNIT) / _WEIGHT_UNIT


def _two_axes(array: Array) -> Array:
    return array.reshape(len(array), int(np.prod(array.shape[1:])))
