"""What a protocol moves about: a rule of learning, its data and its state, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.split import Part
from droidloop.models.interfaces.learning import ClientRule, Cost, Recommender, ServerRule
from droidloop.models.interfaces.metrics import Rated
from droidloop.models.interfaces.peers import Grouping, PeerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.packages.exportable import Graph
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages

from .chosen_metrics import Answers
from .evaluator import Scorer


@dataclass(frozen=True)
class Shipped:
    """A trained model as it goes to phones.

    Attributes:
        graph: of the shared part, with the private part as its only input.
        private: that input of every phone, (phones, dim).
        work: flops and memory traffic of one list; None: of one pass over a table, as in matrix
            factorisation.
    """

    graph: Graph
    private: Array
    work: Cost | None = None


@dataclass(frozen=True)
class Trained:
    """What has been learned at some moment; stays as it is while learning goes on.

    Attributes:
        scorers: by name; ``trained`` is the one that counts, others are printed beside it.
        ship: makes what is delivered; None where no phone's model is another's.
        rated: for what does not rank all items: instead of scorers, scores and labels of samples
            of the validation or the test part, by the same names.
    """

    scorers: dict[str, Scorer]
    ship: Callable[[], Shipped] | None = None
    rated: Callable[[Part], dict[str, Rated]] | None = None


@dataclass
class Learning:
    """A rule's data and state; ``data`` has one row a phone.

    Attributes:
        recommender: gives the names of what is private.
        store: what phones hold.
        data: what they learn from.
        draws: the chance of training.
        look: returns what has been learned by now.
        ships: whether that is a model for all phones, which can be delivered.
        answers: whether what has been learned ranks all items, or only rates samples.
    """

    recommender: Recommender
    store: PrivateStore
    data: UserItems
    draws: Draws
    look: Callable[[], Trained]
    ships: bool
    answers: Answers = field(default="ranks", kw_only=True)


Choose = Callable[[IntArray, int, int], IntArray]
"""Returns which of some phones take part, sorted: (phones that can, how many, the round)."""
Offers = Callable[[IntArray, int], Messages | None]
"""Returns what the server has for some phones in a turn, sorted by receiver: (phones, turn)."""
Remember = Callable[[Messages, Messages], None]
"""Told what phones received and what they made of it, once they have computed."""


@dataclass
class Federation(Learning):
    """Learning with a server.

    Attributes:
        client: what phones do.
        server: what the server does.
        choose: picks the phones of a round by what the server knows; None: at random.
        remember: for rules whose phones keep more than their private rows; None: nobody is told.
    """

    client: ClientRule
    server: ServerRule
    choose: Choose | None = None
    remember: Remember | None = None


@dataclass
class Society(Learning):
    """Learning without a server, or with one that only groups.

    Attributes:
        peer: the rule.
        opening: what the server sends to every phone before it leaves; one message for all.
        grouping: for protocols with groups.
        alike: pairs of phones that are alike by ``place`` or by ``category``, that many for each.
        offers: what phones fetch from the server in each turn that they have alone; None: nothing.
    """

    peer: PeerRule
    opening: Messages | None = None
    grouping: Grouping | None = None
    alike: Callable[[str, int], IntArray] | None = None
    offers: Offers | None = None
