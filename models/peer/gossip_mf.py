"""Gossip learning of matrix factorisation: each phone has an item table, merges and trains it.

Hegedus, Danner, Jelasity: Decentralized Recommendation Based on Matrix Factorization (ECML PKDD
workshops 2019): the user vector stays, the item table travels, a received table is averaged with
one's own by age and then trained on local data (merge, then update).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

import numpy as np
import torch
from pydantic import Field

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.evaluation.evaluator import OwnTablesScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.learning import (
    Cost,
    ItemRecommender,
    Parameter,
    Params,
    check_private,
    shared_parameters,
)
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import PeerLearning, Snapshot
from droidloop.models.local.cohort import Engine, compiled_mf
from droidloop.models.local.local_training import LocalTraining
from droidloop.models.local.sgd import Sgd
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.float_rows import every_vector
from droidloop.platform.arrays import Array, Float32Array, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, Positive
from droidloop.platform.workers import for_chunks

from .gossip_engines import (
    Received,
    Updates,
    chance_row,
    learn_in_numba,
    learn_in_torch,
    row_age_of,
    trained_parameters,
)
from .gossip_kernels import copy_some_rows, copy_tables
from .group_by_taste import TasteGrouping


def gossip_store(
    recommender: ItemRecommender, draws: Draws, n_phones: int, *, by_row: bool = False
) -> PrivateStore:
    """Return what phones know at first: a user vector each, and all the same shared parameters.

    See ``store_from``.
    """
    [own] = recommender.private

    def users(phones: IntArray) -> Array:
        return recommender.init_private(draws, phones)[own].numpy()

    return store_from(recommender, recommender.init(draws), users, n_phones, by_row=by_row)


def store_from(
    recommender: ItemRecommender,
    shared: Params,
    users: Callable[[IntArray], Array],
    n_phones: int,
    *,
    by_row: bool = False,
) -> PrivateStore:
    """Return a store in which every phone begins with *shared* and its row of *users*.

    Columns: the private parameter and the shared ones under their names; ``age``, the updates that
    the model has seen; ``diverged``, the times that its own training ran away and was taken back;
    with *by_row* also, for each parameter that is read by row, how often each row was trained
    (float32, see ``row_age_of``), and phones merge row by row.
    """
    [own] = recommender.private

    def fill(phones: IntArray) -> dict[str, Array]:
        m, columns = len(phones), {own: users(phones)}
        for name, parameter in shared_parameters(recommender).items():
            first = shared[name].numpy()
            columns[name] = np.broadcast_to(first, (m, *first.shape))
            if by_row and parameter.by_row:
                ages = np.zeros((m, len(first)), np.float32)
                columns[row_age_of(name, recommender.items)] = ages
        return columns | {name: np.zeros(m, np.int64) for name in ("age", "diverged")}

    return PrivateStore(n_phones, fill)


@dataclass(frozen=True)
class GossipMF:
    """Peer rule of gossip learning; the store is that of ``gossip_store``.

    The average is weighted by age and sums to one: a merge of equal tables changes nothing. The
    age of a merged table is that of the older one, and each update adds one. With a store of row
    ages each row has its own: what a neighbour alone has trained is taken, as in averaging row by
    row on a server (Perifanis and Efraimidis 2022), and what nobody has trained stays.

    Attributes:
        recommender: any one of a table of items; gives the loss and the regulariser.
        sgd: steps, epochs and batch of the update after each merge.
        negatives: items drawn for each local item, anew for every update.
        exclude: by phone, the items never drawn as negatives; None: the local data.
        updates: train ``each`` time that a table was merged, or ``once`` after all of a turn.
        share_of_rows: how much of the table a message holds, rows drawn anew for each (Hegedus et
            al., Decentralized learning works, JPDC 2021: subsampling); 1 sends all of it. What is
            not read by row is always sent whole.
        own_weight: how many times the ages of a phone's own tables and rows count in its merges.
        engine: ``numba``, the compiled kernel for MF on vectors that are rows, or ``torch``.
        threads: of the kernel; None: one a processor. The result does not depend on it.
    """

    recommender: ItemRecommender
    sgd: Sgd = field(default_factory=Sgd)
    negatives: int = 4
    exclude: UserItems | None = None
    updates: Literal["each", "once"] = "each"
    share_of_rows: float = 1.0
    own_weight: float = 1.0
    engine: Engine = "numba"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.engine not in get_args(Engine):
            raise ValueError(f"{self.engine!r} is none of {', '.join(get_args(Engine))}")
        if self.negatives < int(self.recommender.needs_negatives):
            raise ValueError(f"{self.negatives} negatives teach nothing to {self.recommender!r}")
        if not 0.0 < self.share_of_rows <= 1.0:
            raise ValueError(f"share_of_rows must lie in (0, 1], not {self.share_of_rows}")
        if self.own_weight <= 0.0:
            raise ValueError(f"own_weight must be above 0, not {self.own_weight}")

    def form(self, store: PrivateStore) -> Form:
        """Return the form of item tables, or of rows of them; with ages, where *store* has them."""
        arrays = {}
        for name, parameter in trained_parameters(self.recommender).items():
            some = self._rows_sent(parameter) < parameter.shape[0]
            age = row_age_of(name, self.recommender.items)
            arrays[name] = ArrayForm(parameter.shape, numbered=some, needed=True)
            if age in store.columns:
                rows = (parameter.shape[0],)
                arrays[age] = ArrayForm(rows, numbered=False, low=0.0, like=name, needed=True)
        return Form(frozenset({"parameters"}), arrays)

    def share(self, phones: IntArray, store: PrivateStore, round_: int, draws: Draws) -> Messages:
        """Return snapshots of the shared parameters of *phones*, in any order, with their ages.

        Whoever sorts the senders by receiver before asking saves a copy of all tables.
        """
        store.ensure(phones)
        m, items = len(phones), self.recommender.items
        arrays: dict[str, Array] = {}
        rows: dict[str, IntArray] = {}
        offsets: dict[str, IntArray] = {}
        for name, parameter in trained_parameters(self.recommender).items():
            each, age = self._rows_sent(parameter), row_age_of(name, items)
            purpose = f"rows/{round_}{name.removeprefix(items.name)}"
            key = np.uint64(draws.child(purpose).key)
            arrays[name], picked = self._snapshot(store.columns[name], phones, each, key)
            offsets[name] = np.arange(m + 1) * each
            if each < parameter.shape[0]:
                rows[name] = picked
            if age in store.columns:
                ages = store.columns[age][phones]
                if name in rows:
                    ages = np.take_along_axis(ages, picked.reshape(m, each), axis=1)
                arrays[age] = np.ascontiguousarray(ages).reshape(-1)
                offsets[age] = offsets[name]
        messages = Messages(
            kind="parameters",
            sender=phones,
            receiver=np.full(m, SERVER, np.int64),
            arrays=arrays,
            weight=np.ones(m),
            base=store.columns["age"][phones],
            rows=rows,
            offsets=offsets,
        )
        return check_private(messages, self.recommender)

    def learn(
        self,
        phones: IntArray,
        inbox: Messages | None,
        store: PrivateStore,
        data: UserItems,
        round_: int,
        draws: Draws,
    ) -> None:
        """Merge the messages in order of arrival, and train; train once without any.

        What is not of the rule's ``form`` is refused before. A phone whose own numbers run away
        keeps what it had, and is counted.

        Raises:
            ValueError: *data* is not one row a phone, items are unknown, or the inbox is not
                addressed to *phones* in order or holds other tables.
        """
        self._check(phones, data)
        store.ensure(phones)
        received = Received.of(phones, inbox, self.recommender, self.updates == "once")
        negatives, offsets = self._negatives(phones, received, data, round_, draws)
        work = Updates(
            *(self.recommender, self.sgd, phones, received, data, negatives, offsets),
            *(draws, round_, self.own_weight),
        )
        if self.engine == "numba" and compiled_mf(self.recommender):
            learn_in_numba(work, store, self.recommender, self.threads)
        else:
            learn_in_torch(work, store)

    def cost(self, phones: IntArray, merged: IntArray, data: UserItems) -> Cost:
        """Return what ``learn`` takes: merges, and an update after each, of the memory of one.

        A merge is 3 flops for each number that arrives, which is read with one's own and written:
        12 bytes. Working copy and message lie in memory with the table.
        """
        parameters = trained_parameters(self.recommender).values()
        numbers = sum(math.prod(one.shape) for one in parameters)
        sent = sum(self._rows_sent(one) * one.row_numbers for one in parameters)
        pairs = data.counts * (1 + self.negatives)
        updates = np.maximum(merged, 1) if self.updates == "each" else 1
        trained = self.recommender.cost(pairs * self.sgd.epochs * updates)
        one = self.recommender.cost(pairs)
        return Cost(
            trained.flops + 3 * sent * merged,
            trained.moved_bytes + 12 * sent * merged + 16 * numbers,
            one.ram_bytes + 4 * numbers + 4 * sent * merged,
            self.sgd.operators(data.counts, self.negatives) * updates,
        )

    def _rows_sent(self, parameter: Parameter) -> int:
        """Return how many rows of *parameter* a message holds."""
        n = parameter.shape[0]
        return max(1, round(self.share_of_rows * n)) if parameter.by_row else n

    def _snapshot(
        self, column: Float32Array, phones: IntArray, each: int, key: np.uint64
    ) -> tuple[Float32Array, IntArray]:
        """Return *each* rows of the parameter of each of *phones*, and their numbers if not all."""
        m, n = len(phones), column.shape[1]
        flat = column.reshape(*column.shape[:2], math.prod(column.shape[2:]))
        out = np.empty((m * each, flat.shape[2]), np.float32)
        rows = np.empty(m * each if each < n else 0, np.int64)

        def work(low: int, high: int) -> None:
            if each == n:
                copy_tables(low, high, phones, flat, out)
            else:
                copy_some_rows(low, high, phones, flat, each, key, rows, out)

        for_chunks(work, m, self.threads)
        return out.reshape(m * each, *column.shape[2:]), rows

    def _check(self, phones: IntArray, data: UserItems) -> None:
        if data.n_users != len(phones):
            raise ValueError(f"{data.n_users} rows of data for {len(phones)} phones")
        if data.items.min(initial=0) < 0 or data.items.max(initial=0) >= self.recommender.n_items:
            raise ValueError(f"data holds items outside 0..{self.recommender.n_items - 1}")

    def _negatives(
        self, phones: IntArray, received: Received, data: UserItems, round_: int, draws: Draws
    ) -> tuple[Int32Array, IntArray]:
        """Return negatives for each pass over each phone's examples, and where passes begin."""
        if self.negatives == 0:
            return np.empty((0, 0), np.int32), np.zeros(received.passes[-1] + 1, np.int64)
        every = np.repeat(np.arange(len(phones)), np.diff(received.passes))
        turn = np.arange(len(every)) - received.passes[every]
        offsets = np.zeros(len(every) + 1, np.int64)
        np.cumsum(data.counts[every], out=offsets[1:])
        exclude = data if self.exclude is None else self.exclude.take(phones)
        drawn = draw_negatives(
            data.take(every),
            self.negatives,
            self.recommender.n_items,
            exclude.take(every),
            phones=chance_row(phones[every], turn),
            draws=draws,
            counter=round_,
            threads=self.threads,
        )
        return drawn, offsets


