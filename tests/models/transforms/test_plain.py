"""A plain transform leaves messages as they are, costs nothing, and remembers nothing."""

import numpy as np

from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.transforms import Transform
from droidloop.models.transforms.plain import PlainTransform
from droidloop.platform.messages import Messages

ONE = np.zeros(1, np.int64)
SENT = Messages("delta", ONE, ONE - 1, {"item": np.ones((1, 2), np.float32)}, np.ones(1), ONE)


def test_it_does_nothing_and_costs_nothing() -> None:
    plain: Transform = PlainTransform()
    form = Form(frozenset({"delta"}), {"item": ArrayForm((3, 2))})
    assert plain.form(form) is form
    assert plain.open(plain.seal(SENT, ONE, 0), 0) is SENT
    for cost in (plain.cost(SENT), plain.opening(SENT)):
        assert [int(np.sum(c)) for c in (cost.flops, cost.moved_bytes, cost.ram_bytes)] == [0, 0, 0]
    assert plain.may_send(np.arange(3)).tolist() == [True] * 3


def test_it_remembers_nothing() -> None:
    plain = PlainTransform()
    plain.left(ONE, 0)
    assert (plain.state(), plain.notes()) == ({}, {})
