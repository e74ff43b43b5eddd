"""SemiDFEGL: members of a group exchange embeddings and train LightGCN on linked ego graphs.

Qu et al., Semi-decentralized Federated Ego Graph Learning for Recommendation (WWW 2023). A server
groups phones and gives each group its item rows, some of which are *fake* neighbours of every
member: through them a phone's ego graph is linked with those of the others, whose items it never
learns. The grouping is in ``ego_groups.py``.
"""

from dataclasses import dataclass, field

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.evaluation.metrics import Scores
from droidloop.models.graphs.propagation import propagate
from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.learning import Cost, check_private
from droidloop.models.interfaces.peers import by_receiver
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.ego_sgd import train_on_ego_graphs
from droidloop.models.local.sgd import Examples, Sgd
from droidloop.models.numerics.bounds import LARGEST
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.float_rows import own_rows
from droidloop.platform.arrays import Array, Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages

from .ego_exchange import Exchange, merge_exchanged
from .ego_members import Members


def ego_store(rule: "SemiDFEGL", draws: Draws, n_phones: int) -> PrivateStore:
    """Return what phones know at first: a vector of their user, and no item row.

    Columns: ``user``; ``ego``, its vector after propagation, which is what others see; the group's
    item rows (``rows``, with their ids ``ids``, -1 before there is a group), ``fake`` ids and
    number ``group``; ``others``, the latest ego vectors heard from members, of which there have
    been ``heard``; ``age`` and ``diverged`` as in ``gossip_store``.
    """
    mf, kept = rule.recommender, rule.neighbours

    def fill(phones: IntArray) -> dict[str, Array]:
        m = len(phones)
        user = mf.init_private(draws, phones)["user"].numpy()
        return {
            "user": user,
            "ego": user * np.float32(1 / (rule.layers + 1)),
            "rows": np.zeros((m, rule.rows, mf.dim), np.float32),
            "ids": np.full((m, rule.rows), -1, np.int64),
            "fake": np.full((m, rule.fakes), -1, np.int64),
            "group": np.full(m, -1, np.int64),
            "others": np.zeros((m, kept, mf.dim), np.float32),
            **{name: np.zeros(m, np.int64) for name in ("heard", "age", "diverged")},
        }

    return PrivateStore(n_phones, fill)


