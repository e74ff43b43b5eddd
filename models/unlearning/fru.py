"""FRU: roll back to where the forgotten came in, and replay what the others did from there on.

Yuan et al., Federated Unlearning for On-Device Recommendation (WSDM 2023): phones log their
updates; to forget somebody, the model becomes what it was before that phone's first update, and the
others' updates since then are replayed, each with the length that it had and in the direction that
it has from the model as it is now. As only the length is replayed, only that is logged.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Cohort, Cost
from droidloop.models.learning.learning import FederatedLearning, Way
from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages, joined
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, Section
from droidloop.platform.state import Tree, copied

from .local_steps import TakesSteps, stepping, steps_of
from .unlearner import Unlearner
from .update_log import LENGTH_DTYPE, Records, UpdateLog

_NOT_YET = -1
_TINY = float(np.finfo(np.float32).tiny)


class FRUSection(Section):
    """Roll back to the entry of the forgotten; replay the others, length kept, direction new."""

    log_bytes: Count | None = None
    """The most that a phone's log of its own updates takes; no limit if not given."""
    epochs: Count = 1
    """Passes over the local data that find a direction."""
    every: Count = 1
    """Of the updates that a model was made of, the first of so many models is replayed, so many
    times as long."""
    unlogged: Literal["drop", "keep"] = "keep"
    """Rows whose length the log has not kept: left out of the replay, as in the paper, or as long
    as they are."""


@dataclass(frozen=True)
class Replays:
    """The client rule of a replay: the step of a turn, made as long as the log says, times *times*.

    All rows that the log knows have together the length that they had together. By the chance of
    that turn, so that the same items stand for those that were not chosen, and the
    same rows move.

    Attributes:
        client: finds the direction.
        rows: gives rows of messages their numbers in the log.
        lengths: of the updates that are replayed, by phone and row, sorted.
        undo: how far what is private moved in them, by phone, sorted.
        times: see above.
        unlogged: what becomes of rows whose length is not known.
    """

    client: TakesSteps
    rows: "Rows"
    lengths: Records
    undo: Records
    times: int
    unlogged: Literal["drop", "keep"]

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Take a step of the rule; what it sends and keeps is then made as long as it was."""
        assert inbox is not None  # a server sends one
        if data.n_users != len(cohort):
            raise ValueError(f"{data.n_users} rows of data for {len(cohort)} phones")
        before = {name: rows.copy() for name, rows in cohort.private.items()}
        sent = self._steps(cohort, inbox, data, draws)
        self._private(cohort, before)
        place, row, length = self.rows.of(sent)
        wanted, known = self._logged(cohort.phones[place], row)
        far, now = (
            np.sqrt(np.bincount(place, np.square(one) * known, len(sent)))
            for one in (wanted, length)
        )
        whole = np.where(now > _TINY, self.times * far / np.maximum(now, _TINY), 1.0)
        scale = np.where(known, whole[place], 1.0)
        return self.rows.scaled(sent, scale, known if self.unlogged == "drop" else None)

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return the cost of the step."""
        return self.client.cost(cohort, data)

    def _steps(self, cohort: Cohort, inbox: Messages, data: UserItems, draws: Draws) -> Messages:
        """Have each of *cohort* take the step of its turn; those of one turn together."""
        numbers, parts, order = numbers_of(cohort.phones, self.lengths, self.undo), [], []
        for number in np.unique(numbers).tolist():
            mine = np.flatnonzero(numbers == number)
            private = {name: rows[mine] for name, rows in cohort.private.items()}
            part = Cohort(cohort.phones[mine], number, private)
            parts.append(self.client.step(part, inbox.take(mine), data.take(mine), draws))
            for name, rows in private.items():
                cohort.private[name][mine] = rows
            order.append(mine)
        return (
            joined(parts).take(np.argsort(np.concatenate(order)))
            if parts
            else self.client.step(cohort, inbox, data, draws)
        )

    def _logged(self, phones: IntArray, rows: IntArray) -> tuple[FloatArray, "np.ndarray"]:
        """Return how far each row moved on its phone, and whether that is known."""
        if not len(self.lengths):
            return np.zeros(len(rows)), np.zeros(len(rows), np.bool_)
        width = self.rows.count
        keys = self.lengths["phone"].astype(np.int64) * width + self.lengths["row"]
        asked = phones.astype(np.int64) * width + rows
        at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        return self.lengths["length"][at].astype(np.float64), keys[at] == asked

    def _private(self, cohort: Cohort, before: dict[str, Array]) -> None:
        """Move what is private as far as it moved then; as the step does where that is unknown."""
        moved = _moved(before, cohort.private)
        if not len(self.undo):
            return
        at = np.minimum(np.searchsorted(self.undo["phone"], cohort.phones), len(self.undo) - 1)
        known = self.undo["phone"][at] == cohort.phones
        wanted = self.times * self.undo["length"][at] / np.maximum(moved, _TINY)
        scale = np.where(known & (moved > _TINY), wanted, 1.0).astype(np.float32)
        for name, rows in cohort.private.items():
            each = scale.reshape(-1, *[1] * (rows.ndim - 1))
            cohort.private[name][:] = before[name] + each * (rows - before[name])


