"""Messages as a broken or a hostile phone may send them, and why each has to be refused."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from droidloop.models.interfaces.forms import Form
from droidloop.models.transforms.inspection import Cause
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages, joined

Spoil = Callable[[Messages, str, np.ndarray], Messages]
"""Spoils the array of that name of each message, at a place drawn for it."""


def _put(number: float) -> Spoil:
    def spoil(sent: Messages, name: str, at: np.ndarray) -> Messages:
        values = sent.arrays[name].copy()
        values.reshape(len(values), -1)[at, 0] = number
        return replace(sent, arrays={**sent.arrays, name: values})

    return spoil


def _rows(change: Callable[[np.ndarray, np.ndarray], None]) -> Spoil:
    def spoil(sent: Messages, name: str, at: np.ndarray) -> Messages:
        rows = sent.rows[name].copy()
        change(rows, at)
        return replace(sent, rows={**sent.rows, name: rows})

    return spoil


def _gone(rows: np.ndarray, at: np.ndarray) -> None:
    rows[at] = 10**9


def _negative(rows: np.ndarray, at: np.ndarray) -> None:
    rows[at] = -1


def _repeated(rows: np.ndarray, at: np.ndarray) -> None:
    rows[at] = rows[np.where(at > 0, at - 1, at + 1)]


def _short(sent: Messages, name: str, at: np.ndarray) -> Messages:
    """Leave out the row of each message that is drawn for it."""
    offsets = sent.offsets[name] - np.arange(len(sent) + 1)
    arrays = {name: np.delete(sent.arrays[name], at, axis=0)}
    return replace(sent, arrays={**sent.arrays, **arrays}, offsets={**sent.offsets, name: offsets})


def _arrays(change: Callable[[dict[str, np.ndarray], str], dict[str, np.ndarray]]) -> Spoil:
    def spoil(sent: Messages, name: str, at: np.ndarray) -> Messages:
        arrays = change(dict(sent.arrays), name)
        kept = {key: value for key, value in sent.rows.items() if key in arrays}
        offsets = {key: sent.offsets.get(key, sent.offsets[name]) for key in arrays}
        return replace(sent, arrays=arrays, rows=kept, offsets=offsets)

    return spoil


SPOILT: dict[str, tuple[Spoil, Cause]] = {
    "kind": (lambda s, n, at: replace(s, kind="rumour"), Cause.FORM),
    "phase": (lambda s, n, at: replace(s, phase=1), Cause.FORM),
    "type": (_arrays(lambda a, n: {**a, n: a[n].astype(np.float64)}), Cause.FORM),
    "width": (_arrays(lambda a, n: {**a, n: np.concatenate([a[n], a[n]], axis=1)}), Cause.FORM),
    "name": (_arrays(lambda a, n: {"other": a[n]}), Cause.FORM),
    "more": (_arrays(lambda a, n: {**a, "more": a[n]}), Cause.FORM),
    "sender": (lambda s, n, at: replace(s, sender=s.sender + 10**6), Cause.SENDER),
    "server": (lambda s, n, at: replace(s, sender=s.sender * 0 - 2), Cause.SENDER),
    "base": (lambda s, n, at: replace(s, base=-1 - s.base), Cause.STALE),
    "heavy": (lambda s, n, at: replace(s, weight=s.weight + 1e6), Cause.WEIGHT),
    "weight": (lambda s, n, at: replace(s, weight=s.weight * np.nan), Cause.WEIGHT),
    "debt": (lambda s, n, at: replace(s, weight=-1.0 - s.weight), Cause.WEIGHT),
    "nan": (_put(np.nan), Cause.NUMBER),
    "infinity": (_put(-np.inf), Cause.NUMBER),
    "large": (_put(1e9), Cause.BOUND),
    "small": (_put(-1.1e6), Cause.BOUND),
    "gone": (_rows(_gone), Cause.ROWS),
    "negative": (_rows(_negative), Cause.ROWS),
    "repeated": (_rows(_repeated), Cause.ROWS),
    "short": (_short, Cause.SIZE),
}
"""Ways to spoil, by name, with what they are refused for."""


@dataclass(frozen=True)
class Vandal:
    """A sender that spoils what it sends in the same way, every time at places drawn anew."""

    how: str
    array: str
    draws: Draws

    def send(self, honest: Messages, form: Form, inbox: Messages | None, number: int) -> Messages:
        offsets = honest.offsets[self.array]
        size = np.diff(offsets)
        honest = honest.take(size > 1)  # of a phone that has nothing nothing can be spoilt
        offsets = honest.offsets[self.array]
        drawn = self.draws.child(self.how).uniform(honest.sender, number)
        at = offsets[:-1] + np.floor(drawn * np.diff(offsets)).astype(np.int64)
        return SPOILT[self.how][0](honest, self.array, at)


@dataclass(frozen=True)
class Flood:
    """A sender that sends the same a hundred times; all but one are too many."""

    def send(self, honest: Messages, form: Form, inbox: Messages | None, number: int) -> Messages:
        every = joined([honest] * 100)
        return every.take(np.argsort(every.sender, kind="stable"))


@dataclass(frozen=True)
class Silent:
    """A sender that sends nothing."""

    def send(self, honest: Messages, form: Form, inbox: Messages | None, number: int) -> Messages:
        return honest.take(np.zeros(len(honest), np.bool_))
