"""Rapid retraining: from the start again, but each number by steps of a Newton method's size.

Liu et al., The Right to be Forgotten in Federated Learning: An Efficient Realization with Rapid
Retraining (INFOCOM 2022): the inverse Hessian is approximated by the diagonal of the empirical
Fisher matrix (squares of gradients), and gradients and squares are means over time, with weights
0.9 and 0.999. Theirs are taken on the clients; here the server takes them of the sum of all
changes, as phones that are asked now and then have no means over time.
"""

import math

from droidloop.models.federated.adaptive import adam
from droidloop.models.federated.folds import Fold
from droidloop.models.learning.learning import FederatedLearning, Way
from droidloop.platform.arrays import IntArray
from droidloop.platform.registry import Method
from droidloop.platform.section import Positive, Section, Share
from droidloop.platform.state import Tree, copied

from .unlearner import Unlearner


class RapidSection(Section):
    """All phones begin again, in fewer turns, with steps that their squares scale."""

    turns_share: Share = 0.5
    """Of the turns that were learned, how many are played again; rounded up."""
    step: Positive = 0.05
    """About how far each number moves in a turn."""


class Rapid(Unlearner):
    """The way: a fold of its own learns, and the server takes over what it has."""

    STATE = ("_fold",)

    def __init__(self, learning: FederatedLearning, section: RapidSection) -> None:
        super().__init__(learning)
        assert isinstance(learning.server, Fold)  # what rules that give "sums" have
        self._section, self._server, self._client = section, learning.server, learning.client
        self._first: Tree = copied(learning.state())
        self._fold = adam(learning.server.params, section.step)
        self._fresh: Tree = copied(self._fold.state())

    def begin(self, phones: IntArray, learned: int) -> int:
        """Begin again; see ``Unlearner``."""
        self.start_again(self._first)
        self._fold.restore(copied(self._fresh))
        return math.ceil(self._section.turns_share * learned)

    def way(self, turn: int) -> Way:
        """Return the phones' own rule and the fold; see ``Unlearner``."""
        return Way(self._client, self._fold, self.learning.draws.child("unlearning"))

    def closed(self, turn: int) -> None:
        """Have the server take over what the fold has; see ``Unlearner``."""
        self._server.take_over(self._fold.params)


METHOD = Method(
    kind="unlearning",
    name="rapid",
    section=RapidSection,
    build=lambda section, learning: Rapid(learning, section),
    source="Liu et al.: The Right to be Forgotten in Federated Learning (INFOCOM 2022)",
    needs={"protocol": frozenset({"unlearns", "server"}), "rule": frozenset({"sums"})},
)