class Rows:
    """Numbers for the rows of all arrays that are shared, one after the other."""

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        self._first, self.count = {}, 0
        for name in sorted(shapes):
            self._first[name] = self.count
            self.count += shapes[name][0]

    def of(self, messages: Messages) -> tuple[IntArray, IntArray, FloatArray]:
        """Return for each row of *messages* whose it is (its place), which, and how long."""
        places, rows, lengths = [], [], []
        for name in sorted(messages.arrays):
            values, offsets = messages.arrays[name], messages.offsets[name]
            place = np.repeat(np.arange(len(messages)), np.diff(offsets))
            own = messages.rows.get(name, np.arange(len(values)) - offsets[place])
            places.append(place)
            rows.append(self._first[name] + own)
            flat = _flat(values)
            lengths.append(np.sqrt(np.square(flat.astype(np.float64)).sum(axis=1)))
        return np.concatenate(places), np.concatenate(rows), np.concatenate(lengths)

    @staticmethod
    def scaled(messages: Messages, scale: FloatArray, kept: "np.ndarray | None") -> Messages:
        """Return *messages* with each row times its *scale*; those that are not *kept* are out.

        Where an array is sent whole, such rows are zero instead.
        """
        arrays, rows, offsets = (
            {**one} for one in (messages.arrays, messages.rows, messages.offsets)
        )
        start = 0
        for name in sorted(messages.arrays):
            values = messages.arrays[name]
            mine = slice(start, start + len(values))
            start += len(values)
            factor = scale[mine] if kept is None else scale[mine] * kept[mine]
            each = factor.astype(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
            arrays[name] = values * each
            if kept is not None and name in rows:
                arrays[name], rows[name] = arrays[name][kept[mine]], rows[name][kept[mine]]
                sums = np.concatenate([[0], np.cumsum(kept[mine])])
                offsets[name] = sums[offsets[name]].astype(np.int64)
        return replace(messages, arrays=arrays, rows=rows, offsets=offsets)


class FRU(Unlearner):
    """The way. The server keeps the model as it was before each update by a phone that was new.

    The log stands for those of the phones, each of which knows its own updates alone.
    """

    STATE = (
        *("_log", "_entered", "_last", "_models"),
        *("_lengths", "_undo", "_versions", "_turn", "_most"),
    )
    LOGS = True

    def __init__(self, learning: FederatedLearning, section: FRUSection) -> None:
        super().__init__(learning)
        client = steps_of(learning, "fru")
        self._section, self._server = section, learning.server
        self._steps = stepping(client, replace(client.sgd, epochs=section.epochs))
        self._rows = Rows({name: tuple(v.shape) for name, v in learning.server.params.items()})
        columns = learning.store.columns
        numbers = sum(math.prod(column.shape[1:]) for column in columns.values())
        self._log = UpdateLog(numbers, section.log_bytes)
        self._entered, self._last = np.full((2, len(learning.store)), _NOT_YET)
        self._models: dict[int, Tree] = {}
        self._lengths, self._undo = np.zeros(0, LENGTH_DTYPE), self._log.undo[:0]
        self._versions, self._turn, self._most = np.empty(0, np.int64), _NOT_YET, 0

    def asked(self, phones: IntArray) -> None:
        """Keep the model that is new to some of *phones*; see ``Unlearner``."""
        new = phones[self._entered[phones] == _NOT_YET]
        version = self._server.version
        if len(new) and version not in self._models:
            self._models[version] = copied(self._server.state())
        self._entered[new] = version

    def computed(self, cohort: Cohort, before: dict[str, Array], sent: Messages) -> None:
        """Log the updates; see ``Unlearner``."""
        self._last[cohort.phones] = sent.base
        flat = [_flat(rows) for _, rows in sorted(before.items())]
        private = np.concatenate([np.zeros((len(cohort), 0), np.float32), *flat], axis=1)
        moved = _moved(before, cohort.private)
        numbers = np.full(len(cohort), cohort.round)
        if self._turn >= 0:  # what is replayed is the update of its turn, and logged as that
            numbers = numbers_of(cohort.phones, *self._replayed(self._turn))
        self._log.add(cohort.phones, sent.base, numbers, self._rows.of(sent), private, moved)
        self._most = max(self._most, int(self._log.nbytes(len(self._entered)).max(initial=0)))

    def begin(self, phones: IntArray, learned: int) -> int:
        """Roll back, and find what is to be replayed; see ``Unlearner``."""
        entries = self._entered[phones]
        if (entries == _NOT_YET).all():
            return 0
        entry = int(entries[entries > _NOT_YET].min())
        self._log.drop(phones)
        lengths, undo = self._log.take_from(entry)
        self._lengths = lengths[np.lexsort((lengths["row"], lengths["phone"]))]
        self._undo = undo[np.lexsort((undo["version"], undo["phone"]))]
        self._versions = np.unique(lengths["version"])[:: self._section.every].astype(np.int64)
        self._undo_private(entry)
        self._server.restore(copied(self._models[entry]))
        self._models = {v: model for v, model in self._models.items() if v <= entry}
        late = self._entered >= entry
        self._entered[late], self._last[late] = _NOT_YET, _NOT_YET
        self.learning.took_part[late] = False
        return len(self._versions)

    def asks(self, turn: int) -> IntArray | None:
        """Return who made an update of that version; see ``Unlearner``."""
        mine = self._lengths["version"] == self._versions[turn]
        return np.unique(self._lengths["phone"][mine]).astype(np.int64)

    def way(self, turn: int) -> Way:
        """Return the replay of one version's updates; see ``Unlearner``."""
        self._turn, section = turn, self._section
        lengths, undo = self._replayed(turn)
        client = Replays(self._steps, self._rows, lengths, undo, section.every, section.unlogged)
        return Way(client, self._server, self.learning.draws)

    def _replayed(self, turn: int) -> tuple[Records, Records]:
        version = self._versions[turn]
        mine = self._lengths["version"] == version
        return self._lengths[mine], self._undo[self._undo["version"] == version]

    def end(self, phones: IntArray) -> None:
        """Keep nothing of *phones*, nor of what was replayed; see ``Unlearner``."""
        self._log.drop(phones)
        self._lengths, self._undo = self._lengths[:0], self._undo[:0]
        self._versions, self._turn = self._versions[:0], _NOT_YET
        self._entered[phones] = self._last[phones] = _NOT_YET

    def notes(self) -> dict[str, int]:
        """Return the largest log that any phone has had so far; see ``Unlearner``."""
        return {"log_bytes": self._most}

    def _undo_private(self, entry: int) -> None:
        """Have what is private be as it was before each phone's first update from *entry* on.

        By the first record that the log has kept; first values where it has none.
        """
        store = self.learning.store
        store.reset(np.flatnonzero(self._last >= entry))
        undo = self._undo[np.flatnonzero(np.diff(self._undo["phone"], prepend=-1))]
        undo = undo[self._entered[undo["phone"]] < entry]
        if not len(undo):
            return
        columns, start = {}, 0
        for name, column in sorted(store.columns.items()):
            end = start + math.prod(column.shape[1:])
            columns[name] = undo["private"][:, start:end].reshape(len(undo), *column.shape[1:])
            start = end
        store.commit(undo["phone"].astype(np.int64), columns)


def numbers_of(phones: IntArray, lengths: Records, undo: Records) -> IntArray:
    """Return the turn of the update of each of *phones* that the records, by phone, are of."""
    records = np.concatenate([part[["phone", "number"]] for part in (lengths, undo)])
    known, first = np.unique(records["phone"], return_index=True)
    if not len(known):
        return np.zeros(len(phones), np.int64)
    at = np.minimum(np.searchsorted(known, phones), len(known) - 1)
    return records["number"][first[at]].astype(np.int64)


def _flat(rows: Array) -> Array:
    """Return each row as one of numbers, also where there is none."""
    return rows.reshape(len(rows), math.prod(rows.shape[1:]))


def _moved(before: dict[str, Array], after: dict[str, Array]) -> FloatArray:
    """Return how far what is private has moved on each phone, all columns together."""
    squares = [
        np.square(_flat(after[name] - rows).astype(np.float64)).sum(axis=1)
        for name, rows in before.items()
    ]
    return np.sqrt(np.sum(squares, axis=0)) if squares else np.zeros(0)


METHOD = Method(
    kind="unlearning",
    name="fru",
    section=FRUSection,
    build=lambda section, learning: FRU(learning, section),
    source="Yuan et al.: Federated Unlearning for On-Device Recommendation (WSDM 2023)",
    needs={"protocol": frozenset({"unlearns", "server"}), "rule": frozenset({"sums"})},
)