@dataclass(frozen=True)
class SemiDFEGL:
    """Peer rule; the store is that of ``ego_store``. Phones without a group wait.

    Attributes:
        recommender: MF, dimensions, loss and regulariser, on a table in which every item has a row
            of its own: what members hold, send and average are rows under the numbers of items.
        rows: how many item rows a group has, the same for all groups.
        fakes: how many of these are neighbours of every member; 0 leaves ego graphs apart.
        neighbours: how many members' ego vectors a phone keeps, the latest.
        layers: of LightGCN.
        sgd: steps, epochs and batch of the training in each turn.
        negatives: items drawn for each local item, from the group's rows.
        exclude: by phone, the items never drawn as negatives; None: the local data.
        threads: of the kernels; None: one a processor. The result does not depend on it.
    """

    recommender: MF
    rows: int
    fakes: int = 10
    neighbours: int = 8
    layers: int = 2
    sgd: Sgd = field(default_factory=Sgd)
    negatives: int = 4
    exclude: UserItems | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if not own_rows(self.recommender.items):
            raise TypeError(f"groups hold one row an item, not {self.recommender.items!r}")
        if not 1 <= self.rows <= self.recommender.n_items:
            raise ValueError(f"rows must lie in 1..{self.recommender.n_items}, not {self.rows}")
        if not 0 <= self.fakes <= self.rows:
            raise ValueError(f"fakes must lie in 0..{self.rows}, the group's rows: {self.fakes}")
        if self.layers < 1 or self.negatives < 1 or self.neighbours < 1:
            raise ValueError(
                f"{self.layers} layers, {self.negatives} negatives and {self.neighbours} "
                "neighbours: each must be at least 1"
            )

    def form(self, store: PrivateStore) -> Form:
        """Return the form of an ego vector, a group and the rows that it holds."""
        n, dim = self.recommender.n_items, self.recommender.dim
        item = ArrayForm((n, dim), numbered=True, needed=True)
        group = ArrayForm((1,), "int64", numbered=False, low=-1.0, needed=True)
        return Form(frozenset({"embedding"}), {"item": item, "group": group}).with_row("ego", dim)

    def share(self, phones: IntArray, store: PrivateStore, round_: int, draws: Draws) -> Messages:
        """Return the ego vector and the item rows of *phones*, in any order, with their group.

        All members hold the same rows, so a message does not show which items are the sender's.
        """
        store.ensure(phones)
        columns, m = store.columns, len(phones)
        grouped = columns["group"][phones] >= 0
        offsets = np.zeros(m + 1, np.int64)
        np.cumsum(np.where(grouped, self.rows, 0), out=offsets[1:])
        has, one = phones[grouped], np.arange(m + 1)
        messages = Messages(
            kind="embedding",
            sender=phones,
            receiver=np.full(m, SERVER, np.int64),
            arrays={
                "ego": columns["ego"][phones],
                "item": columns["rows"][has].reshape(-1, self.recommender.dim),
                "group": columns["group"][phones],
            },
            weight=np.ones(m),
            base=columns["age"][phones],
            rows={"item": columns["ids"][has].reshape(-1)},
            offsets={"ego": one, "item": offsets, "group": one},
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
        """Average the rows of what arrived, remember the members' ego vectors, train once.

        Rows that a phone does not hold, and ego vectors from another group (or from the group of
        an earlier grouping), are left aside. What is not of the rule's ``form`` is refused before.
        A phone whose own numbers run away keeps what it had, and is counted.

        Raises:
            ValueError: *data* is not one row a phone, items are unknown, or the inbox is not
                addressed to *phones* in order or holds other arrays.
        """
        self._check(phones, data)
        if len(phones) == 0:
            return
        first, count = by_receiver(phones, inbox)
        mine = store.gather(phones)
        if inbox is not None:
            merge_exchanged(Exchange.of(inbox, self.recommender.dim), first, count, mine)
        members = Members(mine, self.recommender.n_items)
        local = members.local(data)
        exclude = local if self.exclude is None else members.local(self.exclude.take(phones))
        ego = members.graphs(local)
        drawn = draw_negatives(
            local,
            self.negatives,
            self.rows,
            exclude,
            phones=phones,
            draws=draws,
            counter=round_,
            threads=self.threads,
        )
        user = ego.users(mine["user"], members.known)
        item = mine["rows"].reshape(-1, self.recommender.dim)
        examples = Examples(phones, local, drawn, draws, round_)
        train_on_ego_graphs(
            *(ego, self.recommender, self.layers, user, item, examples, self.sgd, self.threads),
        )
        mine["user"], mine["rows"] = user[ego.own], item.reshape(mine["rows"].shape)
        mine["ego"] = propagate(ego.graph, user, item, self.layers, self.threads)[0][ego.own]
        mine["age"] += local.counts > 0
        self._keep(phones, mine, store)

    def cost(self, phones: IntArray, merged: IntArray, data: UserItems) -> Cost:
        """Return what ``learn`` takes, at most: as if the group had all items of a phone.

        Training as MF, and in each batch the propagation forward and back: in each layer and
        direction, of each edge 3 dim flops and a row of 4 dim bytes, of each row 3 dim flops and
        8 dim bytes more. A merge is 3 flops and 12 bytes for each number that arrives.
        """
        mf, pairs = self.recommender, data.counts * (1 + self.negatives)
        numbers = self.rows * mf.dim
        once, trained = mf.cost(pairs), mf.cost(pairs * self.sgd.epochs)
        batches = self.sgd.epochs * -(-data.counts // self.sgd.group(self.negatives))
        passes = 2 * self.layers * batches + self.layers
        nodes = self.rows + 1 + self.neighbours
        edges = 2 * (data.counts + self.fakes * (1 + self.neighbours))
        return Cost(
            flops=trained.flops + passes * 3 * (edges + nodes) * mf.dim + 3 * numbers * merged,
            moved_bytes=trained.moved_bytes
            + passes * 4 * (edges + 2 * nodes) * mf.dim
            + 12 * numbers * merged,
            ram_bytes=once.ram_bytes + 12 * nodes * mf.dim + 4 * edges + 4 * numbers * merged,
            operators=self.sgd.operators(data.counts, self.negatives),
        )

    def scores(self, columns: dict[str, Array], data: UserItems) -> Scores:
        """Return the scores of all items, (phones, n_items); -inf where a phone has no row.

        *columns* are rows of the store, *data* has the same phones.
        """
        members = Members(columns, self.recommender.n_items)
        ego = members.graphs(members.local(data))
        rows = columns["rows"].reshape(-1, self.recommender.dim)
        users = ego.users(columns["user"], members.known)
        user, item = propagate(ego.graph, users, rows, self.layers, self.threads)
        scores = (user[ego.own][:, None] * item.reshape(columns["rows"].shape)).sum(axis=2)
        out = np.full((len(members), self.recommender.n_items + 1), -np.inf, np.float32)
        np.put_along_axis(out, columns["ids"], scores, axis=1)  # -1 is the column cut off below
        return np.ascontiguousarray(out[:, :-1])

    def _check(self, phones: IntArray, data: UserItems) -> None:
        if data.n_users != len(phones):
            raise ValueError(f"{data.n_users} rows of data for {len(phones)} phones")
        if data.items.min(initial=0) < 0 or data.items.max(initial=0) >= self.recommender.n_items:
            raise ValueError(f"data holds items outside 0..{self.recommender.n_items - 1}")

    def _keep(self, phones: IntArray, mine: dict[str, Array], store: PrivateStore) -> None:
        """Write what is sound; count the phones whose numbers ran away."""
        good = np.ones(len(phones), np.bool_)
        for name in ("user", "ego", "rows"):
            flat: Float32Array = mine[name].reshape(len(phones), -1)
            good &= (np.abs(flat) <= LARGEST).all(axis=1)
        store.commit(phones[good], {name: values[good] for name, values in mine.items()})
        store.columns["diverged"][phones[~good]] += 1
