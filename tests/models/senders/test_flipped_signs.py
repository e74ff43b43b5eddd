"""Flipped signs, and who does it."""

import numpy as np

from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.senders.flipped_signs import FlippedSigns, FlippedSignsSection
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages

FORM = Form(
    frozenset({"delta"}),
    {"item": ArrayForm((4, 1)), "age": ArrayForm((2,), low=0.0), "group": ArrayForm((2,), "int64")},
)


def test_numbers_that_may_be_negative_are_flipped_and_nothing_else() -> None:
    sent = Messages(
        kind="delta",
        sender=np.array([3]),
        receiver=np.array([SERVER]),
        arrays={
            "item": np.array([[1.0], [-2.0]], np.float32),
            "age": np.array([5.0, 6.0], np.float32),
            "group": np.array([7, 8]),
        },
        weight=np.array([2.0]),
        base=np.array([1]),
        rows={"item": np.array([1, 3])},
    )
    flipped = FlippedSigns(3.0).send(sent, FORM, None, 0)
    assert flipped.arrays["item"].tolist() == [[-3.0], [6.0]]
    assert flipped.arrays["item"].dtype == np.float32
    assert flipped.arrays["age"].tolist() == [5.0, 6.0]
    assert flipped.arrays["group"].tolist() == [7, 8]
    assert sent.arrays["item"].tolist() == [[1.0], [-2.0]], "what the rule made is not changed"
    assert FORM.fits(flipped)


def test_a_share_of_all_is_drawn_from_those_that_are_left() -> None:
    section, draws = FlippedSignsSection(share=0.25), Draws(1, "liars")
    assert len(section.among(np.arange(40), 40, draws)) == 10
    left = np.arange(30, 37)
    assert section.among(left, 40, draws).tolist() == left.tolist()
    assert section.among(np.arange(40), 40, draws).tolist() != list(range(10))