class GossipMFSection(LocalTraining):
    """Matrix factorisation of which every phone holds all, and which phones average."""

    learning_rate: Positive = 0.1
    """Of plain SGD on the sum of the losses of a batch; 0.3 where nobody has an item twice."""
    negatives: Count = 1
    """Few: what one phone's negatives do to rows that it knows nothing of, averages carry on."""
    by_row: bool = True
    """Whether rows are averaged by how often each was trained, or tables by their ages."""
    share_of_rows: Annotated[float, Field(ge=1e-6, le=1.0)] = 1.0
    """How much of its table a phone sends, rows drawn anew each time."""
    own_weight: Positive = 1.0
    """How many times the age of a phone's own rows counts beside a neighbour's in an average."""


def build(section: GossipMFSection, recommender: MF, task: TaskData) -> PeerLearning:
    """Return phones that start from one table and average theirs with their neighbours'."""
    first, n = task.draws.child("init"), task.split.n_users
    store = gossip_store(recommender, first, n, by_row=section.by_row)
    peer = GossipMF(
        *(recommender, section.sgd, section.negatives, task.exclude),
        updates="once",
        share_of_rows=section.share_of_rows,
        own_weight=section.own_weight,
    )
    return PeerLearning(
        recommender=recommender,
        store=store,
        data=task.split.train,
        draws=task.draws.child("training"),
        snapshot=lambda: Snapshot({"trained": own_tables(recommender, store)}),
        peer=peer,
        grouping=TasteGrouping(recommender.items.name, task.split.train, recommender.items),
        steps=peer,
    )


def own_tables(recommender: MF, store: PrivateStore) -> OwnTablesScorer:
    """Return every phone's own model, as it is now."""
    columns, items = store.gather(np.arange(len(store))), recommender.items
    params = {name: torch.from_numpy(columns[name]) for name in items.parameters}
    return OwnTablesScorer(columns["user"], every_vector(items, params))


METHOD = Method(
    kind="rule",
    name="gossip-mf",
    section=GossipMFSection,
    build=build,
    source="Hegedus, Danner, Jelasity: Decentralized Recommendation Based on MF (2019)",
    gives=frozenset({"peers", "own-table", "grouping", "device-step"}),
    needs={"recommender": frozenset({"mf"}), "protocol": frozenset({"peers"})},
)
