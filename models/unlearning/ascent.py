"""Gradient ascent; does not work here against planted phones, because they climb their own data.

What they have sent was something else, and two thirds of the exposure stay (docs/churn.md). Who is
forgotten unlearns itself, as its last act, then the others mend.

Halimi et al., Federated Unlearning: How to Efficiently Erase a Client in FL? (2022): the client
climbs its own loss, held near the model by a projection; the others then train on for some turns.
Needs the phone itself, which has until it leaves (``churn.notice_h``).
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Cohort, Cost
from droidloop.models.learning.learning import FederatedLearning, Way
from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, CountOrNone, Positive, Section

from .local_steps import TakesSteps, stepping, steps_of
from .unlearner import Unlearner


class AscentSection(Section):
    """Who asks to be forgotten climbs its own loss and sends that; the others train on."""

    passes: Count = 5
    """Over its own data, upwards."""
    radius: Positive = 5.0
    """How far it may get, times the length of an ordinary upload of its own."""
    mending_turns: CountOrNone = 5
    """Ordinary turns of the others afterwards."""


@dataclass(frozen=True)
class Climbs:
    """The client rule of the last turn of those who are forgotten; what is private stays."""

    client: TakesSteps
    up: TakesSteps
    radius: float

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Return what climbing comes to, at most *radius* times as long as an honest step."""
        honest = self.client.step(_copied(cohort), inbox, data, draws)
        climbed = self.up.step(_copied(cohort), inbox, data, draws)
        far, most = _lengths(climbed), self.radius * _lengths(honest)
        scale = np.minimum(1.0, most / np.maximum(far, np.finfo(np.float64).tiny))
        return replace(
            climbed,
            arrays={
                name: _times(values, climbed.offsets[name], scale)
                for name, values in climbed.arrays.items()
            },
        )

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what both take, one after the other."""
        one, two = (client.cost(cohort, data) for client in (self.client, self.up))
        return Cost(
            one.flops + two.flops,
            one.moved_bytes + two.moved_bytes,
            np.maximum(one.ram_bytes, two.ram_bytes),
            one.operators + two.operators,
        )


class Ascent(Unlearner):
    """The way: one turn of those who are forgotten, then ordinary ones."""

    STATE = ("_phones",)

    def __init__(self, learning: FederatedLearning, section: AscentSection) -> None:
        super().__init__(learning)
        client = steps_of(learning, "ascent")
        sgd = client.sgd
        up = replace(
            sgd,
            lr_user=0.0,
            lr_rows=-sgd.lr_rows,
            lr_dense=None if sgd.lr_dense is None else -sgd.lr_dense,
            epochs=section.passes,
        )
        self._climbs = Climbs(client, stepping(client, up), section.radius)
        self._section, self._server = section, learning.server
        self._phones = np.empty(0, np.int64)

    def begin(self, phones: IntArray, learned: int) -> int:
        """Know who climbs; see ``Unlearner``."""
        self._phones = phones
        return 1 + self._section.mending_turns

    def asks(self, turn: int) -> IntArray | None:
        """Return those who are forgotten first; see ``Unlearner``."""
        return self._phones if turn == 0 else None

    def way(self, turn: int) -> Way:
        """Return the way up, then the usual one; see ``Unlearner``."""
        usual = super().way(turn)
        return replace(usual, client=self._climbs) if turn == 0 else usual

    def end(self, phones: IntArray) -> None:
        """Keep nothing of *phones*; see ``Unlearner``."""
        self._phones = np.empty(0, np.int64)


def _copied(cohort: Cohort) -> Cohort:
    private = {name: rows.copy() for name, rows in cohort.private.items()}
    return Cohort(cohort.phones, cohort.round, private)


def _lengths(messages: Messages) -> FloatArray:
    """Return the length of each message, all its arrays together, (m,)."""
    squares = np.zeros(len(messages))
    for name, values in messages.arrays.items():
        flat = values.reshape(len(values), math.prod(values.shape[1:])).astype(np.float64)
        place = np.repeat(np.arange(len(messages)), np.diff(messages.offsets[name]))
        # summed message by message: the bits of one do not depend on the others
        squares += np.bincount(place, np.square(flat).sum(axis=1), len(messages))
    return np.sqrt(squares)


def _times(values: Array, offsets: IntArray, scale: FloatArray) -> Array:
    each = np.repeat(scale, np.diff(offsets)).astype(values.dtype)
    return np.asarray(values * each.reshape(-1, *[1] * (values.ndim - 1)))


METHOD = Method(
    kind="unlearning",
    name="ascent",
    section=AscentSection,
    build=lambda section, learning: Ascent(learning, section),
    source="Halimi et al.: Federated Unlearning: How to Efficiently Erase a Client in FL? (2022)",
    needs={"protocol": frozenset({"unlearns", "server"}), "rule": frozenset({"sums"})},
)
