"""A promoted item is pushed where popular items lie, and nothing else is sent of the table."""

import numpy as np
import pytest

from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.transforms import Setting
from droidloop.models.senders.promoted_item import PromotedItemSection, build
from droidloop.platform.errors import ScenarioError
from droidloop.platform.messages import Messages
from droidloop.scenarios.run.experiment import prepare
from tests.scenarios.churning import PHONES, scenario

FORM = Form(frozenset({"delta"}), {"item": ArrayForm((30, 4))})


def setting() -> Setting:
    made = prepare(scenario()).learning
    server = made.server  # type: ignore[attr-defined]
    return Setting(PHONES, made.draws, made.recommender, made.data, made.store, server)


def test_it_goes_to_the_mean_of_the_most_popular() -> None:
    world, two = setting(), np.array([0, 1])
    assert world.server is not None
    [inbox] = world.server.broadcast(two)
    table = inbox.arrays["item"]
    honest = Messages(
        *("delta", two, two * 0 - 1, {"item": np.ones((3, 4), np.float32)}, np.ones(2)),
        base=two * 0,
        rows={"item": np.array([1, 2, 2])},
        offsets={"item": np.array([0, 2, 3])},
    )
    sender = build(PromotedItemSection(item=7, popular=3, times=2.0), world)
    sent = sender.send(honest, FORM, inbox, 0)
    assert FORM.fits(sent)
    assert sent.rows["item"].tolist() == [7, 7]
    counts = np.bincount(world.data.items, minlength=30)
    counts[7] = -1
    popular = np.argsort(-counts, kind="stable")[:3]
    wanted = 2.0 * table[popular].mean(axis=0)
    np.testing.assert_allclose(table[7] + sent.arrays["item"][1], wanted, rtol=1e-5)


def test_an_item_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ScenarioError, match="promoted-item has item = 30; choose from 0 to 29"):
        build(PromotedItemSection(item=30), setting())


def test_phones_can_be_named() -> None:
    section, draws = PromotedItemSection(phones=[2, 5, 99]), setting().draws
    assert section.among(np.arange(4, 16), 16, draws).tolist() == [5]
