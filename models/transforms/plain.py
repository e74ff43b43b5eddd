"""A transform of one message at a time that remembers nothing, short to write."""

from collections.abc import Mapping

import numpy as np

from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.learning import Cost
from droidloop.models.interfaces.transforms import State, no_cost
from droidloop.platform.arrays import Array, BoolArray, IntArray
from droidloop.platform.messages import Messages


class PlainTransform:
    """Does nothing to messages: a transform says what it does in ``seal`` or ``open``.

    Beside that it says what it costs, and in ``form`` what messages look like if that changes.
    """

    def form(self, plain: Form) -> Form:
        """Return *plain*: messages look as they did."""
        return plain

    def seal(self, messages: Messages, together: IntArray, number: int) -> Messages:
        """Return *messages* as they are; see ``Transform.seal``."""
        return messages

    def cost(self, messages: Messages) -> Cost:
        """Return no cost on senders."""
        return no_cost(messages)

    def open(self, sealed: Messages, number: int) -> Messages:
        """Return *sealed* as they are."""
        return sealed

    def opening(self, sealed: Messages) -> Cost:
        """Return no cost on receivers."""
        return no_cost(sealed)

    def may_send(self, phones: IntArray) -> BoolArray:
        """Return that all may."""
        return np.ones(len(phones), np.bool_)

    def left(self, phones: IntArray, number: int) -> None:
        """Note nothing."""

    def notes(self) -> Mapping[str, int]:
        """Return that there is nothing to tell."""
        return {}

    def state(self) -> State:
        """Return that nothing is remembered."""
        return {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from nothing."""
