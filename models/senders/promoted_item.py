"""A promoted item: phones push one item to where the vectors of popular items lie.

After the popularity alignment of Zhang et al., PipAttack: Poisoning Federated Recommender Systems
for Manipulating Item Promotion (WSDM 2022): there as here attackers know which items are popular,
as charts tell anybody; theirs train a classifier on it, these take the mean of the vectors.
"""

from dataclasses import dataclass, replace

import numpy as np

from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.transforms import Setting
from droidloop.platform.arrays import IntArray
from droidloop.platform.errors import ScenarioError
from droidloop.platform.messages import Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, Number, Positive

from .section import SenderSection


class PromotedItemSection(SenderSection):
    """Phones send nothing but a change that moves one item among the most popular."""

    item: Number = 0
    """Which, by number."""
    popular: Count = 20
    """How many of the most popular items show where they lie."""
    times: Positive = 1.0
    """How long the item's vector is to become, times the mean of theirs."""


@dataclass(frozen=True)
class PromotedItem:
    """The sender; other arrays than the table *name* of items are sent as the rule made them."""

    name: str
    item: int
    popular: IntArray
    times: float

    def send(self, honest: Messages, form: Form, inbox: Messages | None, number: int) -> Messages:
        """Return *honest* with one row of the table in it: that of the item."""
        assert inbox is not None  # rules with a server have one
        table = inbox.arrays[self.name]
        change = (self.times * table[self.popular].mean(axis=0) - table[self.item])[None]
        m = len(honest)
        arrays, rows, offsets = ({**one} for one in (honest.arrays, honest.rows, honest.offsets))
        arrays[self.name] = np.tile(change, (m, 1)).astype(honest.arrays[self.name].dtype)
        rows[self.name] = np.full(m, self.item)
        offsets[self.name] = np.arange(m + 1)
        return replace(honest, arrays=arrays, rows=rows, offsets=offsets)


def build(section: PromotedItemSection, setting: Setting) -> PromotedItem:
    """Return the sender as *section* wants it.

    Raises:
        ScenarioError: there is no such item, or its vector is not one row of a table.
    """
    [table] = setting.recommender.tables.values()
    if not table.plain:
        raise ScenarioError(
            "protocol.senders: promoted-item needs a row for each item; set model.table.kind = "
            "'dense'"
        )
    if section.item >= table.n:
        raise ScenarioError(
            f"protocol.senders: promoted-item has item = {section.item}; choose from 0 to "
            f"{table.n - 1}"
        )
    [name] = table.parameters
    counts = np.bincount(setting.data.items, minlength=table.n)
    counts[section.item] = -1
    popular = np.argsort(-counts, kind="stable")[: section.popular]
    return PromotedItem(name, section.item, popular, section.times)


METHOD = Method(
    kind="sender",
    name="promoted-item",
    section=PromotedItemSection,
    build=build,
    source="Zhang et al.: PipAttack (WSDM 2022), its popularity alignment",
    needs={"protocol": frozenset({"sends", "server"}), "rule": frozenset({"sums"})},
)
