"""What a policy of participation is told when it has to choose phones."""

from collections.abc import Callable
from dataclasses import dataclass

from droidloop.models.learning.learning import Choose
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws

from .context import ProtocolContext


@dataclass(frozen=True)
class Asking:
    """One choice of phones.

    Attributes:
        context: of the protocol.
        number: of the turn, a counter for draws.
        clients: how many phones are wanted.
        asked: how often each phone was asked so far, (phones,).
        at_random: returns that many of the phones that can work, by chance, without looking at all.
        able: returns all phones that can work now, sorted.
        by_rule: how the rule chooses, if it has a say.
    """

    context: ProtocolContext
    number: int
    clients: int
    asked: IntArray
    at_random: Callable[[], IntArray]
    able: Callable[[], IntArray]
    by_rule: Choose | None

    @property
    def draws(self) -> Draws:
        """The chance of policies."""
        return self.context.draws.child("policy")


Policy = Callable[[Asking], IntArray]
"""Returns the phones that are asked, sorted: at most as many as are wanted."""
