"""The interface of learning without a server: phones share what they know and learn from it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages

from .forms import Form
from .learning import Cost
from .store import PrivateStore


class PeerRule(Protocol):
    """What phones do that learn from one another; all that they know lies in the private store.

    A tick of gossip is: ``share`` for the phones that send (a snapshot, before anybody learns in
    this tick), the transfers, then ``learn`` for the phones that received something, or that have
    a turn without a message.
    """

    def form(self, store: PrivateStore) -> Form:
        """Return what ``learn`` takes; whatever is not of this form is refused before."""
        ...

    def share(self, phones: IntArray, store: PrivateStore, round_: int, draws: Draws) -> Messages:
        """Return what *phones* would send now, one message a phone, in their order.

        The arrays are copies. The receiver is left at ``SERVER``: who gets it is the protocol's
        choice. ``base`` holds how many updates the sender's model has seen.
        """
        ...

    def learn(
        self,
        phones: IntArray,
        inbox: Messages | None,
        store: PrivateStore,
        data: UserItems,
        round_: int,
        draws: Draws,
    ) -> None:
        """Merge what arrived and train on local data; changes the rows of *store* in place.

        Args:
            phones: who learns, sorted; each once.
            inbox: addressed to *phones* (``receiver`` is sorted); the messages of one receiver lie
                in the order of their arrival. A phone may have none, or several; None: nobody has.
            store: of all phones.
            data: local data, row k belongs to ``phones[k]``.
            round_: the tick, a counter for *draws*.
            draws: the chance.
        """
        ...

    def cost(self, phones: IntArray, merged: IntArray, data: UserItems) -> Cost:
        """Return what ``learn`` takes on each of *phones*, *merged* messages each."""
        ...


@dataclass(frozen=True)
class Groups:
    """What a server makes of the reports of phones.

    Attributes:
        members: the group of each phone that reported, in the order of the reports.
        answer: what goes back, one message a phone in that order; None: the number of the group.
        columns: rows of the store that the answer becomes on the phones, in that order.
    """

    members: IntArray
    answer: Messages | None
    columns: dict[str, Array]


class Grouping(Protocol):
    """How a server that does not train puts phones into groups."""

    def form(self, store: PrivateStore) -> Form:
        """Return what ``group`` takes; whatever is not of this form is refused before."""
        ...

    def report(self, phones: IntArray, store: PrivateStore) -> Messages:
        """Return what *phones* tell the server, one message a phone, in their order."""
        ...

    def group(self, reports: Messages, count: int, draws: Draws, round_: int) -> Groups:
        """Put the senders of *reports* into at most *count* groups."""
        ...


def by_receiver(phones: IntArray, inbox: Messages | None) -> tuple[IntArray, IntArray]:
    """Return where the messages to each of *phones* begin in *inbox*, and how many there are.

    Raises:
        ValueError: the inbox is not addressed to *phones* alone, or not sorted by receiver.
    """
    if inbox is None:
        return np.zeros(len(phones), np.int64), np.zeros(len(phones), np.int64)
    first = np.searchsorted(inbox.receiver, phones)
    count = np.searchsorted(inbox.receiver, phones, side="right") - first
    if (np.diff(inbox.receiver) < 0).any() or count.sum() != len(inbox):
        raise ValueError("the inbox is not addressed to the phones that learn, in order")
    return first, count
