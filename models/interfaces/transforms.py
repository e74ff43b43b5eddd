"""The interfaces of what happens to messages on their way: transforms, senders, observers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.platform.arrays import Array, BoolArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages

from .forms import Form
from .learning import Cost, Recommender, ServerRule
from .store import PrivateStore

State = dict[str, Array]
"""What something has to remember between turns, as named arrays: goes into checkpoints."""


@dataclass(frozen=True)
class Setting:
    """What transforms and senders are made with.

    Attributes:
        phones: how many there are.
        draws: the chance.
        recommender: the model.
        data: what phones learn from, one row a phone.
        store: what phones hold.
        server: the server's rule; None where phones learn from one another.
    """

    phones: int
    draws: Draws
    recommender: Recommender
    data: UserItems
    store: PrivateStore
    server: ServerRule | None


def no_cost(messages: Messages) -> Cost:
    """Return the cost of doing nothing with each of *messages*."""
    zero = np.zeros(len(messages), np.int64)
    return Cost(zero, zero, zero)


class Transform(Protocol):
    """Changes messages on their way: clip, noise, bound, mask. Transforms chain.

    Sealing is a pure function of its arguments: it may be asked for again. What has to be
    remembered changes in ``left`` and ``open`` alone, and is in ``state``.
    """

    def form(self, plain: Form) -> Form:
        """Return the form of what ``seal`` makes of messages of the form *plain*."""
        ...

    def seal(self, messages: Messages, together: IntArray, number: int) -> Messages:
        """Return what is really sent in turn *number*; *together* are all who were asked in it."""
        ...

    def cost(self, messages: Messages) -> Cost:
        """Return what sealing takes on each sender, (m,); of memory: beside the message."""
        ...

    def open(self, sealed: Messages, number: int) -> Messages:
        """Return what the receiver makes of each message."""
        ...

    def opening(self, sealed: Messages) -> Cost:
        """Return what that takes for each message, (m,), where the receiver is a phone."""
        ...

    def may_send(self, phones: IntArray) -> BoolArray:
        """Return which of *phones* may still send something."""
        ...

    def left(self, phones: IntArray, number: int) -> None:
        """Note that a message of each of *phones* has left it."""
        ...

    def notes(self) -> Mapping[str, int]:
        """Return what the ledger is to know since this was asked last."""
        ...

    def state(self) -> State:
        """Return what it remembers: the arrays themselves, not copies."""
        ...

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from *state*, which ``state`` has returned."""
        ...


@runtime_checkable
class Masking(Transform, Protocol):
    """A transform whose messages say nothing alone: they are opened together, in a second phase."""

    def ask(self, together: IntArray, came: IntArray, number: int) -> Messages | None:
        """Return what the server asks those whose messages *came*; None: it needs nothing."""
        ...

    def answer(self, asked: Messages, number: int) -> Messages:
        """Return the answers, one for each message of *asked*."""
        ...

    def open_together(
        self, sealed: Messages, together: IntArray, answers: Messages | None, number: int
    ) -> tuple[Messages, BoolArray]:
        """Return the sum of *sealed*, one message or none, and which of them are in it."""
        ...


class Sender(Protocol):
    """What a phone sends in the place of what the rule would have it send, honest or not."""

    def send(self, honest: Messages, form: Form, inbox: Messages | None, number: int) -> Messages:
        """Return what is sent in turn *number*; a pure function, one message or more a phone.

        Args:
            honest: what the rule made, one message a phone; not to be changed in place.
            form: of what is taken.
            inbox: what these phones received from the server; None where they have no server.
            number: of the turn.
        """
        ...


Observer = Callable[[int, Messages], None]
"""Sees what a curious receiver sees: (turn, messages as they arrived)."""
