"""The data of a run, ready: what its rules are built from."""

from dataclasses import dataclass

from droidloop.models.data.interactions import Interactions, UserItems
from droidloop.models.data.places import Places
from droidloop.models.data.split import Split
from droidloop.models.interfaces.staleness import Staleness
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws

from .evaluator import Evaluator


@dataclass(frozen=True)
class TaskData:
    """The data of a run, split and ready, and how late an upload may be.

    Attributes:
        source: where they were read from, or that they are synthetic; for messages.
        path: the folder or file, if they were read.
        interactions: as they were read, with ratings and times.
        split: of the same events as implicit ones (every rating is 1).
        exclude: the items that are never drawn as negatives, by user.
        evaluator: of the split.
        draws: the chance of learning.
        central: the chance of what is trained in one place.
        staleness: the weight of an upload by its age in versions.
        places: where items are, for data that say so.
        memory_bytes: of each phone, in all.
    """

    source: str
    path: str | None
    interactions: Interactions
    split: Split
    exclude: UserItems
    evaluator: Evaluator
    draws: Draws
    central: Draws
    staleness: Staleness
    places: Places | None = None
    memory_bytes: IntArray | None = None
