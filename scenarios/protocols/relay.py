"""A post box in the network: messages between phones wait there until their receiver comes.

Two phones are hardly ever on and covered at the same moment, so that a message goes up on the
sender's link when it is written, and down on the receiver's when that phone has its turn.
"""

from dataclasses import dataclass, replace

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.messages import Messages, joined


@dataclass
class _Batch:
    """Messages that came in one turn: when each arrived, in which turn, and which still wait."""

    messages: Messages
    arrived_us: IntArray
    turn: int
    waiting: IntArray


class Relay:
    """Keeps messages for their receivers, and the last one of every sender for those who ask."""

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

    def waiting(self, phones: IntArray) -> Messages | None:
        """Return what waits for *phones*, by receiver and in the order of arrival; None: nothing.

        It goes on waiting until ``taken``.
        """
        wanted = np.zeros(self._phones, np.bool_)
        wanted[phones] = True
        parts, times = [], []
        for batch in self._batches:
            mine = batch.waiting[wanted[batch.messages.receiver[batch.waiting]]]
            if len(mine):
                parts.append(batch.messages.take(mine))
                times.append(batch.arrived_us[mine])
        if not parts:
            return None
        found, arrived_us = joined(parts), np.concatenate(times)
        return found.take(np.lexsort((found.sender, arrived_us, found.receiver)))

    def last_of(self, senders: IntArray, receivers: IntArray) -> Messages | None:
        """Return what *senders* said last, for *receivers*; who has said nothing is left out."""
        known = [k for k, sender in enumerate(senders.tolist()) if sender in self._last]
        if not known:
            return None
        found = joined([self._last[int(senders[k])] for k in known])
        found = replace(found, receiver=receivers[known])
        return found.take(np.lexsort((found.sender, found.receiver)))

    def taken(self, phones: IntArray) -> None:
        """Throw away what *phones* have fetched."""
        gone = np.zeros(self._phones, np.bool_)
        gone[phones] = True
        for batch in self._batches:
            batch.waiting = batch.waiting[~gone[batch.messages.receiver[batch.waiting]]]
        self._batches = [batch for batch in self._batches if len(batch.waiting)]

    def expire(self, before_turn: int) -> int:
        """Throw away what came before that turn; return how many messages that were."""
        old = [batch for batch in self._batches if batch.turn < before_turn]
        self._batches = [batch for batch in self._batches if batch.turn >= before_turn]
        return sum(len(batch.waiting) for batch in old)
