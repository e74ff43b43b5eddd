"""What is refused of messages that arrive, and why."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.transforms.inspection import Cause, count, inspect
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from tests.contracts.bad_messages import SPOILT

N, DIM = 9, 4
DRAWS = Draws(3, "inspection")
SENDERS = np.array([2, 5, 7])
FORM = Form(frozenset({"delta"}), {"item": ArrayForm((N, DIM)), "bias": ArrayForm((5,))})
WHOLE = {"short"}


def uploads(*, whole: bool = False) -> Messages:
    """Three messages of two, three and four rows, or of all, and of a bias each."""
    sizes = np.array([N, N, N] if whole else [2, 3, 4])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    places = np.arange(offsets[-1])
    rows = {} if whole else {"item": np.concatenate([np.arange(size) * 2 for size in sizes])}
    return Messages(
        kind="delta",
        sender=SENDERS,
        receiver=np.full(3, SERVER),
        arrays={
            "item": DRAWS.normal(places[:, None], np.arange(DIM)).astype(np.float32),
            "bias": DRAWS.normal(np.arange(15), 9).astype(np.float32),
        },
        weight=np.array([1.0, 2.0, 5.0]),
        base=np.zeros(3, np.int64),
        rows=rows,
        offsets={"item": offsets, "bias": np.arange(4) * 5},
    )


def causes(messages: Messages, **options: Any) -> list[Cause]:
    found = inspect(messages, FORM, known=np.arange(10), most=np.full(10, 50.0), **options)
    return [Cause(int(one)) for one in found]


@pytest.mark.parametrize("whole", [False, True])
def test_sound_messages_are_taken(whole: bool) -> None:
    assert causes(uploads(whole=whole)) == [Cause.NONE] * 3


@pytest.mark.parametrize("how", SPOILT)
def test_every_way_to_spoil_all_messages_is_refused_for_its_cause(how: str) -> None:
    spoil, cause = SPOILT[how]
    sound = uploads(whole=how in WHOLE)
    at = sound.offsets["item"][:-1]
    assert causes(spoil(sound, "item", at)) == [cause] * 3


@pytest.mark.parametrize("how", ["nan", "infinity", "large", "small", "gone", "repeated"])
def test_one_bad_message_does_not_spoil_the_others(how: str) -> None:
    spoil, cause = SPOILT[how]
    sound = uploads()
    assert causes(spoil(sound, "item", sound.offsets["item"][1:2])) == [0, cause, 0]


def test_a_message_on_the_bound_is_taken_and_one_beyond_is_not() -> None:
    sent = uploads()
    sent.arrays["item"][0, 0] = 2.0**20
    sent.arrays["item"][2, 0] = np.nextafter(np.float32(2.0**20), np.float32(np.inf))
    assert causes(sent) == [Cause.NONE, Cause.BOUND, Cause.NONE]


def test_a_sender_is_heard_once() -> None:
    sent = replace(uploads(), sender=np.array([2, 2, 7]))
    heard = np.zeros(10, np.bool_)
    assert causes(sent, heard=heard) == [Cause.NONE, Cause.TWICE, Cause.NONE]
    assert np.flatnonzero(heard).tolist() == [2, 7]
    assert causes(sent, heard=heard) == [Cause.TWICE] * 3


def test_who_sent_rubbish_first_may_still_be_heard() -> None:
    sent = replace(uploads(), sender=np.array([2, 2, 7]))
    sent.arrays["item"][0] = np.nan
    assert causes(sent, heard=np.zeros(10, np.bool_)) == [Cause.NUMBER, Cause.NONE, Cause.NONE]


def test_what_is_too_old_is_refused() -> None:
    assert causes(uploads(), fresh=np.array([True, False, True])) == [0, Cause.STALE, 0]


def test_a_weight_is_bound_by_what_its_sender_can_have() -> None:
    most = np.zeros(10)
    most[SENDERS] = 1.0, 1.9, 5.0
    found = inspect(uploads(), FORM, known=np.arange(10), most=most)
    assert found.tolist() == [Cause.NONE, Cause.WEIGHT, Cause.NONE]


def test_nobody_is_known_where_nobody_was_asked() -> None:
    nobody = np.empty(0, np.int64)
    assert inspect(uploads(), FORM, known=nobody).tolist() == [Cause.SENDER] * 3


@pytest.mark.parametrize(
    "change",
    [
        lambda a: replace(a, numbered=False),
        lambda a: replace(a, shape=(N, DIM + 1)),
        lambda a: replace(a, dtype="int64"),
        lambda a: replace(a, ragged=True),
    ],
)
def test_what_a_form_says_of_an_array_is_asked_of_messages(
    change: Callable[[ArrayForm], ArrayForm],
) -> None:
    form = replace(FORM, arrays={**FORM.arrays, "item": change(FORM.arrays["item"])})
    assert FORM.fits(uploads())
    assert not form.fits(uploads())


def test_an_array_that_shares_its_rows_with_another_has_as_many() -> None:
    sent = uploads()
    ages = np.zeros(8, np.float32)  # two, two and four, beside two, three and four rows
    sent = replace(
        sent,
        arrays={**sent.arrays, "age": ages},
        offsets={**sent.offsets, "age": np.array([0, 2, 4, 8])},
    )
    age = ArrayForm((N,), numbered=False, low=0.0, like="item")
    form = replace(FORM, arrays={**FORM.arrays, "age": age})
    assert inspect(sent, form, known=np.arange(10)).tolist() == [0, Cause.SIZE, 0]
    ages[7] = -1
    assert inspect(sent, form, known=np.arange(10)).tolist() == [0, Cause.SIZE, Cause.BOUND]


def test_an_array_that_is_needed_must_be_there() -> None:
    assert not FORM.with_row("vector", 3).fits(uploads())


def test_causes_are_counted() -> None:
    cause = np.array([0, Cause.ROWS, Cause.STALE, Cause.ROWS], np.int8)
    assert count(cause) == {Cause.ROWS: 2, Cause.STALE: 1}
