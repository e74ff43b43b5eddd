"""Retraining: all is learned again from the start, without those who are forgotten.

The yardstick of every other way: nothing of them can be left, as nothing of them was used.
"""

from droidloop.models.learning.learning import Learning
from droidloop.platform.arrays import IntArray
from droidloop.platform.registry import Method
from droidloop.platform.section import Section
from droidloop.platform.state import Tree, copied

from .unlearner import Unlearner


class RetrainSection(Section):
    """All phones begin again from their first values, for as many turns as they have had."""


class Retrain(Unlearner):
    """The way; what was there before anybody had learned is remembered from the start."""

    def __init__(self, learning: Learning) -> None:
        super().__init__(learning)
        self._first: Tree = copied(learning.state())

    def begin(self, phones: IntArray, learned: int) -> int:
        """Begin again; see ``Unlearner``."""
        self.start_again(self._first)
        return learned


METHOD = Method(
    kind="unlearning",
    name="retrain",
    section=RetrainSection,
    build=lambda section, learning: Retrain(learning),
    needs={"protocol": frozenset({"unlearns"})},
)
