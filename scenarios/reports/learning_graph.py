"""Who learned from whom in a run, from its ledger alone."""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.errors import UsageError
from droidloop.platform.ledger import Rows, read, texts
from droidloop.platform.rundir import RunDirectory


@dataclass(frozen=True)
class LearningGraph:
    """Messages that phones have learned from; phones are numbered 0 to n - 1.

    One entry a message in ``learner``, ``teacher`` and ``round``; one a phone in ``phone_class``
    (a number in ``classes``) and ``group`` (-1: in none; None where the run has no groups).
    ``since`` is the turn of the last grouping, 0 where there is none.
    """

    learner: IntArray
    teacher: IntArray
    round: IntArray
    classes: list[str]
    phone_class: IntArray
    group: IntArray | None
    since: int

    @property
    def phones(self) -> int:
        """How many phones there are, those that learned from nobody among them."""
        return len(self.phone_class)

    def links(self) -> tuple[IntArray, IntArray]:
        """Return the pairs (p, 2) of a teacher and its learner, and their messages (p,).

        Messages count from ``since`` on: before it, phones had other groups.
        """
        now = self.round >= self.since
        ends = np.column_stack([self.teacher[now], self.learner[now]])
        pairs, counts = np.unique(ends, axis=0, return_counts=True)
        return pairs, counts

    def between_classes(self) -> IntArray:
        """Return messages (c, c) from the class of the row to the class of the column."""
        c = len(self.classes)
        cell = self.phone_class[self.teacher] * c + self.phone_class[self.learner]
        return np.bincount(cell, minlength=c * c).reshape(c, c)

    def teachers(self) -> IntArray:
        """Return from how many different phones each phone has learned (n,)."""
        pairs = np.unique(np.column_stack([self.learner, self.teacher]), axis=0)
        return np.bincount(pairs[:, 0], minlength=self.phones)

    def learners(self) -> IntArray:
        """Return how many different phones each phone has taught (n,)."""
        pairs = np.unique(np.column_stack([self.teacher, self.learner]), axis=0)
        return np.bincount(pairs[:, 0], minlength=self.phones)


def teaching_of(run: RunDirectory) -> LearningGraph:
    """Return who learned from whom in *run*.

    Raises:
        UsageError: the run is not complete, or no phone learned from another one.
        LedgerError: a segment is damaged.
    """
    if run.manifest()["state"] != "complete":
        raise UsageError(f"{run.path}: this run is not complete; run it again")
    events, devices = read(run.path, "events"), read(run.path, "devices")
    learned = events[events["kind"] == b"learned"]
    if not len(learned):
        raise UsageError(
            f"{run.path}: no phone learned from another one here; "
            "give a run with protocol.kind = 'gossip' or 'groups'"
        )
    names, phone_class = np.unique(devices["profile"], return_inverse=True)
    group, since = _groups(events, len(devices))
    return LearningGraph(
        learned["phone"].astype(np.int64),
        learned["value"],
        learned["round"].astype(np.int64),
        texts(names),
        phone_class,
        group,
        since,
    )


def _groups(events: Rows, phones: int) -> tuple[IntArray | None, int]:
    """Return the group of each phone at the end, and the turn of the last grouping."""
    grouped = events[events["kind"] == b"grouped"]
    if not len(grouped):
        return None, 0
    group = np.full(phones, -1, np.int64)
    group[grouped["phone"]] = grouped["value"]  # in the order of time: the last one stays
    return group, int(grouped["round"].max())
