"""A post box in the network: messages between phones wait there until their receiver comes.

Two phones are hardly ever on and covered at the same moment, so that a message goes up on the
sender's link when it is written, and down on the receiver's when that phone has its turn.
"""

from dataclasses import dataclass, replace

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.messages import Messages
from droidloop.platform.state import Stateful, kept_value
from droidloop.scenarios.runtime.mail import alike, by_form, together


@kept_value
@dataclass
class _Batch:
    """Messages that came in one turn: when each arrived, in which turn, and which still wait."""

    messages: Messages
    arrived_us: IntArray
    turn: int
    waiting: IntArray


class Relay(Stateful):
    """Keeps messages for their receivers, and the last one of every sender for those who ask."""

    STATE = ("_batches", "_last")

    def __init__(self, phones: int) -> None:
        self._batches: list[_Batch] = []
        self._last: dict[int, Messages] = {}
        self._phones = phones

    def put(self, messages: Messages, arrived_us: IntArray, turn: int) -> None:
        """Keep *messages*, which arrived at those times; with receiver ``SERVER``: for nobody."""
        waiting = np.flatnonzero(messages.receiver >= 0)
        if len(waiting):
            self._batches.append(_Batch(messages, arrived_us, turn, waiting))

    def remember(self, messages: Messages) -> None:
        """Keep *messages* as what their senders said last."""
        for k, sender in enumerate(messages.sender.tolist()):
            self._last[sender] = messages.take(np.array([k]))

    def waiting(self, phones: IntArray) -> list[Messages]:
        """Return what waits for *phones*, by receiver and in the order of arrival.

        It goes on waiting until ``taken``. Messages of one form come together.
        """
        wanted = np.zeros(self._phones, np.bool_)
        wanted[phones] = True
        parts, times = [], []
        for batch in self._batches:
            mine = batch.waiting[wanted[batch.messages.receiver[batch.waiting]]]
            if len(mine):
                parts.append(batch.messages.take(mine))
                times.append(batch.arrived_us[mine])
        found = []
        for group in alike(parts):
            these = together([parts[k] for k in group])
            arrived_us = np.concatenate([times[k] for k in group])
            order = np.lexsort((these.sender, arrived_us, these.receiver))
            found.append(these.take(order))
        return found

    def last_of(self, senders: IntArray, receivers: IntArray) -> list[Messages]:
        """Return what *senders* said last, for *receivers*; who has said nothing is left out."""
        parts = [
            replace(self._last[sender], receiver=receivers[k : k + 1])
            for k, sender in enumerate(senders.tolist())
            if sender in self._last
        ]
        found = by_form(parts)
        return [part.take(np.lexsort((part.sender, part.receiver))) for part in found]

    def taken(self, phones: IntArray) -> None:
        """Throw away what *phones* have fetched."""
        gone = np.zeros(self._phones, np.bool_)
        gone[phones] = True
        for batch in self._batches:
            batch.waiting = batch.waiting[~gone[batch.messages.receiver[batch.waiting]]]
        self._batches = [batch for batch in self._batches if len(batch.waiting)]

    def clear(self) -> None:
        """Throw away everything."""
        self._batches, self._last = [], {}

    def expire(self, before_turn: int) -> int:
        """Throw away what came before that turn; return how many messages that were."""
        old = [batch for batch in self._batches if batch.turn < before_turn]
        self._batches = [batch for batch in self._batches if batch.turn >= before_turn]
        return sum(len(batch.waiting) for batch in old)
