"""Gossip learning of matrix factorisation: each phone has an item table, merges and trains it.

Hegedus, Danner, Jelasity: Decentralized Recommendation Based on Matrix Factorization (ECML PKDD
workshops 2019): the user vector stays, the item table travels, a received table is averaged with
one's own by age and then trained on local data (merge, then update).
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.evaluation.evaluator import OwnTablesScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.learning import Cost, check_private
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import PeerLearning, Snapshot
from droidloop.models.local.local_training import LocalTraining
from droidloop.models.local.mf_sgd import Sgd
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.arrays import Array, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method
from droidloop.platform.workers import for_chunks

from .gossip_engines import ROW_AGE, Received, Updates, chance_row, learn_in_numba, learn_in_torch
from .gossip_kernels import copy_some_rows, copy_tables
from .group_by_taste import Tastes

Engine = Literal["numba", "torch"]


def gossip_store(
    recommender: MF, draws: Draws, n_phones: int, *, by_row: bool = False
) -> PrivateStore:
    """Return what phones know at first: a user vector each, and all the same item table.

    Columns: ``user`` and the item table under its name; ``age``, the updates that the table has
    seen; ``refused``, the broken tables that the phone was sent; ``diverged``, the times that its
    own training ran away and was taken back; with *by_row* also ``row_age``, how often each row
    was trained (float32), and phones merge row by row.
    """
    [name] = recommender.tables
    first = recommender.init(draws)[name].numpy()

    def fill(phones: IntArray) -> dict[str, Array]:
        m = len(phones)
        return {
            "user": recommender.init_private(draws, phones)["user"].numpy(),
            name: np.broadcast_to(first, (m, *first.shape)),
            "age": np.zeros(m, np.int64),
            "refused": np.zeros(m, np.int64),
            "diverged": np.zeros(m, np.int64),
            **({ROW_AGE: np.zeros((m, recommender.n_items), np.float32)} if by_row else {}),
        }

    return PrivateStore(n_phones, fill)


@dataclass(frozen=True)
class GossipMF:
    """Peer rule of gossip learning; the store is that of ``gossip_store``.

    The average is weighted by age and sums to one: a merge of equal tables changes nothing. The
    age of a merged table is that of the older one, and each update adds one. With a store of row
    ages each row has its own: what a neighbour alone has trained is taken, as in averaging row by
    row on a server (Perifanis and Efraimidis 2022), and what nobody has trained stays.

    Attributes:
        recommender: MF on a dense table; gives the loss and the regulariser.
        sgd: steps, epochs and batch of the update after each merge.
        negatives: items drawn for each local item, anew for every update.
        exclude: by phone, the items never drawn as negatives; None: the local data.
        updates: train ``each`` time that a table was merged, or ``once`` after all of a turn.
        share_of_rows: how much of the table a message holds, rows drawn anew for each (Hegedus et
            al., Decentralized learning works, JPDC 2021: subsampling); 1 sends all of it.
        engine: ``numba``, or ``torch`` which is slower and gives the same to float32 rounding.
        threads: of the numba engine; None: one a processor. The result does not depend on it.
    """

    recommender: MF
    sgd: Sgd = field(default_factory=Sgd)
    negatives: int = 4
    exclude: UserItems | None = None
    updates: Literal["each", "once"] = "each"
    share_of_rows: float = 1.0
    engine: Engine = "numba"
    threads: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.recommender.items, DenseTable):
            raise TypeError(f"gossip trains a dense table, not {self.recommender.items!r}")
        if self.engine not in get_args(Engine):
            raise ValueError(f"{self.engine!r} is none of {', '.join(get_args(Engine))}")
        if self.negatives < 0 or (self.negatives == 0 and self.recommender.loss_name != "squared"):
            loss = self.recommender.loss_name
            raise ValueError(f"{self.negatives} negatives teach nothing with the loss {loss!r}")
        if not 0.0 < self.share_of_rows <= 1.0:
            raise ValueError(f"share_of_rows must lie in (0, 1], not {self.share_of_rows}")

    def form(self, store: PrivateStore) -> Form:
        """Return the form of item tables, or of rows of them; with ages, where *store* has them."""
        [name], n = self.recommender.tables, self.recommender.n_items
        some = self._rows_sent < n
        table = ArrayForm((n, self.recommender.dim), numbered=some, needed=True)
        age = ArrayForm((n,), numbered=False, low=0.0, like=name, needed=True)
        arrays = {name: table, ROW_AGE: age} if ROW_AGE in store.columns else {name: table}
        return Form(frozenset({"parameters"}), arrays)

    @property
    def _rows_sent(self) -> int:
        return max(1, round(self.share_of_rows * self.recommender.n_items))

    def share(self, phones: IntArray, store: PrivateStore, round_: int, draws: Draws) -> Messages:
        """Return snapshots of the item tables of *phones*, in any order, with their ages.

        Whoever sorts the senders by receiver before asking saves a copy of all tables.
        """
        store.ensure(phones)
        [name] = self.recommender.tables
        n, column, m = self.recommender.n_items, store.columns[name], len(phones)
        each = self._rows_sent
        out = np.empty((m * each, self.recommender.dim), np.float32)
        rows = np.empty(m * each if each < n else 0, np.int64)
        key = np.uint64(draws.child(f"rows/{round_}").key)

        def work(low: int, high: int) -> None:
            if each == n:
                copy_tables(low, high, phones, column, out)
            else:
                copy_some_rows(low, high, phones, column, each, key, rows, out)

        for_chunks(work, m, self.threads)
        arrays: dict[str, Array] = {name: out}
        offsets = np.arange(m + 1) * each
        if ROW_AGE in store.columns:
            ages = store.columns[ROW_AGE][phones]
            picked = rows.reshape(m, each) if each < n else None
            ages = ages if picked is None else np.take_along_axis(ages, picked, axis=1)
            arrays[ROW_AGE] = np.ascontiguousarray(ages).reshape(-1)
        messages = Messages(
            kind="parameters",
            sender=phones,
            receiver=np.full(m, SERVER, np.int64),
            arrays=arrays,
            weight=np.ones(m),
            base=store.columns["age"][phones],
            rows={name: rows} if each < n else {},
            offsets=dict.fromkeys(arrays, offsets),
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

        A table with NaN, infinity, numbers beyond 2^20 or rows that do not exist is refused and
        counted. A phone whose own numbers run away keeps what it had, and is counted.

        Raises:
            ValueError: *data* is not one row a phone, items are unknown, or the inbox is not
                addressed to *phones* in order or holds other tables.
        """
        self._check(phones, data)
        store.ensure(phones)
        received = Received.of(phones, inbox, self.recommender, self.updates == "once")
        negatives, offsets = self._negatives(phones, received, data, round_, draws)
        work = Updates(
            self.recommender, self.sgd, phones, received, data, negatives, offsets, draws, round_
        )
        if self.engine == "torch":
            learn_in_torch(work, store)
        else:
            learn_in_numba(work, store, self.threads)

    def cost(self, phones: IntArray, merged: IntArray, data: UserItems) -> Cost:
        """Return what ``learn`` takes: merges, and an update after each, of the memory of one.

        A merge is 3 flops for each number that arrives, which is read with one's own and written:
        12 bytes. Working copy and message lie in memory with the table.
        """
        numbers = self.recommender.n_items * self.recommender.dim
        sent = self._rows_sent * self.recommender.dim
        pairs = data.counts * (1 + self.negatives)
        updates = np.maximum(merged, 1) if self.updates == "each" else 1
        trained = self.recommender.cost(pairs * self.sgd.epochs * updates)
        one = self.recommender.cost(pairs)
        return Cost(
            trained.flops + 3 * sent * merged,
            trained.moved_bytes + 12 * sent * merged + 16 * numbers,
            one.ram_bytes + 4 * numbers + 4 * sent * merged,
        )

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

    learning_rate: PositiveFloat = 0.3
    """Of plain SGD on the sum of the losses of a batch."""
    negatives: PositiveInt = 1
    """Few: what one phone's negatives do to rows that it knows nothing of, averages carry on."""
    by_row: bool = True
    """Whether rows are averaged by how often each was trained, or tables by their ages."""
    share_of_rows: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """How much of its table a phone sends, rows drawn anew each time."""


