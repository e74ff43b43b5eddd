"""DCLR: phones average the models of like-minded neighbours, and agree with their answers.

Works here over phones alone and own visit counts in all places, and does not on first visits nor in
HR@10 over the strongest baseline (docs/references.md).
Long, Chen, Nguyen, Yin: Decentralized Collaborative Learning Framework for Next POI Recommendation
(ACM TOIS 2023). The server trains place vectors, groups phones once (``neighbours.py``) and leaves.
The paper's equations were not at hand: what it calls attentive aggregation is here a softmax over
how far a neighbour's model, tried on one's own visits, answers as one's own does, and its mutual
information is InfoNCE between one's own answers and those of the neighbours' average.
"""

from dataclasses import dataclass, field

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.learning import Cost, check_private
from droidloop.models.interfaces.peers import by_receiver
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import PeerLearning
from droidloop.models.recommenders.next_place import LocalSettings, NextPlace, turn_cost
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import NotNegative
from droidloop.platform.workers import for_chunks

from .dclr_kernels import Attention, Inbox, learn_from_models
from .place_learning import PlaceTraining, place_learning
from .place_phones import PlacePhones, state_of
from .place_turn import drill_of, tally_of, visits_of


@dataclass(frozen=True, eq=False)
class DCLR:
    """Peer rule; the store is that of ``PlacePhones.store``, all phones have one size.

    Attributes:
        phones: who they are and what they hold.
        practice: the local training of a turn.
        sharpness: of the attention over neighbours; 0 gives equal shares.
        weight: of the mutual information in the loss; 0 leaves it out.
        tau: its temperature.
        others: other visits that each is told apart from.
        probes: about how many of one's own visits a neighbour's model is tried on.
        threads: None: one a processor. The result does not depend on it.
    """

    phones: PlacePhones
    practice: LocalSettings = field(default_factory=LocalSettings)
    sharpness: float = 5.0
    weight: float = 0.1
    tau: float = 0.5
    others: int = 7
    probes: int = 8
    threads: int | None = None

    def __post_init__(self) -> None:
        if len(np.unique(self.phones.dims)) > 1:
            raise ValueError("models of several sizes cannot be averaged; see mac.MAC")
        if self.tau <= 0 or self.probes < 1:
            raise ValueError("tau must be positive, and a model is tried on one visit at least")

    @property
    def recommender(self) -> NextPlace:
        """The function that every phone computes."""
        return self.phones.recommender(0)

    def form(self, store: PrivateStore) -> Form:
        """Return the form of the vectors of some places and of the network beside them."""
        dim, size = store.columns["rows"].shape[2], store.columns["network"].shape[1]
        rows = ArrayForm((len(self.phones.places), dim), numbered=True, needed=True)
        network = ArrayForm((size,), numbered=False, needed=True)
        return Form(frozenset({"parameters"}), {"rows": rows, "network": network})

    def share(self, phones: IntArray, store: PrivateStore, round_: int, draws: Draws) -> Messages:
        """Return the rows of each phone's area and its network; see ``PeerRule``."""
        store.ensure(phones)
        m, area = len(phones), self.phones.known.areas[phones]
        held = area >= 0
        offsets = np.zeros(m + 1, np.int64)
        np.cumsum(held.sum(axis=1), out=offsets[1:])
        messages = Messages(
            kind="parameters",
            sender=phones,
            receiver=np.full(m, SERVER, np.int64),
            arrays={
                "rows": store.columns["rows"][phones][held],
                "network": store.columns["network"][phones].reshape(-1),
            },
            weight=np.ones(m),
            base=store.columns["age"][phones],
            rows={"rows": area[held]},
            offsets={
                "rows": offsets,
                "network": np.arange(m + 1) * store.columns["network"].shape[1],
            },
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
        """Average with what arrived, then train; see ``PeerRule``.

        Messages are of ``form``: whoever lets them in has looked. A phone whose own numbers run
        away keeps what it had, and is counted.

        Raises:
            ValueError: *data* is not one row a phone, places are unknown, or the inbox is not
                addressed to *phones* in order or holds other arrays.
        """
        visits = visits_of(phones, data, len(self.phones.places))
        store.ensure(phones)
        received = self._received(phones, inbox, store)
        state, tally, drill = state_of(store), tally_of(store), drill_of(self.practice)
        attention = Attention(self.probes, self.sharpness, self.weight, self.tau, self.others)
        key = np.uint64(draws.child(f"dclr/{round_}").key)

        def work(low: int, high: int) -> None:
            learn_from_models(
                low, high, phones, self.phones.known, state, tally,
                visits, received, drill, attention, key,
            )  # fmt: skip

        for_chunks(work, len(phones), self.threads)

    def cost(self, phones: IntArray, merged: IntArray, data: UserItems) -> Cost:
        """Return what ``learn`` takes: training, and for each message a merge and the probes."""
        known = self.phones.known
        dim, area = int(self.phones.dims[0]), (known.areas[phones] >= 0).sum(axis=1)
        numbers = area * (dim + 1) + self.phones.network_numbers
        examples = np.minimum(np.maximum(data.counts - 1, 0), self.practice.examples)
        trained = turn_cost(self.practice, dim, examples)
        tried = turn_cost(self.practice, dim, np.minimum(examples, self.probes))
        return Cost(
            trained.flops + merged * (3 * numbers + tried.flops // 3),
            trained.moved_bytes + merged * (16 * numbers + tried.moved_bytes // 3) + 12 * numbers,
            trained.ram_bytes + 4 * numbers * (3 + merged),
        )

    def _received(self, phones: IntArray, inbox: Messages | None, store: PrivateStore) -> Inbox:
        first, count = by_receiver(phones, inbox)
        wide = store.columns["network"].shape[1]
        deep = store.columns["rows"].shape[2]
        if inbox is None:
            none = np.empty(0, np.int64)
            empty: Array = np.empty((0, deep), np.float32)
            networks: Array = np.empty((0, wide), np.float32)
            return Inbox(first, count, none, empty, np.zeros(1, np.int64), networks)
        rows, network = inbox.arrays.get("rows"), inbox.arrays.get("network")
        if rows is None or network is None or rows.shape[1:] != (deep,):
            shapes = {name: array.shape for name, array in inbox.arrays.items()}
            raise ValueError(f"DCLR needs rows of {deep} numbers and a network, not {shapes}")
        if len(network) != len(inbox) * wide or "rows" not in inbox.offsets:
            raise ValueError(f"a network of {wide} numbers a message is needed, and its own rows")
        return Inbox(
            first, count, inbox.rows["rows"], np.ascontiguousarray(rows, np.float32),
            inbox.offsets["rows"], np.ascontiguousarray(network, np.float32).reshape(-1, wide),
        )  # fmt: skip


class DCLRSection(PlaceTraining):
    """Phones average the models of phones like them, and agree with their answers."""

    sharpness: NotNegative = 5.0
    """Of the attention over neighbours; 0 gives equal shares."""
    information: NotNegative = 0.1
    """The weight of the mutual information with the neighbours."""


def build(section: DCLRSection, recommender: NextPlace, task: TaskData) -> PeerLearning:
    """Return phones with models of one size that average those of their neighbours."""
    dims = np.full(task.split.n_users, recommender.dim, np.int64)
    phones = section.phones(recommender, task, dims)
    rule = DCLR(phones, section.practice, sharpness=section.sharpness, weight=section.information)
    return place_learning(task, rule, phones)


METHOD = Method(
    kind="rule",
    name="dclr",
    section=DCLRSection,
    build=build,
    source="Long et al.: Decentralized Collaborative Learning Framework for Next POI (TOIS 2023)",
    gives=frozenset({"peers", "alike"}),
    needs={"recommender": frozenset({"next-place"}), "protocol": frozenset({"peers"})},
    usual={"recommender": "next-place"},
)
