"""The data of a scenario, ready: what its rules are built from."""

from dataclasses import dataclass

from droidloop.models.data.interactions import Interactions, UserItems
from droidloop.models.data.places import Places
from droidloop.models.data.split import Split
from droidloop.platform.draws import Draws
from droidloop.scenarios.schema.schema import Scenario

from .evaluator import Judge


@dataclass(frozen=True)
class Material:
    """The data of a scenario, split and ready.

    Attributes:
        scenario: all of it.
        interactions: as they were read, with ratings and times.
        split: of the same events as implicit ones (every rating is 1).
        exclude: the items that are never drawn as negatives, by user.
        judge: of the split.
        draws: the chance of learning.
        places: where items are, for data that say so.
    """

    scenario: Scenario
    interactions: Interactions
    split: Split
    exclude: UserItems
    judge: Judge
    draws: Draws
    places: Places | None = None