def build(section: GossipMFSection, recommender: MF, task: TaskData) -> PeerLearning:
    """Return phones that start from one table and average theirs with their neighbours'."""
    first, n = task.draws.child("init"), task.split.n_users
    store = gossip_store(recommender, first, n, by_row=section.by_row)
    peer = GossipMF(
        *(recommender, section.sgd, section.negatives, task.exclude),
        updates="once",
        share_of_rows=section.share_of_rows,
    )
    return PeerLearning(
        recommender=recommender,
        store=store,
        data=task.split.train,
        draws=task.draws.child("training"),
        snapshot=lambda: Snapshot({"trained": own_tables(recommender, store)}),
        peer=peer,
        grouping=Tastes(recommender.items.name, task.split.train),
        steps=peer,
    )


def own_tables(recommender: MF, store: PrivateStore) -> OwnTablesScorer:
    """Return every phone's own model, as it is now."""
    columns = store.gather(np.arange(len(store)))
    return OwnTablesScorer(columns["user"], columns[recommender.items.name])


METHOD = Method(
    kind="rule",
    name="gossip-mf",
    section=GossipMFSection,
    build=build,
    source="Hegedus, Danner, Jelasity: Decentralized Recommendation Based on MF (2019)",
    gives=frozenset({"peers", "own-table", "grouping", "device-step"}),
    needs={"recommender": frozenset({"mf"}), "protocol": frozenset({"peers"})},
)
