"""What a protocol moves about: a rule of learning, its data and its state, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.split import Part
from droidloop.models.evaluation.evaluator import Scorer
from droidloop.models.interfaces.learning import ClientRule, Cost, Recommender, ServerRule
from droidloop.models.interfaces.metrics import Answers, Rated
from droidloop.models.interfaces.peers import Grouping, PeerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.sgd import Trainer
from droidloop.models.packages.shipped import Shipped
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from droidloop.platform.state import Stateful, kept_value

from .device_step import Uploader


@kept_value
@dataclass(frozen=True)
class Fit:
    """The training of *phones*, sorted, on a model that they were given; *cost* has a value each.

    All steps together; the memory of one.
    """

    phones: IntArray
    cost: Cost


@dataclass(frozen=True)
class Snapshot:
    """What has been learned at some moment; stays as it is while learning goes on.

    Attributes:
        scorers: by name; ``trained`` is the one that counts, others are printed beside it.
        ship: makes what is delivered; None where no phone's model is another's.
        rated: for what does not rank all items: instead of scorers, scores and labels of samples
            of the validation or the test part, by the same names.
        took_part: which phones had learned by then; see ``newcomers.with_newcomers`` for this and
            the following.
        bare: which phones have nothing of their own to show.
        fit: what phones that took no part compute when they get what ships.
    """

    scorers: dict[str, Scorer]
    ship: Callable[[], Shipped] | None = None
    rated: Callable[[Part], dict[str, Rated]] | None = None
    took_part: BoolArray | None = None
    bare: BoolArray | None = None
    fit: Fit | None = None


@dataclass
class Learning(Stateful):
    """A rule's data and state; ``data`` has one row a phone.

    Attributes:
        recommender: gives the names of what is private.
        store: what phones hold.
        data: what they learn from.
        draws: the chance of training.
        snapshot: returns what has been learned by now.
        answers: whether what has been learned ranks all items, or only rates samples.
        took_part: which phones have learned; protocols say so.
        given: which phones have fetched a model that was trained before; likewise.
    """

    recommender: Recommender
    store: PrivateStore
    data: UserItems
    draws: Draws
    snapshot: Callable[[], Snapshot]
    answers: Answers = field(default="ranks", kw_only=True)

    took_part: BoolArray = field(init=False)
    given: BoolArray = field(init=False)

    STATE: ClassVar[tuple[str, ...]] = ("store", "took_part", "given")

    def __post_init__(self) -> None:
        self.took_part, self.given = np.zeros((2, len(self.store)), np.bool_)

    def erase(self, phones: IntArray) -> None:
        """Have *phones* be as if they had never had anything: no data, no model, no part in it."""
        mine = np.zeros(len(self.store), np.bool_)
        mine[phones] = True
        self.data = self.data.keep(~np.repeat(mine, self.data.counts))
        self.store.erase(phones)
        self.took_part[phones] = self.given[phones] = False


Choose = Callable[[IntArray, int, int], IntArray]
"""Returns which of some phones take part, sorted: (phones that can, how many, the round)."""
Offers = Callable[[IntArray, int], Messages | None]
"""Returns what the server has for some phones in a turn, sorted by receiver: (phones, turn)."""
OnDelivered = Callable[[Messages], None]
"""Told which of the server's messages have arrived, before what their phones computed is kept."""
OnComputed = Callable[[Messages, Messages], None]
"""Told what phones received and what they made of it, once they have computed."""


@dataclass(frozen=True)
class Way:
    """How phones and a server learn in a turn, and by what chance."""

    client: ClientRule
    server: ServerRule
    draws: Draws


@dataclass
class FederatedLearning(Learning):
    """Learning with a server.

    Attributes:
        client: what phones do.
        server: what the server does.
        choose: picks the phones of a round by what the server knows; None: at random.
        on_delivered: for servers that change something on phones, which takes effect now; None:
            nobody is told.
        on_computed: for rules whose phones keep more than their private rows; None: nobody is told.
        kept: where they keep it.
        steps: the rule, if a real device can take its steps.
    """

    client: ClientRule
    server: ServerRule
    choose: Choose | None = None
    on_delivered: OnDelivered | None = None
    on_computed: OnComputed | None = None
    kept: Stateful | None = None
    steps: Uploader | None = None

    STATE = (*Learning.STATE, "server", "kept")

    @property
    def way(self) -> Way:
        """How it is learned in an ordinary turn."""
        return Way(self.client, self.server, self.draws)


@dataclass
class PeerLearning(Learning):
    """Learning without a server, or with one that only groups.

    Attributes:
        peer: the rule.
        initial_download: what the server sends to every phone before it leaves; one message for
            all.
        grouping: for protocols with groups.
        kept: what remembers something beside the store, such as the grouping.
        alike: pairs of phones that are alike by ``place`` or by ``category``, that many for each.
        server_offers: what phones fetch from the server in each turn that they have alone; None:
            nothing.
        steps: the rule, if a real device can take its steps.
    """

    peer: PeerRule
    initial_download: Messages | None = None
    grouping: Grouping | None = None
    alike: Callable[[str, int], IntArray] | None = None
    server_offers: Offers | None = None
    steps: Trainer | None = None
    kept: Stateful | None = None

    STATE = (*Learning.STATE, "kept")
