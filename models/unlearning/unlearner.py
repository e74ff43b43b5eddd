"""What every way of forgetting has in common: when it is told what, and what it answers."""

from typing import ClassVar

import numpy as np

from droidloop.models.interfaces.learning import Cohort
from droidloop.models.learning.learning import FederatedLearning, Learning, Way
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.messages import Messages
from droidloop.platform.state import Stateful, Tree, copied


class Unlearner(Stateful):
    """Takes what some phones have taught out of what has been learned; this one leaves it in.

    While phones learn it is told of each cohort, and may keep a log. When phones have asked to be
    forgotten it ``begin``s, and says how many turns that takes: in each of them a protocol plays
    an ordinary turn, of the phones that it ``asks`` and in the ``way`` that it wants, without those
    who are forgotten unless it names them. What the phones themselves held is erased by the
    protocol in any case, when the last turn has ended.
    """

    STATE: ClassVar[tuple[str, ...]] = ()
    LOGS: ClassVar[bool] = False
    """Whether it wants to be told of what phones are asked and compute."""

    def __init__(self, learning: Learning) -> None:
        self.learning = learning

    def asked(self, phones: IntArray) -> None:
        """Know that *phones* are about to train from the server's present model."""

    def computed(self, cohort: Cohort, before: dict[str, Array], sent: Messages) -> None:
        """Know what *cohort* has made, by the rule: its private rows, *before* and now, and *sent*.

        Nothing of this has left the phones.
        """

    def begin(self, phones: IntArray, learned: int) -> int:
        """Begin to forget *phones* after *learned* turns; return how many turns it takes."""
        return 0

    def asks(self, turn: int) -> IntArray | None:
        """Return the phones that are asked in that one of the turns; None: as the protocol has it.

        They are sorted; those of them that cannot work then are left out.
        """
        return None

    def way(self, turn: int) -> Way:
        """Return how phones and server learn in that turn."""
        learning = self.learning
        assert isinstance(learning, FederatedLearning)  # peers have no way but their own
        return Way(learning.client, learning.server, learning.draws.child("unlearning"))

    def closed(self, turn: int) -> None:
        """Know that the turn has ended: the server has folded what came."""

    def end(self, phones: IntArray) -> None:
        """Keep nothing of *phones* any more."""

    def notes(self) -> dict[str, int]:
        """Return what the ledger is to know when phones have been forgotten."""
        return {}

    def start_again(self, first: Tree) -> None:
        """Have what was learned be as in the tree *first*, and every phone hold its first values.

        What phones have fetched before they began to learn they still have.
        """
        given = self.learning.given.copy()
        self.learning.restore(copied(first))
        self.learning.store.reset(np.arange(len(self.learning.store)))
        self.learning.given[:] = given
