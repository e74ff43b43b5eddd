"""The one way of every message of every protocol: what is really sent, and what is taken of it.

On the way out: nothing private, whoever does not follow the rule, the transforms. On the way in:
observers, the checks, the transforms backwards. What is refused is counted by cause and noted in
the ledger; the others of its batch go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.learning import Cost, ServerRule, check_private
from droidloop.models.interfaces.transforms import Masking, Sender, Setting, State, Transform
from droidloop.models.learning.learning import Learning
from droidloop.models.senders.section import SenderSection
from droidloop.models.transforms.inspection import Cause, inspect
from droidloop.platform.arrays import Array, BoolArray, Int8Array, IntArray
from droidloop.platform.messages import Messages
from droidloop.scenarios.schema.chosen import method_of
from droidloop.scenarios.schema.turns import Turns

from .context import ProtocolContext
from .mail import Mail


class Channel:
    """The way of all messages of a protocol.

    Attributes:
        transforms: what is done to messages, in this order.
        senders: what phones do that do not follow the rule.
        rule_of: by phone, which of the senders it is, -1 for those that follow the rule.
        refused: messages refused since the last note, by ``Cause``.
    """

    def __init__(
        self,
        stage: ProtocolContext,
        learning: Learning,
        section: Turns,
        server: ServerRule | None = None,
    ) -> None:
        self._stage, self._learning = stage, learning
        draws, phones = stage.draws.child("channel"), len(stage.population)
        setting = Setting(
            phones, draws, learning.recommender, learning.data, learning.store, server
        )
        self.transforms: list[Transform] = [
            method_of("transform", one).build(one, setting) for one in section.transforms
        ]
        self.senders: list[Sender] = []
        self.rule_of = np.full(phones, -1, np.int64)
        for k, one in enumerate(section.senders):
            method = method_of("sender", one)
            self.senders.append(method.build(one, setting))
            assert isinstance(one, SenderSection)  # what sections of senders are made of
            free = np.flatnonzero(self.rule_of < 0)
            self.rule_of[one.among(free, phones, draws.child(f"senders/{k}"))] = k
            stage.recorder.event("senders", -1, **{method.name: int((self.rule_of == k).sum())})
        self.refused = np.zeros(len(Cause), np.int64)
        self.everybody = np.arange(phones)
        self.limits = np.maximum(learning.data.counts, 1).astype(np.float64)

    @property
    def masking(self) -> Masking | None:
        """The transform that opens messages together, if there is one: the last."""
        last = self.transforms[-1] if self.transforms else None
        return last if isinstance(last, Masking) else None

    def down(self, messages: Messages) -> Messages:
        """Return *messages* of the server to phones, which hold nothing private."""
        return check_private(messages, self._learning.recommender)

    def send(
        self,
        honest: Messages,
        form: Form,
        together: IntArray,
        number: int,
        inbox: Messages | None = None,
    ) -> Mail:
        """Return what is really sent in the place of *honest*, one message a phone; pure.

        Args:
            honest: what the rule made; may hold nothing private.
            form: of what is sent; who sends something of another form seals nothing.
            together: all phones that were asked with them.
            number: the turn.
            inbox: what the same phones had received, if from a server.
        """
        check_private(honest, self._learning.recommender)
        parts, places = [], []
        for part, place in self._forged(honest, form, number, inbox):
            sealed = part
            if form.fits(part):
                for transform in self.transforms:
                    sealed = transform.seal(sealed, together, number)
            parts.append(sealed)
            places.append(place)
        return Mail(tuple(parts), tuple(places), len(honest))

    def once(self, mail: Mail) -> Mail:
        """Return the first message of each phone in *mail*; the others are refused, and counted."""
        parts, places = [], []
        taken = np.zeros(mail.count, np.bool_)
        for part, place in zip(mail.parts, mail.places, strict=True):
            first = np.unique(place, return_index=True)[1]
            first = first[~taken[place[first]]]
            taken[place[first]] = True
            self.count(np.full(len(place) - len(first), Cause.TWICE, np.int8))
            parts.append(part.take(first))
            places.append(place[first])
        return Mail(tuple(parts), tuple(places), mail.count)

    def cost(self, honest: Messages, cost: Cost) -> Cost:
        """Return *cost*, by phone, with that of sealing *honest*, one message a phone."""
        return self._with(cost, [one.cost(honest) for one in self.transforms])

    def opening_cost(self, cost: Cost, parts: Sequence[Messages], phones: IntArray) -> Cost:
        """Return *cost* of *phones*, sorted, with that of opening the messages they receive."""
        for part in parts if self.transforms else []:
            place = np.searchsorted(phones, part.receiver)
            for one in [transform.opening(part) for transform in self.transforms]:
                sums = [np.zeros(len(phones), np.int64) for _ in range(2)]
                np.add.at(sums[0], place, one.flops)
                np.add.at(sums[1], place, one.moved_bytes)
                cost = self._with(cost, [Cost(sums[0], sums[1], 0)])
        return cost

    def may_send(self, phones: IntArray) -> BoolArray:
        """Return which of *phones* may still send, as all transforms say."""
        mask = np.ones(len(phones), np.bool_)
        for transform in self.transforms:
            mask &= transform.may_send(phones)
        return mask

    def left(self, phones: IntArray, number: int) -> None:
        """Note that a message of each of *phones* has left it."""
        for transform in self.transforms:
            transform.left(phones, number)

    def check(
        self,
        part: Messages,
        form: Form,
        *,
        known: IntArray | None = None,
        heard: BoolArray | None = None,
        fresh: BoolArray | None = None,
    ) -> Int8Array:
        """Return the cause for which each of *part*, as it arrived, is refused; see ``inspect``.

        Weights are at most the numbers of items that their senders can have. Everybody is known
        if not said otherwise.
        """
        for transform in self.transforms:
            form = transform.form(form)
        known = self.everybody if known is None else known
        most = np.where(known >= 0, self.limits[known], 1.0)
        return inspect(part, form, known=known, heard=heard, fresh=fresh, most=most)

    def open(self, part: Messages, form: Form, number: int) -> Messages:
        """Return what the receiver makes of *part*, which has been checked."""
        forms = [form]
        for transform in self.transforms:
            forms.append(transform.form(forms[-1]))
        for k in reversed(range(len(self.transforms))):
            part = self.transforms[k].open(part, number)
            if forms[k] is not forms[k + 1] and forms[k].fits(part):
                cause = inspect(part, forms[k], known=self.everybody)
                self.count(cause)
                part = part.take(cause == Cause.NONE)
        return part

    def seen(self, part: Messages, cause: Int8Array, number: int) -> None:
        """Note that *part* arrived: observers see it, what is refused of it is counted."""
        for observe in self._stage.observers:
            observe(number, part)
        self.count(cause)

    def count(self, cause: Int8Array) -> None:
        """Count what was refused."""
        self.refused += np.bincount(cause, minlength=len(Cause))

    def receive(
        self,
        parts: Sequence[Messages],
        form: Form,
        number: int,
        *,
        known: IntArray | None = None,
        heard: BoolArray | None = None,
        fresh: Sequence[BoolArray] | None = None,
    ) -> list[Messages]:
        """Return what is taken of *parts*, opened; see ``check``."""
        taken = []
        for k, part in enumerate(parts):
            mine = None if fresh is None else fresh[k]
            cause = self.check(part, form, known=known, heard=heard, fresh=mine)
            self.seen(part, cause, number)
            if (cause == Cause.NONE).any():
                taken.append(self.open(part.take(cause == Cause.NONE), form, number))
        return taken

    def note(self, number: int) -> None:
        """Write to the ledger what was refused, by cause, and what the transforms have to say."""
        causes = {
            cause.name.lower(): int(self.refused[cause])
            for cause in Cause
            if cause is not Cause.NONE and self.refused[cause]
        }
        self.refused[:] = 0
        if causes:
            self._stage.recorder.event("refused", number, **causes)
        for transform in self.transforms:
            self._stage.recorder.event("transforms", number, **transform.notes())

    def state(self) -> State:
        """Return all that the way of messages has to remember: the arrays themselves."""
        kept = {"refused": self.refused}
        for k, transform in enumerate(self.transforms):
            kept.update({f"{k}/{name}": array for name, array in transform.state().items()})
        return kept

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from *state*."""
        self.refused[:] = state["refused"]
        for k, transform in enumerate(self.transforms):
            start = f"{k}/"
            mine = {name[len(start) :]: a for name, a in state.items() if name.startswith(start)}
            transform.restore(mine)

    def _forged(
        self, honest: Messages, form: Form, number: int, inbox: Messages | None
    ) -> list[tuple[Messages, IntArray]]:
        """Return what phones send that follow the rule or do not, and where they are."""
        rule = self.rule_of[honest.sender]
        if (rule < 0).all():
            return [(honest, np.arange(len(honest)))]
        found = []
        for k in np.unique(rule).tolist():
            place = np.flatnonzero(rule == k)
            part = honest.take(place)
            if k >= 0:
                received = None if inbox is None else inbox.take(place)
                part = self.senders[k].send(part, form, received, number)
                if len(part) != len(place):  # some send more than one
                    place = place[np.searchsorted(honest.sender[place], part.sender)]
            found.append((part, place))
        return found

    @staticmethod
    def _with(cost: Cost, more: Sequence[Cost]) -> Cost:
        """Return *cost* and *more*, one after the other: memory is what the largest takes."""
        for one in more:
            cost = replace(
                cost,
                flops=cost.flops + one.flops,
                moved_bytes=cost.moved_bytes + one.moved_bytes,
                ram_bytes=np.maximum(cost.ram_bytes, one.ram_bytes),
            )
        return cost
